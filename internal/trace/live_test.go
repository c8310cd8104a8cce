package trace

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/datapath"
	"weir/internal/flow"
)

func TestParseLive(t *testing.T) {
	l, ok, err := ParseLive([]string{"--live", "br0", "tcp,nw_dst=10.0.0.1", "-n", "3", "--timeout", "5", "--names"})
	want := &Live{Bridge: "br0", Filter: "tcp,nw_dst=10.0.0.1", Count: 3, Timeout: 5 * time.Second, Names: true}
	if diff := cmp.Diff(want, l); diff != "" || !ok || err != nil {
		t.Error(diff, ok, err)
	}
	if l, ok, err = ParseLive([]string{"--live", "ip"}); !ok || err != nil || l.Count != 1 || l.Bridge != "" {
		t.Error(l, ok, err)
	}
	if _, ok, _ := ParseLive([]string{"br0", "in_port=1"}); ok {
		t.Error("another trace was taken for a live one")
	}
	for _, bad := range []string{"--live", "--live a b c", "--live ip -n", "--live ip -n 0", "--live ip -n x", "--live ip --timeout 999999999"} {
		if _, ok, err := ParseLive(strings.Fields(bad)); !ok || err == nil {
			t.Errorf("%s: %v %v", bad, ok, err)
		}
	}
}

func TestLiveWatch(t *testing.T) {
	cfg := newEnv(t).Config
	w, err := (&Live{Bridge: "br0", Filter: "in_port=p3,icmp"}).Watch(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[datapath.PortNo]bool{3: true}, w.Ports); diff != "" || w.Match.String() != "icmp" {
		t.Error(diff, w.Match)
	}
	if w, err := (&Live{Filter: "arp"}).Watch(cfg); err != nil || w.Ports != nil {
		t.Error(w, err)
	}
	if w, err := (&Live{Bridge: "br9", Filter: "arp"}).Watch(cfg); err != nil || w != nil {
		t.Error("a bridge that isn't there is watched", w, err)
	}
	for _, l := range []Live{
		{Filter: "in_port=1"}, {Bridge: "br0", Filter: "in_port=9"}, {Filter: "nw_dts=1.2.3.4"}, {Filter: "reg0=1"}, {Filter: "metadata=3"},
	} {
		if _, err := l.Watch(cfg); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
}

func TestLiveExplain(t *testing.T) {
	env := newEnv(t, "udp,actions=learn(table=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]),output:2")
	k, _, err := datapath.ParseKey("in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,frag=no),udp(src=8,dst=9)", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &datapath.Sighting{Frame: flow.Compose(k, nil), Len: 60, Key: *k, UFID: datapath.UFID{0xab}, At: t0}
	l := &Live{Count: 2, Names: true}
	seen := l.Explain(env, env.Datapath.Namer(), s, 1)
	text := seen.String()
	if head := "Packet 1 of 2: 00:16:40.000000, 60 bytes, came in on p1, met ufid:ab000000-0000-0000-0000-000000000000\nFlow: udp,in_port=p1,"; !strings.HasPrefix(text, head) {
		t.Error(text)
	}
	if !strings.HasSuffix(text, "Datapath actions: p2\n") {
		t.Error(text)
	}
	if n := env.Config.Bridges["br0"].Pipeline.Active(5); n != 0 {
		t.Errorf("explaining a packet made %d flows", n)
	}
	b, err := json.Marshal(seen.Document())
	if err != nil || !strings.Contains(string(b), `"in_port":"p1","ufid":"ufid:ab000000`) || !strings.Contains(string(b), `"datapath_actions":["p2"]`) {
		t.Errorf("%s %v", b, err)
	}
	s.Key.InPort = 77
	if text := l.Explain(env, nil, s, 2).String(); !strings.Contains(text, "The port has gone since.") {
		t.Error(text)
	}
}

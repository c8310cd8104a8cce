package trace

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/datapath"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/protocol/maclearn"
	"weir/internal/xlate"
)

var t0 = time.Unix(1000, 0)

// testDatapath has the ports p1 and p2.
type testDatapath struct{}

func (testDatapath) Type() string { return "netdev" }
func (testDatapath) Name() string { return "ovs-test" }

func (testDatapath) Namer() *datapath.Namer {
	names := []string{1: "p1", 2: "p2"}
	return &datapath.Namer{
		Name: func(no datapath.PortNo) (string, bool) {
			if no == 0 || int(no) >= len(names) {
				return "", false
			}
			return names[no], true
		},
		Number: func(name string) (datapath.PortNo, bool) {
			no := slices.Index(names, name)
			return datapath.PortNo(no), no > 0
		},
	}
}

// newEnv is a switch with one bridge of four ports and some flows.
func newEnv(t testing.TB, flows ...string) *Env {
	t.Helper()
	cfg := &xlate.Config{Bridges: map[string]*xlate.Bridge{}, ByDP: map[datapath.PortNo]*xlate.Port{}, Recircs: xlate.NewRecircs(),
		Drops: xlate.NewDrops(), Features: datapath.Features{Recirc: true, Clone: true, CTState: true}}
	b := &xlate.Bridge{Name: "br0", Pipeline: pipeline.New(nil), MACs: maclearn.New(0, 0),
		Ports: map[openflow.PortNo]*xlate.Port{}, Miss: openflow.MissDrop}
	cfg.Bridges["br0"] = b
	for n := range 4 {
		p := &xlate.Port{Bridge: b, Name: "p" + string(rune('1'+n)), No: openflow.PortNo(n + 1), DP: datapath.PortNo(n + 1)}
		b.Ports[p.No], cfg.ByDP[p.DP] = p, p
		b.Order = append(b.Order, p)
	}
	env := &Env{Config: cfg, Now: t0, Datapath: testDatapath{}}
	add(t, env, flows...)
	return env
}

// add adds flows to the bridge.
func add(t testing.TB, env *Env, flows ...string) {
	t.Helper()
	b := env.Config.Bridges["br0"]
	for _, text := range flows {
		fm, _, err := openflow.ParseFlowMod(text, int(openflow.FlowAdd), openflow.ParseOptions{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		fm.Origin = b.Pipeline.Origin("test")
		if _, err := b.Pipeline.FlowMod(fm, t0); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// after cuts a report to what follows a line.
func after(text, line string) string {
	_, rest, _ := strings.Cut(text, line)
	return rest
}

func TestRun(t *testing.T) {
	env := newEnv(t, "tcp,actions=ct(commit,table=1,zone=5,nat(dst=1.1.1.1:80)),2", "table=1,ct_state=+est,tcp,actions=3", "udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],output:NXM_NX_REG0[]")
	for _, c := range []struct {
		args, from, want string
	}{
		{"br0 in_port=1,udp,nw_src=0.0.0.2", "-------------\n", ` 0. udp, priority 32768
    move:NXM_OF_IP_SRC[]->NXM_NX_REG0[]
     -> NXM_NX_REG0[] is now 0x2
    output:NXM_NX_REG0[]
     -> output port is 2

Final flow: udp,reg0=0x2,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.2,nw_dst=0.0.0.0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=0
Megaflow: recirc_id=0,eth,udp,in_port=1,nw_src=0.0.0.2,nw_frag=no
Datapath actions: 2`},
		{"br0 in_port=1,icmp", "-------------\n", ` 0. No match.
    drop

Final flow: unchanged
Megaflow: recirc_id=0,eth,icmp,in_port=1,nw_frag=no
Datapath actions: drop`},
		{"br0 in_port=1,tcp --ct-next trk,est", "resume conntrack with ", `ct_state=est|trk
Replacing src/dst IP/ports to simulate NAT:
 Initial flow: nw_src=0.0.0.0,tp_src=0,nw_dst=0.0.0.0,tp_dst=0
 Modified flow: nw_src=0.0.0.0,tp_src=0,nw_dst=1.1.1.1,tp_dst=80
` + strings.Repeat("=", 79) + `

Flow: recirc_id=0x1,ct_state=est|trk,ct_zone=5,eth,tcp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=1.1.1.1,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=0

bridge("br0")
-------------
    thaw
        Resuming from table 1
 1. ct_state=+est,tcp, priority 32768
    output:3

Final flow: unchanged
Megaflow: recirc_id=0x1,ct_state=+est,eth,tcp,in_port=1,nw_frag=no
Datapath actions: 3`},
	} {
		rep, err := Run(env, strings.Split(c.args, " "))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if diff := cmp.Diff(c.want, after(rep.String(), c.from)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.args, diff)
		}
		b, err := json.Marshal(rep.Document())
		if err != nil || !json.Valid(b) {
			t.Errorf("%s: JSON %s: %v", c.args, b, err)
		}
	}
}

// The packet type of a flow's text says what is matched and written; only
// encap(ethernet) makes an EtherType of it.
func TestPacketType(t *testing.T) {
	env := newEnv(t, "packet_type=(1,0x894f),nsh_si=3,actions=decap,2", "packet_type=(1,0x800),actions=dec_ttl,encap(ethernet),2")
	for _, c := range []struct{ key, flow, final, rest string }{
		{"packet_type=(1,0x894f),in_port=4,nsh_si=3,nsh_np=3", "packet_type=(1,0x894f),in_port=4",
			"in_port=4,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000",
			"Megaflow: recirc_id=0,packet_type=(1,0x894f),in_port=4,dl_type=0x894f,nsh_np=3,nsh_si=3\nDatapath actions: pop_nsh(),recirc(0x1)"},
		{"packet_type=(1,0x800),in_port=4,nw_ttl=5",
			"ct_nw_src=0.0.0.0,ct_nw_dst=0.0.0.0,packet_type=(1,0x800),in_port=4,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=5,nw_frag=no",
			"ip,in_port=4,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=4,nw_frag=no",
			"Megaflow: recirc_id=0,packet_type=(1,0x800),ip,in_port=4,nw_proto=0,nw_ttl=5,nw_frag=no\nDatapath actions: push_eth(src=00:00:00:00:00:00,dst=00:00:00:00:00:00),2"},
	} {
		text, err := Run(env, []string{"br0", c.key})
		if err != nil {
			t.Fatal(err)
		}
		want := "Final flow: " + c.final + "\n" + c.rest
		if diff := cmp.Diff(want, "Final flow: "+after(text.String(), "Final flow: ")); diff != "" || !strings.HasPrefix(text.String(), "Flow: "+c.flow+"\n") {
			t.Errorf("%s:\n%s\n%s", c.key, diff, text)
		}
	}
}

func TestErrors(t *testing.T) {
	env := newEnv(t)
	for args, want := range map[string]string{
		"br0":                                 "syntax error at br0 (or the bridge name was omitted)",
		"br9 in_port=1":                       "br9: unknown bridge",
		"br0 in_port=1 --ct-next":             "Missing argument for option --ct-next",
		"br0 in_port=1 --ct-next blah":        "blah: unknown connection tracking state flag",
		"br0 in_port=1 --ct-next est":         `est: invalid connection state: If "trk" is unset, no other flags are set`,
		"br0 in_port=1 --ct-next trk,new,est": `new|est|trk: invalid connection state: "new" and "est" are mutually exclusive`,
		"ovs-test in_port(9)":                 "no OpenFlow port for datapath port 9",
		"ovs-test recirc_id(7),in_port(1)":    "no recirculation data for recirc_id 0x7",
		"nosuch in_port(1)":                   "Cannot find the datapath",
		"br0 in_port=1 --ct-next=trk":         "--ct-next=trk: unknown option",
		"br0 in_port=1 -consistent":           "-consistent: unknown option",
		"br0 in_port=1 a b":                   "too many arguments",
		"br0 in_port=1 a":                     "Trailing garbage in packet data",
		"br0 in_port=1 aabb":                  "Packet data too short for Ethernet",
		"br0 ab":                              "Bad openflow flow syntax: ab: unknown field ab",
		"br0 in_port=1 -generate aabb":        "Syntax error",
		"br0 in_port=1 -generate --l7 zz":     "Trailing garbage in packet data",
		"br0 in_port=1 --l7-len 64001":        "64001: too much L7 data",
	} {
		if _, err := Run(env, strings.Split(args, " ")); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func TestPacketOut(t *testing.T) {
	env := newEnv(t, "actions=3")
	for args, want := range map[string]string{
		"br0 in_port=1,ip output:2":                      "Datapath actions: 2",
		"br0 in_port=1,ip resubmit(,0)":                  "Datapath actions: 3",
		"br0 in_port=1,ip drop":                          "Datapath actions: drop",
		"br0 in_port=1,ip nosuch":                        "!unknown action nosuch",
		"--consistent br0 in_port=1,dl_type=5 dec_ttl,2": "!Inconsistent actions (OFPBAC_MATCH_INCONSISTENT)",
	} {
		rep, err := RunPacketOut(env, strings.Split(args, " "))
		got := ""
		if err != nil {
			got = "!" + err.Error()
		} else {
			got = rep.String()[strings.LastIndex(rep.String(), "Datapath"):]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

func TestExplainDrop(t *testing.T) {
	env := newEnv(t, "cookie=0x9,in_port=1,tcp,tp_dst=80,actions=2", "cookie=0x7,in_port=2,actions=drop", "in_port=3,actions=9")
	for args, want := range map[string]Explanation{
		"br0 in_port=1,tcp,tp_dst=80": {},
		"br0 in_port=1,tcp,tp_dst=81": {Dropped: true, Cause: &Cause{Kind: "no-match"}, Cures: []string{"add a flow", `flow "priority=32768,tcp,in_port=1,tp_dst=80" misses it only by tcp_dst, which is 81`}},
		"br0 in_port=2,ip":            {Dropped: true, Cause: &Cause{Kind: "flow", Cookie: "0x7", Origin: "test"}, Cures: []string{"change or delete the flow"}},
		"br0 in_port=3,ip":            {Dropped: true, Cause: &Cause{Kind: "port-missing", Port: "9"}, Cures: []string{"add the port to br0"}},
	} {
		e, err := ExplainDrop(env, strings.Split(args, " "))
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if e.Dropped != want.Dropped {
			t.Errorf("%s: dropped is %v", args, e.Dropped)
		}
		if want.Cause != nil && (e.Cause.Kind != want.Cause.Kind || want.Cause.Cookie != "" && e.Cause.Cookie != want.Cause.Cookie ||
			want.Cause.Origin != "" && e.Cause.Origin != want.Cause.Origin || e.Cause.Port != want.Cause.Port) {
			t.Errorf("%s: cause %+v, want %+v", args, e.Cause, want.Cause)
		}
		text := e.String()
		for _, cure := range want.Cures {
			if !strings.Contains(text, cure) {
				t.Errorf("%s: no %q in\n%s", args, cure, text)
			}
		}
	}
}

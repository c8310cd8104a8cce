package tunnel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/flow"
)

// options reads "a=b c=d".
func options(text string) map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(text) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

func optionText(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, " ")
}

// What options mean, in the words of dpif/show and ofproto/list-tunnels.
func TestParse(t *testing.T) {
	for _, c := range []struct{ typ, in, effect, text string }{
		{"vxlan", "remote_ip=1.1.1.1", "remote_ip=1.1.1.1", "::->1.1.1.1, key=0, legacy_l2, ttl=64"},
		{"vxlan", "remote_ip=1.1.1.2 key=5 dst_port=8472 csum=true tos=4 ttl=5",
			"csum=true dst_port=8472 key=5 remote_ip=1.1.1.2 tos=0x4 ttl=5", "::->1.1.1.2, key=0x5, legacy_l2, ttl=5, tos=0x4, csum=true"},
		{"vxlan", "remote_ip=1.1.1.3 local_ip=2.2.2.2 in_key=7 out_key=8 df_default=false tos=inherit ttl=inherit",
			"df_default=false in_key=7 local_ip=2.2.2.2 out_key=8 remote_ip=1.1.1.3 tos=inherit ttl=inherit",
			"2.2.2.2->1.1.1.3, key=0x7, legacy_l2, out_key=0x8, ttl=inherit, tos=inherit, df=false"},
		{"vxlan", "remote_ip=flow local_ip=flow key=flow", "key=flow local_ip=flow remote_ip=flow", "flow->flow, key=flow, legacy_l2, ttl=64"},
		{"vxlan", "remote_ip=fc00::1 key=0x63", "key=99 remote_ip=fc00::1", "::->fc00::1, key=0x63, legacy_l2, ttl=64"},
		{"vxlan", "remote_ip=1.1.1.1 dst_port=4789 key=zzz", "key=0 remote_ip=1.1.1.1", "::->1.1.1.1, key=0, legacy_l2, ttl=64"},
		{"lisp", "remote_ip=1.1.1.1", "remote_ip=1.1.1.1", "::->1.1.1.1, key=0, legacy_l3, ttl=64"},
		{"vxlan", "remote_ip=1.1.1.1 packet_type=ptap", "packet_type=ptap remote_ip=1.1.1.1", "::->1.1.1.1, key=0, ptap, ttl=64"},
	} {
		conf, warnings, err := Parse("t0", c.typ, options(c.in))
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %q", c.in, err, warnings)
			continue
		}
		if diff := cmp.Diff([]string{c.effect, c.text}, []string{optionText(conf.Options()), conf.String() + conf.Outgoing()}); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.in, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "vxlan type requires valid 'remote_ip' argument",
		"remote_ip=bogus":                  "bad vxlan 'remote_ip'\nt0: vxlan type requires valid 'remote_ip' argument",
		"remote_ip=224.0.0.1":              "multicast remote_ip=224.0.0.1 not allowed",
		"remote_ip=1.1.1.1 local_ip=flow":  "vxlan type requires 'remote_ip=flow' with 'local_ip=flow'",
		"remote_ip=1.1.1.1 dst_port=99999": "bad dst_port '99999' (it takes 1 to 65535)",
		"remote_ip=1.1.1.1 local_ip=::1":   "remote_ip and local_ip are not of the same address family",
	} {
		if _, _, err := Parse("t0", "vxlan", options(in)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"bad=1": "t0: unknown vxlan argument 'bad'", "tos=3": "t0: invalid TOS 3", "exts=zork": "t0: unknown extension 'zork'",
	} {
		if _, w, err := Parse("t0", "vxlan", options("remote_ip=1.1.1.1 "+in)); err != nil || !slices.Equal(w, []string{want}) {
			t.Errorf("%q: %q, %v, want %s", in, w, err, want)
		}
	}
}

// The most specific tunnel has a packet.
func TestFind(t *testing.T) {
	var table Table[int]
	for i, o := range []string{
		"remote_ip=1.1.1.1", "remote_ip=1.1.1.1 key=5", "remote_ip=1.1.1.1 local_ip=2.2.2.2", "remote_ip=1.1.1.1 key=flow",
		"remote_ip=flow key=5", "remote_ip=flow key=flow", "remote_ip=fc00::1", "remote_ip=1.1.1.1 key=flow local_ip=2.2.2.2",
	} {
		conf, _, err := Parse(fmt.Sprint(i), "vxlan", options(o))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := table.Add(3, conf, i); !ok {
			t.Errorf("%s: already there", o)
		}
		if other, ok := table.Add(3, conf, 99); ok || other != i {
			t.Errorf("%s: added twice", o)
		}
	}
	const one, two, three = 0x01010101, 0x02020202, 0x03030303
	for _, c := range []struct {
		k    flow.Tunnel
		want int
	}{
		{flow.Tunnel{Src: one, Dst: three}, 0},
		{flow.Tunnel{Src: one, Dst: two}, 2},
		{flow.Tunnel{Src: one, Dst: two, ID: 5}, 1},
		{flow.Tunnel{Src: one, Dst: three, ID: 6}, 3},
		{flow.Tunnel{Src: one, Dst: two, ID: 6}, 7},
		{flow.Tunnel{Src: two, Dst: three, ID: 5}, 4},
		{flow.Tunnel{Src: two, Dst: three, ID: 6}, 5},
		{flow.Tunnel{IPv6Src: [16]byte{0: 0xfc, 15: 1}, IPv6Dst: [16]byte{0: 0xfc, 15: 2}}, 6},
	} {
		if got, ok := table.Find(3, &c.k, 0); !ok || got != c.want {
			t.Errorf("%+v is of tunnel %d (%v), want %d", c.k, got, ok, c.want)
		}
		if _, ok := table.Find(4, &c.k, 0); ok {
			t.Errorf("%+v has a tunnel on another port", c.k)
		}
	}
}

func TestVXLANHeader(t *testing.T) {
	var b [VXLANLen]byte
	PutVXLAN(&b, 0x123456)
	if want := [VXLANLen]byte{8, 0, 0, 0, 0x12, 0x34, 0x56, 0}; b != want {
		t.Errorf("% x, want % x", b, want)
	}
	if vni, ok := VXLAN(&b); vni != 0x123456 || !ok {
		t.Errorf("VNI %#x, %v", vni, ok)
	}
	b[0] = 0
	if _, ok := VXLAN(&b); ok {
		t.Error("a header without a VNI passes")
	}
}

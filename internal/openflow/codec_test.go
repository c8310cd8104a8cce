package openflow

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/flow"
)

func testMatch(t *testing.T, s string) Match {
	t.Helper()
	m, err := flow.ParseMatch(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.SetDefaultPacketType()
	return *m
}

// Every message that Encode writes, Decode reads back as it was.
func TestRoundTrip(t *testing.T) {
	reg0 := flow.FieldByName("reg0")
	m := testMatch(t, "tcp,in_port=1,dl_vlan=9,nw_src=10.0.0.0/8,tp_dst=80")
	for _, msg := range []Message{
		&EchoRequest{Data: []byte("hi")},
		&FeaturesRequest{},
		&GetConfigReply{SwitchConfig{Frags: FragNXMatch, MissSendLen: 128}},
		&SetConfig{SwitchConfig{MissSendLen: 65535}},
		&BarrierReply{},
		&FlowMod{
			Match: m, Priority: 100, NewCookie: 5, TableID: 3, BufferID: NoBuffer, OutPort: PortNone, OutGroup: GroupAny,
			ModifyCookie: true,
			Actions:      []Action{&Output{Port: 2}, &Move{Src: Subfield{reg0, 0, 16}, Dst: Subfield{reg0, 16, 16}}},
		},
		&FlowStatsRequest{Match: m, TableID: TableAny, OutPort: PortNone, OutGroup: GroupAny},
		&FlowStatsReply{Stats: []FlowStats{{
			Match: m, Cookie: 1, TableID: 1, Priority: 5, DurationSec: 3, DurationNsec: 5, IdleAge: -1, HardAge: -1,
			Packets: 9, Bytes: 99, Actions: []Action{&Output{Port: PortNormal}},
		}}},
		&PortStatsRequest{Port: PortNone},
	} {
		for _, p := range []Protocol{PNXMTID, P13, P14, P15} {
			b, err := Encode(p, 7, msg)
			if err != nil {
				t.Fatalf("%T %v: %v", msg, p, err)
			}
			h, got, err := Decode(b, DecodeOptions{TableID: true})
			if err != nil {
				t.Fatalf("%T %v: %v\n%s", msg, p, err, HexDump(b, 0, true))
			}
			if h.Xid != 7 || h.Version != p.Version() {
				t.Errorf("%T: header %+v", msg, h)
			}
			if f, ok := got.(*FlowMod); ok {
				f.ModifyCookie = true
			}
			if r, ok := got.(*FlowStatsRequest); ok {
				if r.NXM != (p == PNXMTID) {
					t.Errorf("a request in %v: NXM %t", p, r.NXM)
				}
				r.NXM = false
			}
			if d := cmp.Diff(msg, got, cmp.Comparer(func(a, b *flow.Field) bool { return a == b }), cmp.Comparer(func(a, b Match) bool { return a == b })); d != "" {
				t.Errorf("%T in %v: %s", msg, p.Version(), d)
			}
		}
	}
}

// FuzzDecode: no bytes make a decoder panic, and what it reads can be written.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 0, 0, 8, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, m, err := Decode(b, DecodeOptions{})
		if err == nil {
			_, _ = EncodeAll(h.Version.Protocol(), h.Xid, m)
		}
	})
}

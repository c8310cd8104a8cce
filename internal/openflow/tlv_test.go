package openflow

import (
	"testing"

	"weir/internal/flow"
)

// A flow on tunnel options means the same after the way over the wire, with the
// table of the bridge as without one, and an option that is not in the table
// is refused.
func TestTunnelOptionsOnTheWire(t *testing.T) {
	table, err := new(flow.TLVTable).Add(flow.TLVMap{Class: 0xffff, Type: 1, Len: 4, Index: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ in, bare, bound string }{
		{"tun_metadata2,actions=drop", "tun_metadata2", "tun_metadata2"},
		{"tun_metadata2=0x1234,actions=drop", "tun_metadata2=0x1234", "tun_metadata2=0x1234"},
		{"tun_metadata2=0x12/0xff,actions=drop", "tun_metadata2=0x12", "tun_metadata2=0x12/0xff"},
		{"actions=set_field:0x5->tun_metadata2", "set_field:0x5->tun_metadata2", "set_field:0x5->tun_metadata2"},
		{"actions=load:1->tun_metadata2[3..4]", "set_field:0x8/0x18->tun_metadata2", "set_field:0x8/0x18->tun_metadata2"},
		{"actions=move:tun_metadata2[0..31]->reg1[]", "move:NXM_NX_TUN_METADATA2[0..31]->NXM_NX_REG1[]", "move:NXM_NX_TUN_METADATA2[]->NXM_NX_REG1[]"},
		{"actions=delete_field:tun_metadata2", "delete_field:tun_metadata2", "delete_field:tun_metadata2"},
		{"tun_metadata3=1,actions=drop", "tun_metadata3=0x1", ""},
		{"tun_metadata2=0x123456789,actions=drop", "tun_metadata2=0x123456789", ""},
		{"actions=push:tun_metadata2[]", "push:NXM_NX_TUN_METADATA2[]", ""},
	} {
		fm, _, err := ParseFlowMod(tt.in, int(FlowAdd), ParseOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		for _, p := range []Protocol{PNXMTID, P13, P15} {
			b, err := Encode(p, 1, fm)
			if err != nil {
				t.Fatalf("%s: %v", tt.in, err)
			}
			for _, o := range []struct {
				tlv  *flow.TLVTable
				want string
			}{{nil, tt.bare}, {table, tt.bound}} {
				_, m, err := Decode(b, DecodeOptions{TableID: true, TLV: o.tlv})
				if err != nil {
					if o.want != "" {
						t.Errorf("%s: %v: %v", tt.in, p, err)
					}
					continue
				}
				got := m.(*FlowMod)
				text := got.Match.String()
				if text == "" {
					text = FormatActions(got.Actions, nil)
				}
				if text != o.want {
					t.Errorf("%s: %v: %q, want %q", tt.in, p, text, o.want)
				}
			}
		}
	}
}

package openflow

import (
	"encoding/hex"
	"strings"
	"testing"

	"weir/internal/flow"
)

// The property that selects by hash, as ovn-controller sends it for a load
// balancer: experimenter 0x154d.
func TestSelectionMethodBytes(t *testing.T) {
	const want = "060f0040" + "00000240" + "00000100" + "00000001" + "0000" + "0000" + "ffffffff" +
		"ffff0028" + "0000154d" + "00000001" + "00000000" + "64705f68617368000000000000000000" + "0000000000000000"
	b, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	_, m, err := Decode(b, DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mod, ok := m.(*GroupMod); !ok || mod.Props.SelectionMethod != "dp_hash" {
		t.Fatalf("%+v", m)
	}
	b[4*9+2], b[4*9+3] = 0x15, 0x40 // as older clients have it
	if _, old, err := Decode(b, DecodeOptions{}); err != nil || old.(*GroupMod).Props.SelectionMethod != "dp_hash" {
		t.Fatalf("experimenter 0x1540: %+v, %v", old, err)
	}
	back, err := Encode(V15.Protocol(), 0x240, m)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(back); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The fields of a hash have the headers of the message's version.
func TestHashFieldHeaders(t *testing.T) {
	g, _, err := ParseGroupMod("group_id=1,type=select,selection_method=hash,fields(ip_src),bucket=output:1", int(GroupAdd), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for v, head := range map[Version]string{V10: "00000e04ffffffff", V15: "80001604ffffffff"} {
		b, err := Encode(v.Protocol(), 1, g)
		if err != nil || !strings.Contains(hex.EncodeToString(b), head) {
			t.Errorf("%s: %x, %v", v, b, err)
		}
		if _, m, err := Decode(b, DecodeOptions{}); err != nil || !m.(*GroupMod).Props.FieldSet.Has(uint16(flow.FieldIPv4Src)) {
			t.Errorf("%s comes back as %+v, %v", v, m, err)
		}
	}
}

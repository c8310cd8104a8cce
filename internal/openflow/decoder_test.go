package openflow

import (
	"reflect"
	"testing"
)

// A Decoder finds what Decode finds, however its memory was used before.
func TestDecoderAgreesWithDecode(t *testing.T) {
	var x Decoder
	for _, p := range []Protocol{P10TID, PNXMTID, P11, P12, P13, P14, P15} {
		for _, line := range []string{
			"table=1,priority=9,tcp,nw_src=10.0.0.1,tp_dst=80,actions=output:2",
			"table=1,actions=output:2",
			"idle_timeout=5,arp,arp_spa=1.2.3.4,actions=drop",
			"table=2,vlan_tci=0x1005,actions=strip_vlan,mod_dl_src:00:01:02:03:04:05,output:3",
			"table=1,priority=9,udp,tp_dst=53,actions=resubmit(,2),output:2",
			"table=1,priority=7,udp,tp_dst=53,actions=resubmit(,2),output:2",
		} {
			fm, usable, err := ParseFlowMod(line, int(FlowAdd), ParseOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if usable&p == 0 {
				continue
			}
			raw, err := Encode(p, 7, fm)
			if err != nil {
				t.Fatal(err)
			}
			opt := DecodeOptions{TableID: p&PTID != 0}
			_, want, err := Decode(raw, opt)
			if err != nil {
				t.Fatal(err)
			}
			h, got, err := x.Decode(raw, opt)
			if err != nil || h.Xid != 7 {
				t.Fatal(h, err)
			}
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s in %s: got %+v, want %+v", line, ProtocolsText(p), got, want)
			}
			if appended, err := new(Encoder).Append([]byte{1, 2}, p, 7, got); err != nil || string(appended[2:]) != string(raw) {
				t.Errorf("%s in %s: appended %x, not %x (%v)", line, ProtocolsText(p), appended[2:], raw, err)
			}
		}
	}
}

// Flow mods of the same actions share them, and decoding them costs nothing.
func TestDecoderSharesActions(t *testing.T) {
	var x Decoder
	var lists [2][]Action
	var raws [2][]byte
	for i, line := range []string{"tcp,tp_dst=80,actions=output:2,output:3", "udp,tp_dst=53,actions=output:2,output:3"} {
		fm, _, err := ParseFlowMod(line, int(FlowAdd), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if raws[i], err = Encode(P14, 1, fm); err != nil {
			t.Fatal(err)
		}
		_, m, err := x.Decode(raws[i], DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = m.(*FlowMod).Actions
	}
	if &lists[0][0] != &lists[1][0] {
		t.Error("the lists are two")
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, raw := range raws {
			_, _, _ = x.Decode(raw, DecodeOptions{})
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

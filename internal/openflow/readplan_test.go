package openflow

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// A Decoder that remembers the last match reads the next as a fresh one does,
// also where the bytes are damaged.
func TestDecoderRemembersNothingWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x Decoder
	var raws [][]byte
	for _, text := range []string{
		"tcp,nw_src=10.0.0.1,tp_dst=80", "tcp,nw_src=10.0.0.2,tp_dst=81", "udp,nw_src=10.0.0.2,tp_dst=81", "tcp,nw_src=10.0.0.0/24,tp_dst=0x50/0xfff0",
		"tcp,nw_src=10.0.1.0/24,tp_dst=0x60/0xfff0", "in_port=1", "in_port=2", "", "ct_state=+trk,ip", "ct_state=-trk,ip", "dl_vlan=3", "dl_vlan=4",
		"vlan_tci=0x1003/0x1fff", "vlan_tci=0", "dl_vlan=4,dl_vlan_pcp=3", "ip,nw_tos=8", "ip,nw_tos=16", "ipv6,ipv6_src=::1", "ipv6,ipv6_src=::2",
		"reg0=1,reg1=2", "reg0=3,reg1=4", "reg3=1/0xff", "metadata=7", "tun_id=3,tun_metadata0=5", "tun_id=4,tun_metadata0=6", "packet_type=(1,0x800)",
		"icmp6,icmp_type=135,nd_target=::2", "icmp6,icmp_type=136,nd_target=::2", "icmp,icmp_type=8", "arp,arp_op=1", "arp,arp_op=2",
		"ip,nw_frag=later", "ip,nw_frag=no", "dl_src=00:01:02:03:04:05/ff:ff:ff:00:00:00", "mpls,mpls_label=5",
	} {
		fm, _, err := ParseFlowMod(text+",actions=output:1", int(FlowAdd), ParseOptions{})
		if err != nil {
			t.Fatal(text, err)
		}
		for _, p := range []Protocol{PNXMTID, P12, P14} {
			raw, err := Encode(p, 1, fm)
			if err != nil {
				t.Fatal(text, err)
			}
			raws = append(raws, raw)
		}
	}
	for range 30000 {
		raw := append([]byte(nil), raws[r.IntN(len(raws))]...)
		repeat := 1 + r.IntN(3)
		for range repeat {
			if r.IntN(3) == 0 { // most often in the match
				raw[min(len(raw)-1, 40+r.IntN(60))] ^= 1 << r.IntN(8)
			}
			opt := DecodeOptions{TableID: true}
			_, want, err1 := Decode(raw, opt)
			_, got, err2 := x.Decode(raw, opt)
			if (err1 == nil) != (err2 == nil) || CodeOf(err1) != CodeOf(err2) || err1 == nil && !reflect.DeepEqual(want, got) {
				t.Fatalf("%x:\n got %+v %v\nwant %+v %v", raw, got, err2, want, err1)
			}
		}
	}
}

package openflow

import (
	"bytes"
	"testing"

	"weir/internal/flow"
)

// An Encoder writes what a fresh one writes, whatever came before.
func TestEncoderRemembersNothingWrong(t *testing.T) {
	var flows []*FlowMod
	for _, text := range []string{
		"tcp,nw_src=10.0.0.1,tp_dst=80", "tcp,nw_src=10.0.0.2,tp_dst=81", "udp,nw_src=10.0.0.2,tp_dst=81", "tcp,nw_src=10.0.0.0/24,tp_dst=0x50/0xfff0",
		"in_port=1", "in_port=2", "", "ct_state=+trk,ip", "ct_state=-trk,ip", "dl_vlan=3", "vlan_tci=0x1003/0x1fff", "dl_vlan=4,dl_vlan_pcp=3",
		"ip,nw_tos=8", "ip,nw_tos=16", "ipv6,nw_tos=8,ipv6_src=::1", "reg0=1,reg1=2", "reg1=2", "reg3=1/0xff", "metadata=7", "tun_id=3,tun_metadata0=5",
		"packet_type=(1,0x800)", "icmp6,icmp_type=135,nd_target=::2", "icmp6,icmp_type=136,nd_target=::2", "icmp,icmp_type=8", "arp,arp_op=1",
		"dl_type=0x894f,nsh_si=3", "ip,nw_frag=later", "dl_src=00:01:02:03:04:05/ff:ff:ff:00:00:00", "mpls,mpls_label=5",
	} {
		fm, _, err := ParseFlowMod(text+",actions=output:1", int(FlowAdd), ParseOptions{})
		if err != nil {
			t.Fatal(text, err)
		}
		flows = append(flows, fm)
	}
	var e Encoder
	for _, p := range []Protocol{PNXMTID, P12, P13, P14, P15} {
		for i := range flows {
			for _, fm := range []*FlowMod{flows[i], flows[(i*7+1)%len(flows)], flows[i]} {
				want, err1 := Encode(p, 1, fm)
				got, err2 := e.Append(nil, p, 1, fm)
				if !bytes.Equal(got, want) || (err1 == nil) != (err2 == nil) {
					t.Errorf("%s, %s:\n got %x %v\nwant %x %v", ProtocolsText(p), fm.Match.Format(flow.DefaultPriority, nil), got, err2, want, err1)
				}
			}
		}
	}
}

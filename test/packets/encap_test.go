package packets

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// encaps is what actions make of packets whose headers gopacket doesn't know.
// want is in the terms of scapy, where inner is the packet that came in and
// payload what follows its Ethernet header.
var encaps = []struct{ in, actions, want string }{
	{"NSH", "output:2", "inner"},
	{"IGMP", "output:2", "eth/IP(src='10.1.0.1',dst='10.2.0.2',tos=46,id=0x1234,flags='DF',ttl=64,proto=2)/IGMP(type=0x11,mrcode=20,gaddr='0.0.0.0')"},
	{"NSH", "set_field:0x123456->nsh_spi,set_field:9->nsh_si,set_field:2->nsh_flags", "eth/NSH(oam=1,ttl=63,spi=0x123456,si=9,mdtype=1,nextproto=3,context_header=context)/Raw(payload[24:])"},
	{"NSH", "set_field:0xaabbccdd->nsh_c1,set_field:2->nsh_c2,set_field:3->nsh_c3,set_field:4->nsh_c4,set_field:9->nsh_ttl", "eth/NSH(ttl=9,spi=5,si=4,mdtype=1,nextproto=3,context_header=bytes.fromhex('aabbccdd000000020000000300000004'))/Raw(payload[24:])"},
	{"NSH", "dec_nsh_ttl", "eth/NSH(ttl=62,spi=5,si=4,mdtype=1,nextproto=3,context_header=context)/Raw(payload[24:])"},
	{"NSH", "decap(),decap()", "Raw(payload[24:])"},
	{"TCP", "encap(nsh(md_type=1)),set_field:100->nsh_spi,set_field:250->nsh_si,set_field:0x11->nsh_c1,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src",
		"outer/NSH(ttl=63,spi=100,si=250,mdtype=1,nextproto=3,context_header=bytes.fromhex('00000011000000000000000000000000'))/Raw(inner)"},
	{"UDP over IPv6", "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),set_field:100->nsh_spi,set_field:250->nsh_si,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src",
		"outer/NSH(ttl=63,length=4,spi=100,si=250,mdtype=2,nextproto=3)/Raw(bytes.fromhex('10000a0412345678'))/Raw(inner)"},
	{"TCP", "decap(),encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src", "Ether(dst='02:00:00:00:00:77',src='02:00:00:00:00:78',type=0x800)/Raw(payload)"},
	{"ICMPv6", "decap(),set_field:fd11::1->ipv6_src,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src",
		"Ether(dst='02:00:00:00:00:77',src='02:00:00:00:00:78')/IPv6(src='fd11::1',dst='fd00:2::2',tc=46,fl=0x12345,hlim=64)/ICMPv6EchoRequest(id=3,seq=4)"},
	{"TCP", "decap(),dec_ttl,set_field:10.9.9.9->ip_dst,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src",
		"Ether(dst='02:00:00:00:00:77',src='02:00:00:00:00:78')/IP(src='10.1.0.1',dst='10.9.9.9',tos=46,id=0x1234,flags='DF',ttl=63)/TCP(sport=1000,dport=2000,seq=0x01020304,ack=0x05060708,flags='PA',window=500)/Raw(payload[40:])"},
	{"TCP", "encap(mpls),set_field:500->mpls_label,set_field:9->mpls_ttl,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src",
		"Ether(dst='02:00:00:00:00:77',src='02:00:00:00:00:78',type=0x8847)/MPLS(label=500,cos=0,s=1,ttl=9)/Raw(inner)"},
	{"VLAN", "push_mpls:0x8847,set_field:500->mpls_label,pop_mpls:0x0800", "inner"},
	{"TCP", "push_vlan:0x88a8,set_field:0x1005->vlan_vid,output:2,pop_vlan,output:2", "Ether(dst='02:00:00:00:00:0b',src=eth.src,type=0x88a8)/Raw(b'\\x00\\x05')/Raw(inner[12:]) | inner"},
}

// scapy makes the bytes of packets: a line of hexadecimal digits for each pair of
// an incoming packet and an expression, with "|" between several.
const scapy = `
import json, sys
from scapy.config import conf
conf.load_layers = ["l2", "inet", "inet6"]
from scapy.all import Ether, IP, IPv6, TCP, Raw, ICMPv6EchoRequest
from scapy.contrib.mpls import MPLS
from scapy.contrib.nsh import NSH
from scapy.contrib.igmp import IGMP
context = bytes.fromhex("00000011000000220000003300000044")
for packet, want in json.loads(sys.argv[1]):
    inner = bytes.fromhex(packet)
    payload = inner[14:]
    eth = Ether(inner[:14])
    eth.remove_payload()
    outer = Ether(dst="02:00:00:00:00:77", src="02:00:00:00:00:78", type=0x894f)
    print(" ".join(bytes(eval(w)).hex() for w in want.split(" | ")))
`

// TestEncap sends packets through actions that put headers before them and take
// them away, and compares what comes out with what scapy makes.
func TestEncap(t *testing.T) {
	const python = "/usr/bin/python3"
	s := start(t)
	var ask [][2]string
	for i, e := range encaps {
		f := kindOf(t, e.in).make()
		f.eth.SrcMAC = source(i)
		ask = append(ask, [2]string{hex.EncodeToString(f.build()), e.want})
	}
	arg, err := json.Marshal(ask)
	check(t, err)
	out, err := exec.Command(python, "-c", scapy, string(arg)).CombinedOutput()
	if err != nil {
		t.Fatalf("scapy (package python3-scapy): %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(encaps) {
		t.Fatalf("scapy made %d of %d packets:\n%s", len(lines), len(encaps), out)
	}
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testEncap(t, ask, lines) })
	}
}

func (b *bridge) testEncap(t *testing.T, ask [][2]string, lines []string) {
	var flows []string
	for i, e := range encaps {
		actions := e.actions
		if !strings.Contains(actions, "output") {
			actions += ",output:2"
		}
		is := kindOf(t, e.in).is
		flows = append(flows, fmt.Sprintf("dl_src=%s,%s actions=%s", source(i), is, actions))
	}
	b.flows("OpenFlow13", flows...)
	b.rounds(func() bool {
		for i, e := range encaps {
			in, err := hex.DecodeString(ask[i][0])
			check(t, err)
			var want [][]byte
			for _, w := range strings.Fields(lines[i]) {
				frame, err := hex.DecodeString(w)
				check(t, err)
				want = append(want, frame)
			}
			if err := b.passes(in, 2, want...); err != nil {
				t.Errorf("%s on %s: %v", e.actions, e.in, err)
			}
		}
		return !t.Failed()
	})
}

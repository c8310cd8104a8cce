package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// How ovs-ofctl prints what it reads; a want of "" means as it was given.
var matchTexts = []struct{ in, want string }{
	{"", ""},
	{"pkt_mark=0x1,recirc_id=0x5,dp_hash=0x3/0xf,ct_state=-new+est+trk,ct_zone=5,ct_mark=0x5/0x7,ct_label=0x5,ct_nw_src=1.2.3.0/24,ct_nw_proto=6,ct_tp_src=5,eth,tcp,reg1=0x5/0x7,reg9=0x5,reg14=0,reg15=0x2,tun_id=0x5/0x7,tun_src=1.2.3.4,tun_gbp_id=5,tun_flags=+oam,metadata=0x5/0x7,in_port=LOCAL,dl_vlan=10,dl_vlan_pcp=3,dl_src=00:00:00:00:00:01/01:00:00:00:00:ff,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,nw_src=1.2.3.4,nw_dst=1.2.3.0/24,nw_tos=12,nw_ecn=2,nw_ttl=5,nw_frag=no,tp_src=5,tp_dst=0x5/0x7,tcp_flags=+syn-ack", ""},
	{"tun_ipv6_src=::1,tun_ipv6_dst=::2,tun_gbp_flags=3,tun_erspan_idx=5,tun_erspan_ver=1,tun_erspan_dir=1,tun_erspan_hwid=3", "tun_ipv6_src=::1,tun_ipv6_dst=::2,tun_gbp_flags=0x3,tun_erspan_ver=1,tun_erspan_idx=0x5"},
	{"conj_id=5", ""},
	{"mpls,mpls_label=5,mpls_tc=3,mpls_ttl=2,mpls_bos=1", ""},
	{"mpls,mpls_label=5,dl_vlan=3", "mpls,dl_vlan=3,mpls_label=5"},
	{"vlan_tci=0x1/0xfff", "vlan_tci=0x0001/0x0fff"},
	{"vlan_tci=0/0x1000", "vlan_tci=0x0000/0x1000"},
	{"vlan_tci=0x1000/0x1000", ""},
	{"dl_vlan_pcp=3", ""},
	{"dl_vlan=0xffff", "vlan_tci=0x0000"},
	{"vlan_vid=0x1001/0x1001", "vlan_tci=0x1001/0x1001"},
	{"vlan_vid=0x1005,vlan_pcp=3", "dl_vlan=5,dl_vlan_pcp=3"},
	{"dl_vlan=10,dl_vlan=11", "dl_vlan=11"},
	{"icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=::1,nd_sll=00:00:00:00:00:01", "icmp6,icmp_type=135,icmp_code=0,nd_target=::1,nd_sll=00:00:00:00:00:01"},
	{"icmp6,icmpv6_type=136,icmpv6_code=0,nd_tll=00:00:00:00:00:01,nd_reserved=5,nd_options_type=2", "icmp6,icmp_type=136,icmp_code=0,nd_tll=00:00:00:00:00:01,nd_reserved=5,nd_options_type=2"},
	{"arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=1.1.1.0/24,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02", "arp,arp_spa=1.2.3.4,arp_tpa=1.1.1.0/24,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02"},
	{"arp,arp_op=0x100", "arp,arp_op=0"},
	{"rarp", ""},
	{"ip,nw_proto=2", ""},
	{"dl_type=0x800,nw_proto=0", "ip,nw_proto=0"},
	{"dl_type=0x894f,nsh_flags=5,nsh_ttl=3,nsh_mdtype=1,nsh_np=1,nsh_spi=5,nsh_si=2,nsh_c1=5,nsh_c3=5/7", "dl_type=0x894f,nsh_flags=5,nsh_ttl=3,nsh_mdtype=1,nsh_np=1,nsh_spi=0x5,nsh_si=2,nsh_c1=0x5,nsh_c3=0x5/0x7"},
	{"packet_type=(1,0x800),nw_src=1.2.3.4", ""},
	{"packet_type=(0,0)", "!"},
	{"tun_gbp_id=0x0/0x80c6", ""},
	{"packet_type=(1,0x894f)", ""},
	{"udp6,ipv6_src=::1,ipv6_dst=fe80::/64,ipv6_label=5/7,nw_tos=4,tp_src=5", "udp6,ipv6_src=::1,ipv6_dst=fe80::/64,ipv6_label=0x00005/0x00007,nw_tos=4,tp_src=5"},
	{"ipv6,ipv6_label=0x12345", ""},
	{"ipv6,ipv6_src=fe80::/ffff::1", ""},
	{"xxreg0=5", "reg0=0,reg1=0,reg2=0,reg3=0x5"},
	{"sctp,sctp_src=5", "sctp,tp_src=5"},
	{"dl_type=0x1234", ""},
	{"actset_output=3,in_port=LOCAL", ""},
	{"ip,nw_frag=yes", ""}, {"ip,nw_frag=no", ""}, {"ip,nw_frag=first", ""}, {"ip,nw_frag=later", ""}, {"ip,nw_frag=not_later", ""},
	{"tcp,tcp_flags=5", "tcp,tcp_flags=fin|rst"},
	{"tcp,tcp_flags=5/7", "tcp,tcp_flags=+fin-syn+rst"},
	{"tun_flags=0", "tun_flags=-oam"},
	{"ct_state=5", "ct_state=new|rel"},
	{"ct_state=0x5/0x7", "ct_state=+new-est+rel"},
	{"ct_zone=0", ""}, {"ct_label=0x5/0x7", ""}, {"ct_mark=0", ""},
	{"pkt_mark=0/0x7,reg0=0/0x5,metadata=0", ""},
	{"reg1", "!"},
	{"dl_vlan=5000", "dl_vlan=904"},
	{"reg0=5/3", "reg0=0x1/0x3"},
	{"ip,nw_tos=3", "ip,nw_tos=0"},
	{"ip,nw_ecn=5", "ip,nw_ecn=1"},
	{"tcp,tp_dst=0x50", "tcp,tp_dst=80"},
	{"in_port=65300", ""},
	{"in_port=010", "in_port=10"},
	{"metadata=-1", "metadata=0xffffffffffffffff"},
	{"metadata=010,reg0=0x", "reg0=0,metadata=0x8"},
	{"xxreg0=-5", "reg0=0,reg1=0,reg2=0xffffffff,reg3=0xfffffffb"},
}

func TestMatchText(t *testing.T) {
	for _, tt := range matchTexts {
		m, err := ParseMatch(tt.in, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		want := tt.want
		switch want {
		case "":
			want = tt.in
		case "!":
			want = ""
		}
		if diff := cmp.Diff(want, m.String()); diff != "" {
			t.Errorf("%s:\n%s", tt.in, diff)
		}
		again, err := ParseMatch(m.String(), nil)
		if err == nil && *again != *m && tt.want == "" {
			t.Errorf("%s: doesn't survive a second reading: %s", tt.in, again)
		}
	}
}

// What a match lacks for a field it doesn't lose in silence: only the fields of
// headers that it doesn't name are left out.
func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"tp_src=80":                               "",
		"nw_src=1.2.3.4":                          "",
		"nsh_spi=5":                               "nsh_spi=0x5",
		"ip,ct_nw_src=1.2.3.4":                    "ip,ct_nw_src=1.2.3.4",
		"tcp,nw_frag=later,tp_src=1":              "tcp,nw_frag=later,tp_src=1",
		"ct_state=+trk,ip,ct_nw_proto=6,tp_src=1": "ct_state=+trk,ct_nw_proto=6,ip",
	} {
		m, err := ParseMatch(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := *m
		if any := m.Normalize(); any != (before != *m) {
			t.Errorf("%s: reported %t", in, any)
		}
		w, err := ParseMatch(want, nil)
		if err != nil {
			t.Fatal(err)
		}
		if *m != *w {
			t.Errorf("%s: %s, want %s", in, m, want)
		}
	}
}

func TestMatchErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"foo=5", "unknown keyword foo"},
		{"in_port=foo", "foo: invalid or unknown port for in_port"},
		{"in_port=1/3", "1/3: invalid or unknown port for in_port"},
		{"ip,nw_proto=300", "300: value too large for 1-byte field nw_proto"},
		{"ip,nw_src=1.2.3", "1.2.3: invalid IP address"},
		{"dl_src=xx", "xx: invalid Ethernet address"},
		{"reg0=0x1ffffffff", "0x1ffffffff: value too large for 4-byte field reg0"},
		{"ct_state=foo", "foo: unknown ct_state flag(s)"},
		{"ct_state=+foo", "foo: unknown ct_state flag(s)"},
		{"tcp,tcp_flags=foo", "foo: unknown TCP flag(s)"},
		{"tun_flags=foo", "foo: unknown tunnel flag(s)"},
		{"packet_type=5", "5: bad syntax for packet type missing '('"},
		{"dl_vlan=5/3", "5/3: invalid mask for field dl_vlan"},
		{"conj_id=5/3", "5/3: invalid mask for field conj_id"},
		{"ct_label=::1", "::1: bad syntax for ct_label value"},
		{"reg0=1/x", "1/x: bad syntax for reg0 mask"},
		{"reg0=1/0x100000000", "1/0x100000000: mask too large for 4-byte field reg0"},
		{"reg0=-1", "-1: value too large for 4-byte field reg0"},
		{"metadata=0b1", "0b1: bad syntax for metadata value"},
		{"metadata=1_000", "1_000: bad syntax for metadata value"},
		{"metadata=--1", "--1: bad syntax for metadata value"},
		{"in_port=0xfffe", "0xfffe: invalid or unknown port for in_port"},
		{"in_port_oxm=foo", "foo: port value out of range for in_port_oxm"},
		{"in_port", "0/0: invalid or unknown port for in_port"},
		{"ip,nw_src", "0/0: invalid IP address"},
		{"dl_src=", "0/0: invalid Ethernet address"},
		{"tcp,tcp_flags=0x1000", "0x1000: unknown TCP flag(s)"},
		{"tun_flags=2", "2: unknown tunnel flag(s)"},
		{"tun_flags=+df-csum", "df-csum: unknown tunnel flag(s)"},
		{"tun_metadata0=1,tun_metadata0=2", "field tun_metadata0 set multiple times"},
	} {
		if _, err := ParseMatch(tt.in, nil); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.in, err, tt.want)
		}
	}
}

// How ofproto/trace prints the key that it reads.
func TestKeyErrors(t *testing.T) {
	for in, want := range map[string]string{
		"nw_src=1.1.1.1,ip":             "prerequisites not met for setting nw_src",
		"nw_src=1.1.1.x,ip":             "prerequisites not met for setting nw_src",
		"ip,nw_src=1.1.1.x":             "bad value for nw_src (1.1.1.x: invalid IP address)",
		"ip,nw_src=1.1.1.0/24":          "bad value for nw_src (1.1.1.0/24: wildcards not allowed here)",
		"ip,nw_frag=yes":                "bad value for nw_frag (yes: wildcards not allowed here)",
		"tcp,udp":                       "Ethernet type set multiple times",
		"ip,nw_proto=6,nw_proto=17":     "field nw_proto set multiple times",
		"vlan_vid=1,dl_vlan=2":          "field dl_vlan set multiple times",
		"ct_state=trk,ct_nw_proto=6":    "prerequisites not met for setting ct_nw_proto",
		"ct_state=rel|trk,ct_tp_src=80": "prerequisites not met for setting ct_tp_src",
	} {
		if _, err := ParseKey(in, nil, nil); err == nil || err.Error() != in+": "+want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
	for _, in := range []string{"ct_state=rpl,ct_nw_proto=6", "ct_state=trk|new,ct_tp_src=80", "ip,nw_tos=0,nw_tos=4"} {
		if _, err := ParseKey(in, nil, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyText(t *testing.T) {
	const macs = "dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00"
	const l3 = "nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no"
	const l2 = "in_port=1,vlan_tci=0x0000," + macs
	const v4 = l2 + ",nw_src=0.0.0.0,nw_dst=0.0.0.0"
	const v6 = l2 + ",ipv6_src=::,ipv6_dst=::,ipv6_label=0x00000"
	for _, tt := range []struct{ in, want string }{
		{"in_port=1", l2 + ",dl_type=0x0000"},
		{"in_port=1,tcp,dl_vlan=10,nw_src=1.2.3.4", "tcp,in_port=1,dl_vlan=10,dl_vlan_pcp=0,vlan_tci1=0x0000," + macs + ",nw_src=1.2.3.4,nw_dst=0.0.0.0," + l3 + ",tp_src=0,tp_dst=0,tcp_flags=0"},
		{"in_port=1,arp", "arp," + l2 + ",arp_spa=0.0.0.0,arp_tpa=0.0.0.0,arp_op=0,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00"},
		{"in_port=1,tun_id=5,tun_src=1.2.3.4,tun_dst=1.1.1.1,tun_ttl=3,tun_tos=2,tun_flags=oam,tun_gbp_id=5,tun_gbp_flags=2,tun_erspan_ver=1,tun_erspan_idx=4",
			"tun_src=1.2.3.4,tun_dst=1.1.1.1,tun_ipv6_src=::,tun_ipv6_dst=::,tun_gbp_id=5,tun_gbp_flags=0x2,tun_tos=2,tun_ttl=3,tun_erspan_ver=1,tun_erspan_idx=0x4,gtpu_flags=0,gtpu_msgtype=0,tun_flags=oam," + l2 + ",dl_type=0x0000"},
		{"in_port=1,tun_src=1.2.3.4", l2 + ",dl_type=0x0000"},
		{"in_port=1,ct_state=trk|est,ct_zone=3,ct_mark=4,ct_label=5,tcp,ct_nw_src=1.1.1.1,ct_nw_dst=1.2.3.4,ct_nw_proto=6,ct_tp_src=5,ct_tp_dst=6",
			"ct_state=est|trk,ct_zone=3,ct_mark=0x4,ct_label=0x5,ct_nw_src=1.1.1.1,ct_nw_dst=1.2.3.4,ct_nw_proto=6,ct_tp_src=5,ct_tp_dst=6,tcp," + v4 + "," + l3 + ",tp_src=0,tp_dst=0,tcp_flags=0"},
		{"in_port=1,skb_priority=5,pkt_mark=3,dp_hash=4", "pkt_mark=0x3,dp_hash=0x4,skb_priority=0x5," + l2 + ",dl_type=0x0000"},
		{"in_port=1,mpls,mpls_label=5,mpls_tc=1,mpls_ttl=64,mpls_bos=1", "mpls," + l2 + ",mpls_label=5,mpls_tc=1,mpls_ttl=64,mpls_bos=1"},
		{"in_port=1,icmp,icmp_type=8", "icmp," + v4 + "," + l3 + ",icmp_type=8,icmp_code=0"},
		{"in_port=1,icmp6,icmpv6_type=135", "icmp6," + v6 + "," + l3 + ",icmp_type=135,icmp_code=0,nd_target=::,nd_sll=00:00:00:00:00:00,nd_tll=00:00:00:00:00:00"},
		{"in_port=1,icmp6,icmpv6_type=128", "icmp6," + v6 + "," + l3 + ",icmp_type=128,icmp_code=0"},
		{"in_port=1,ip,nw_proto=2", "ip," + v4 + ",nw_proto=2," + l3 + ",tp_src=0,tp_dst=0"},
		{"in_port=1,ip,nw_proto=89,ip_frag=first", "ip," + v4 + ",nw_proto=89,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=first"},
		{"in_port=1,tcp,ip_frag=later", "tcp," + v4 + ",nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=later"},
		{"in_port=1,dl_type=0x894f,nsh_mdtype=2", l2 + ",dl_type=0x894f,nsh_flags=0,nsh_ttl=0,nsh_mdtype=2,nsh_np=0,nsh_spi=0x0,nsh_si=0,nw_proto=0," + l3},
		{"in_port=1,rarp", "rarp," + l2 + ",arp_spa=0.0.0.0,arp_tpa=0.0.0.0,arp_op=0,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00"},
		{"in_port=1,udp6", "udp6," + v6 + "," + l3 + ",tp_src=0,tp_dst=0"},
		// Without Ethernet the packet type alone says what the text is about.
		{"in_port=1,packet_type=(1,0x800)", "ct_nw_src=0.0.0.0,ct_nw_dst=0.0.0.0,packet_type=(1,0x800),in_port=1,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0," + l3},
		{"in_port=1,packet_type=(1,0x800),ip", "packet_type=(1,0x800),in_port=1,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0," + l3},
		{"in_port=1,packet_type=(1,0x86dd),nw_proto=58", "ct_ipv6_src=::,ct_ipv6_dst=::,packet_type=(1,0x86dd),in_port=1,ipv6_src=::,ipv6_dst=::,ipv6_label=0x00000,nw_proto=58," + l3 + ",icmp_type=0,icmp_code=0"},
		{"recirc_id=1,in_port=4,packet_type=(1,0x894f),nsh_mdtype=1,nsh_np=3,nsh_spi=0x1234", "recirc_id=0x1,packet_type=(1,0x894f),in_port=4"},
		{"in_port=1,packet_type=(1,0x8848),mpls_label=5", "packet_type=(1,0x8848),in_port=1,mpls_label=5,mpls_tc=0,mpls_ttl=0,mpls_bos=0,mpls_lse1=0,mpls_lse2=0"},
		{"in_port=1,packet_type=(1,5)", "packet_type=(1,5),in_port=1"},
		{"in_port=1,reg0=4,metadata=4,xreg3=4", "reg0=0x4,reg7=0x4,metadata=0x4," + l2 + ",dl_type=0x0000"},
	} {
		k, err := ParseKey(tt.in, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, k.String()); diff != "" {
			t.Errorf("%s:\n%s", tt.in, diff)
		}
	}
}

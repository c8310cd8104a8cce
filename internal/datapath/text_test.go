package datapath

import (
	"strings"
	"testing"
	"time"
)

// TestActionsText holds texts that print as they are read, except where want
// says otherwise; they were compared with the C programs' output.
func TestActionsText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{in: "drop"}, {in: "1"}, {in: "1,2"}, {in: "1,,2", want: "1,2"},
		{in: "userspace(pid=5,slow_path(cfm,bfd))"},
		{in: "userspace(pid=0,slow_path(0x3))", want: "userspace(pid=0,slow_path(cfm,bfd))"},
		{in: "userspace(pid=0,slow_path())", want: "userspace(pid=0,slow_path(0))"},
		{in: "userspace(pid=0,userdata(deadbeef00000000))"},
		{in: "userspace(pid=0,controller(reason=1,dont_send=0,continuation=0,recirc_id=1,rule_cookie=0x12,controller_id=0,max_len=65535))"},
		{in: "userspace(pid=9,sFlow(vid=1,pcp=2,output=3))"},
		{in: "userspace(pid=9,flow_sample(probability=123,collector_set_id=1,obs_domain_id=2,obs_point_id=3,output_port=4,ingress))"},
		{in: "userspace(pid=9,ipfix(output_port=10))"},
		{in: "userspace(pid=0,watch(01020304-0506-0708-090a-0b0c0d0e0f10)),2"},
		{in: "userspace(pid=9,slow_path(cfm),actions)"},
		{in: "userspace(pid=9,slow_path(cfm),actions,tunnel_out_port=3)"},
		{in: "push_vlan(vid=12,pcp=0)"}, {in: "push_vlan(vid=12,pcp=3,cfi=0)"},
		{in: "push_vlan(tpid=0x9100,vid=13,pcp=5)"}, {in: "pop_vlan"},
		{in: "set(eth(src=00:01:02:03:04:05/ff:ff:00:00:00:00))"},
		{in: "set(eth(src=00:01:02:03:04:05,dst=00:01:02:03:04:06))"},
		{in: "set(ipv4(src=1.2.3.4,ttl=3))"},
		{in: "set(ipv4(src=1.2.3.4/255.255.0.0,tos=3/0xf))", want: "set(ipv4(src=1.2.3.4/255.255.0.0,tos=0x3/0xf))"},
		{in: "set(ipv6(src=::1,label=3,hlimit=3,tclass=4))", want: "set(ipv6(src=::1,label=0x3,tclass=0x4,hlimit=3))"},
		{in: "set(tcp(src=80))"}, {in: "set(udp(src=80/0xff))"}, {in: "set(sctp(src=80,dst=90))"},
		{in: "set(icmp(type=1))"}, {in: "set(arp(sip=1.2.3.4,op=2))"},
		{in: "set(nd(target=::1,sll=00:11:22:33:44:55))"},
		{in: "set(nd_ext(nd_reserved=0x7,nd_options_type=3))"}, {in: "set(nd_ext(nd_options_type=3))"},
		{in: "set(mpls(label=3,tc=1,ttl=2,bos=0))"},
		{in: "set(skb_priority(3))", want: "set(skb_priority(0x3))"},
		{in: "set(skb_mark(0x5/0xf))"},
		{in: "set(tunnel(tun_id=0x1,src=2.2.2.2,dst=1.1.1.1,tos=1,ttl=64,tp_src=1,tp_dst=2,flags(df|csum|key)))",
			want: "set(tunnel(tun_id=0x1,src=2.2.2.2,dst=1.1.1.1,tos=0x1,ttl=64,tp_src=1,tp_dst=2,flags(df|csum|key)))"},
		{in: "set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,erspan(ver=1,idx=0x7),flags(df|key)))"},
		{in: "set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,erspan(ver=2,dir=1,hwid=0x1),flags(df|key)))"},
		{in: "set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,gtpu(flags=0x30,msgtype=0),flags(df|key)))"},
		{in: "set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,gtpu(flags=0,msgtype=4),flags(df|key)))"},
		{in: "recirc(1)", want: "recirc(0x1)"}, {in: "hash(l4(0))"}, {in: "hash(sym_l4(3))"},
		{in: "trunc(100),3"}, {in: "sample(sample=10.0%,actions(1))"},
		{in: "sample(sample=0%,actions(2))", want: "sample(sample=0.0%,actions(2))"},
		{in: "clone(1,pop_vlan,2)"}, {in: "meter(3)"},
		{in: "push_mpls(label=3,tc=1,ttl=64,bos=1,eth_type=0x8847)"}, {in: "pop_mpls(eth_type=0x800)"},
		{in: "ct"}, {in: "ct(commit)"}, {in: "ct(commit,timeout=x)"}, {in: "ct_clear"},
		{in: "ct(commit,zone=5,mark=0x1/0x1,label=0x1/0x1,nat(src=1.2.3.4-1.2.3.5:1-3,random))"},
		{in: "ct(force_commit,nat,helper=ftp)", want: "ct(force_commit,helper=ftp,nat)"},
		{in: "ct(commit,nat(dst=[fe80::1]-[fe80::2]:80))"},
		{in: "check_pkt_len(size=200,gt(drop),le(2,3))"},
		{in: "push_eth(src=00:01:02:03:04:05,dst=00:01:02:03:04:06)"}, {in: "pop_eth"},
		{in: "lb_output(1)"}, {in: "add_mpls(label=200,tc=7,ttl=64,bos=1,eth_type=0x8847)"}, {in: "tnl_pop(4)"},
	} {
		want := tc.want
		if want == "" {
			want = tc.in
		}
		actions, err := ParseActions(tc.in, nil)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got := FormatActions(actions, nil); got != want {
			t.Errorf("%s: printed %s", tc.in, got)
		}
	}
	for _, bad := range []string{"blah", "push_vlan(vid=4", "push_vlan(vid=5000)", "1)", "set(foo(a=1))", "set(eth(x=1))",
		"trunc(3)", "hash(x(1))", "clone(blah)", "userspace(pid=x)", "userspace(pid=0,slow_path(arp))", "ct(nat(src=x))"} {
		if a, err := ParseActions(bad, nil); err == nil {
			t.Errorf("%s: accepted as %s", bad, FormatActions(a, nil))
		}
	}
}

func TestKeyText(t *testing.T) {
	const in = "recirc_id(0),in_port(1),packet_type(ns=0,id=0),"
	for _, tc := range []struct{ in, want, verbose string }{
		{in: "recirc_id(0),in_port(1),eth(src=00:01:02:03:04:05,dst=50:54:00:00:00:01),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(syn)",
			verbose: "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),in_port(1),packet_type(ns=0/0,id=0/0),eth(src=00:01:02:03:04:05,dst=50:54:00:00:00:01),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(syn)"},
		{in: "recirc_id(0),in_port(1),eth(),eth_type(0x86dd),ipv6(src=::1,dst=fe80::/ffff::,label=0x1,proto=58,tclass=0/3,hlimit=1,frag=no),icmpv6(type=135,code=0),nd(target=::1,sll=00:00:00:00:00:01)",
			want:    "recirc_id(0),in_port(1),eth(),eth_type(0x86dd),ipv6(src=::1,dst=fe80::/ffff::,label=0x1,proto=58,tclass=0/0x3,hlimit=1,frag=no),icmpv6(type=135,code=0),nd(target=::1,sll=00:00:00:00:00:01)",
			verbose: "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),in_port(1),packet_type(ns=0/0,id=0/0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x86dd),ipv6(src=::1,dst=fe80::/ffff::,label=0x1,proto=58,tclass=0/0x3,hlimit=1,frag=no),icmpv6(type=135,code=0),nd(target=::1,sll=00:00:00:00:00:01,tll=00:00:00:00:00:00/00:00:00:00:00:00)"},
		{in: "recirc_id(0),in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x0806),arp(sip=1.1.1.1,tip=2.2.2.2,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:02))"},
		{in: in + "eth_type(0x8100),vlan(vid=0/0,pcp=0/0),encap(eth_type(0x0800),ipv4(frag=later))",
			want: in + "eth_type(0x8100),vlan(),encap(eth_type(0x0800),ipv4(frag=later))"},
		{in: in + "eth_type(0x8100),vlan(vid=5/0xff,pcp=1/0x2),encap(eth_type(0x1234))"},
		{in: in + "eth_type(0x8100),vlan(pcp=2),encap(eth_type(0x1234/0))", want: in + "eth_type(0x8100),vlan(pcp=2),encap()"},
		{in: in + "eth_type(0x88a8),vlan(vid=5,pcp=1),encap(eth_type(0x8100),vlan(vid=3,pcp=2),encap(eth_type(0x0800),ipv4(frag=no)))"},
		{in: in + "eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=1)"},
		{in: in + "eth_type(0x8847),mpls(label=3/0,tc=1/0,ttl=0/0,bos=1)", want: in + "eth_type(0x8847),mpls(label=3/0x0,tc=1/0,ttl=0/0x0,bos=1/1)"},
		{in: in + "eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=0,label=4,tc=1,ttl=64,bos=1)"},
		{in: "skb_priority(1),skb_mark(5/0xff),ct_state(+new-est),ct_zone(3),ct_mark(0x1/0x3),ct_label(0x1/0x3),recirc_id(2),dp_hash(3/7),in_port(2),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(proto=1,frag=no),icmp(type=8,code=0)",
			want:    "skb_priority(0x1),skb_mark(0x5/0xff),ct_state(+new-est),ct_zone(0x3),ct_mark(0x1/0x3),ct_label(0x1/0x3),recirc_id(0x2),dp_hash(0x3/0x7),in_port(2),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(proto=1,frag=no),icmp(type=8,code=0)",
			verbose: "skb_priority(0x1),skb_mark(0x5/0xff),ct_state(0x1/0x3),ct_zone(0x3),ct_mark(0x1/0x3),ct_label(0x1/0x3),recirc_id(0x2),dp_hash(0x3/0x7),in_port(2),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=1,tos=0/0,ttl=0/0,frag=no),icmp(type=8,code=0)"},
		{in: "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(-df-csum+key))," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: "tunnel(tun_id=0x5/0xff,ipv6_src=::1,ipv6_dst=::2,ttl=64,vxlan(gbp(id=3,flags=0x8)),flags(key))," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: "tunnel(tun_id=0x3,src=1.1.1.1,dst=2.2.2.2,ttl=64,gtpu(flags=0x30/0xf0,msgtype=255/0x7f),flags(df|key))," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,erspan(ver=1,idx=0x7/0xf),flags(-df-csum+key))," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,erspan(ver=2,dir=1,hwid=0x7),flags(-df-csum+key))," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: "ct_tuple4(src=1.1.1.1,dst=2.2.2.2,proto=6,tp_src=1,tp_dst=2)," + in + "eth_type(0x0800),ipv4(frag=no)"},
		{in: in + "eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=1/0xff00),tcp_flags(+syn-ack)"},
		{in: in + "eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=0),tcp_flags(0x812)",
			want: in + "eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=0),tcp_flags(syn|ack|[800])"},
		{in: in + "eth(src=00:00:00:00:00:01),eth_type(0/0xffff)"},
		{in: "recirc_id(0),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),ipv4(frag=no)"},
	} {
		want := tc.want
		if want == "" {
			want = tc.in
		}
		k, m, err := ParseKey(tc.in, nil)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got := FormatKey(k, m, false, nil); got != want {
			t.Errorf("printed\n%s, want\n%s", got, want)
		}
		if got := FormatKey(k, m, true, nil); tc.verbose != "" && got != tc.verbose {
			t.Errorf("verbose printed\n%s, want\n%s", got, tc.verbose)
		}
	}
}

func TestKeyErrors(t *testing.T) {
	for in, want := range map[string]string{
		"in_port(1),eth(),eth_type(0x1234)x": "syntax error at x",
		"foo(1)":                             "syntax error at foo(1)",
		"tunnel(erspan(idx=0x7))":            "syntax error at tunnel(erspan(idx=0x7))",
		"tunnel(erspan(ver=2,idx=0x7))":      "syntax error at tunnel(erspan(ver=2,idx=0x7))",
		"tunnel(erspan(ver=3))":              "syntax error at tunnel(erspan(ver=3))",
		"in_port(1":                          "syntax error at in_port(1",
		"eth_type(0x800),ipv4(src=1)":        "syntax error at ipv4(src=1)",
	} {
		if _, _, err := ParseKey(in, nil); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", in, err, want)
		}
	}
}

func TestStatsText(t *testing.T) {
	now := time.Unix(100, 0)
	s := Stats{Packets: 2, Bytes: 120, Used: now.Add(-1500 * time.Millisecond), TCPFlags: 0x12}
	if got, want := FormatStats(&s, now), "packets:2, bytes:120, used:1.500s, flags:S."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("recirc_id(0),in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x0800),ipv4(frag=no))")
	f.Add("tunnel(tun_id=0x5,flags(-df+key)),eth_type(0x86dd),nd(target=::1)")
	f.Fuzz(func(t *testing.T, s string) {
		k, m, err := ParseKey(s, nil)
		if err != nil {
			return
		}
		text := FormatKey(k, m, true, nil)
		if _, _, err := ParseKey(text, nil); err != nil && !strings.Contains(text, "packet_type") {
			t.Errorf("%q printed %q, which doesn't parse: %v", s, text, err)
		}
	})
}

func FuzzParseActions(f *testing.F) {
	f.Add("1,push_vlan(vid=1,pcp=2),sample(sample=3%,actions(2)),ct(commit,nat(src=1.2.3.4))")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseActions(s, nil)
		if err != nil {
			return
		}
		text := FormatActions(a, nil)
		if _, err := ParseActions(text, nil); err != nil {
			t.Errorf("%q printed %q, which doesn't parse: %v", s, text, err)
		}
	})
}

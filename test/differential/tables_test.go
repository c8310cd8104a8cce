package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// tables makes random flows in the text of ovs-ofctl.
type tables struct {
	*rand.Rand
	priorities []int // each once, so that it is certain which flow a packet meets
}

func newTables(rng *rand.Rand) *tables { return &tables{rng, rng.Perm(1000)} }

const numTables = 3

func (g *tables) one(n int) bool { return g.IntN(n) == 0 }

func (g *tables) ip4() string {
	v := pick(g.Rand, ip4s)
	return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255)
}

func (g *tables) ip6() string {
	return pick(g.Rand, []string{"fe80::1", "fe80::2", "2001:db8::1", "2001:db8:0:1::9", "ff02::1", "fd00:1:2:3:4:5:6:7"})
}

func (g *tables) mac() string { return pick(g.Rand, macs).String() }

func (g *tables) port() uint16 { return pick(g.Rand, ports) }

// kind is a kind of packet, by the match of its flows.
type kind struct {
	match   string
	matches []func(g *tables) string // more fields
	actions []func(g *tables) string
}

// lit is one text of several.
func lit(texts ...string) func(*tables) string {
	return func(g *tables) string { return pick(g.Rand, texts) }
}

var (
	ipv4Match = []func(*tables) string{
		func(g *tables) string { return "nw_src=" + g.ip4() + pick(g.Rand, []string{"", "/24", "/8"}) },
		func(g *tables) string { return "nw_dst=" + g.ip4() + pick(g.Rand, []string{"", "/16"}) },
		lit("nw_tos=0", "nw_tos=184", "nw_ecn=1", "nw_ecn=3", "nw_ttl=1", "nw_ttl=64"),
		lit("ip_frag=no", "ip_frag=first", "ip_frag=later", "ip_frag=not_later", "ip_frag=yes"),
	}
	ipv6Match = []func(*tables) string{
		func(g *tables) string { return "ipv6_src=" + g.ip6() + pick(g.Rand, []string{"", "/64", "/10"}) },
		func(g *tables) string { return "ipv6_dst=" + g.ip6() },
		lit("ipv6_label=0", "ipv6_label=1", "ipv6_label=0/0x1", "nw_tos=184", "nw_ecn=2", "nw_ttl=1"),
		lit("ip_frag=no", "ip_frag=first", "ip_frag=later"),
	}
	ports4 = []func(*tables) string{
		func(g *tables) string { return fmt.Sprintf("tp_src=%d", g.port()) },
		func(g *tables) string { return fmt.Sprintf("tp_dst=%d", g.port()) },
		lit("tp_dst=0x40/0xffc0", "tp_src=0/0x8000"),
	}
	setIP = []func(*tables) string{
		lit("dec_ttl", "dec_ttl", "mod_nw_tos:184", "mod_nw_tos:0", "mod_nw_ecn:2", "mod_nw_ttl:7", "mod_nw_ttl:255", "move:NXM_NX_IP_TTL[]->NXM_NX_REG1[0..7]"),
	}
	setIP4 = append([]func(*tables) string{
		func(g *tables) string { return "mod_nw_src:" + g.ip4() },
		func(g *tables) string { return "mod_nw_dst:" + g.ip4() },
		lit("set_field:10.9.0.0/255.255.0.0->ip_src", "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]", "push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[]"),
	}, setIP...)
	setIP6 = append([]func(*tables) string{
		func(g *tables) string { return "set_field:" + g.ip6() + "->ipv6_src" },
		func(g *tables) string { return "set_field:" + g.ip6() + "->ipv6_dst" },
		lit("set_field:0x54321->ipv6_label", "set_field:::77/::ff->ipv6_dst", "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]"),
	}, setIP...)
	setPorts = []func(*tables) string{
		func(g *tables) string { return fmt.Sprintf("mod_tp_src:%d", g.port()) },
		func(g *tables) string { return fmt.Sprintf("mod_tp_dst:%d", g.port()) },
	}
)

func setARP(g *tables) string {
	return pick(g.Rand, []string{"set_field:2->arp_op", "set_field:" + g.ip4() + "->arp_spa", "set_field:" + g.ip4() + "->arp_tpa",
		"set_field:" + g.mac() + "->arp_sha", "set_field:" + g.mac() + "->arp_tha", "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]"})
}

func setND(g *tables) string {
	return pick(g.Rand, []string{"set_field:" + g.ip6() + "->nd_target", "set_field:" + g.mac() + "->nd_sll"})
}

func join[T any](lists ...[]T) (all []T) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var kinds = []kind{
	{"", nil, nil},
	{"", nil, nil},
	{"ip", ipv4Match, setIP4},
	{"tcp", join(ipv4Match, ports4, []func(*tables) string{lit("tcp_flags=+syn-ack", "tcp_flags=+fin", "tcp_flags=0x10/0x12")}), join(setIP4, setPorts)},
	{"udp", join(ipv4Match, ports4), join(setIP4, setPorts)},
	{"sctp", join(ipv4Match, ports4), join(setIP4, setPorts)},
	{"icmp", join(ipv4Match, []func(*tables) string{lit("icmp_type=8", "icmp_code=0", "icmp_type=3")}), join(setIP4, []func(*tables) string{lit("set_field:5->icmp_type", "set_field:1->icmp_code")})},
	{"ipv6", ipv6Match, setIP6},
	{"tcp6", join(ipv6Match, ports4), join(setIP6, setPorts)},
	{"udp6", join(ipv6Match, ports4), join(setIP6, setPorts)},
	{"sctp6", join(ipv6Match, ports4), join(setIP6, setPorts)},
	{"icmp6", join(ipv6Match, []func(*tables) string{lit("icmp_type=128", "icmp_code=0")}), join(setIP6, []func(*tables) string{lit("set_field:130->icmpv6_type", "set_field:1->icmpv6_code")})},
	{"icmp6,icmp_type=135,icmp_code=0", []func(*tables) string{lit("nd_target=fe80::1", "nd_sll=02:00:00:00:00:01")}, join(setIP6, []func(*tables) string{setND, setND})},
	{"icmp6,icmp_type=136,icmp_code=0", []func(*tables) string{lit("nd_target=fe80::2", "nd_tll=02:00:00:00:00:01")},
		join(setIP6, []func(*tables) string{func(g *tables) string { return "set_field:" + g.mac() + "->nd_tll" }, func(g *tables) string { return "set_field:" + g.ip6() + "->nd_target" }})},
	{"arp", []func(*tables) string{lit("arp_op=1", "arp_spa=10.0.0.1", "arp_tpa=10.0.0.0/16", "arp_sha=02:00:00:00:00:01")}, []func(*tables) string{setARP, setARP}},
	{"mpls", []func(*tables) string{lit("mpls_label=16", "mpls_tc=0", "mpls_bos=1", "mpls_ttl=1")},
		[]func(*tables) string{lit("set_mpls_label:1000", "set_mpls_tc:3", "set_mpls_ttl:9", "dec_mpls_ttl", "dec_mpls_ttl", "move:OXM_OF_MPLS_LABEL[]->NXM_NX_REG0[0..19]")}},
	{"mpls,mpls_bos=1", nil, []func(*tables) string{lit("pop_mpls:0x0800,dec_ttl", "pop_mpls:0x86dd", "pop_mpls:0x0800,mod_nw_src:10.7.7.7,resubmit(,1)", "pop_mpls:0x1234")}},
	{"mplsm", nil, []func(*tables) string{lit("pop_mpls:0x8847", "dec_mpls_ttl", "set_mpls_label:5")}},
	{"dl_type=0x894f", []func(*tables) string{lit("nsh_spi=0x1234", "nsh_si=255")},
		[]func(*tables) string{lit("set_field:0x77->nsh_spi", "set_field:7->nsh_si", "set_field:1->nsh_c1", "dec_nsh_ttl")}},
}

// general are actions on any packet.
var general = []func(*tables) string{
	func(g *tables) string { return "mod_dl_src:" + g.mac() },
	func(g *tables) string { return "mod_dl_dst:" + g.mac() },
	func(g *tables) string { return fmt.Sprintf("mod_vlan_vid:%d", pick(g.Rand, vids)) },
	func(g *tables) string { return fmt.Sprintf("mod_vlan_pcp:%d", g.IntN(8)) },
	lit("strip_vlan", "strip_vlan", "push_vlan:0x8100,set_field:4102->vlan_vid", "push_vlan:0x88a8,set_field:4196->vlan_vid", "push_vlan:0x8100"),
	lit("set_field:0x7->reg0", "set_field:0x5->metadata", "load:0x3->NXM_NX_REG1[]", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
		"set_field:0x12->pkt_mark", "push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[]"),
	lit("debug_recirc", "check_pkt_larger(700)->NXM_NX_REG0[0]", "check_pkt_larger(1300)->NXM_NX_REG2[0]", "set_queue:1", "pop_queue", "note:01.02"),
	lit("push_mpls:0x8847,set_mpls_label:77", "push_mpls:0x8848", "push_mpls:0x8847,push_mpls:0x8847"),
	lit("sample(probability=65535,collector_set_id=1,obs_domain_id=0,obs_point_id=0)", "sample(probability=32768,collector_set_id=1)"),
}

// out is an action that ends or copies.
func (g *tables) out(table int) string {
	switch g.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		return fmt.Sprintf("output:%d", 1+g.IntN(numPorts))
	case 6:
		return pick(g.Rand, []string{"flood", "all", "in_port", "normal", "normal", "output:9"})
	case 7:
		return fmt.Sprintf("output(port=%d,max_len=%d)", 1+g.IntN(numPorts), pick(g.Rand, []int{14, 60, 64, 200, 1400, 65535}))
	case 8:
		return fmt.Sprintf("group:%d", 1+g.IntN(5))
	case 9:
		return "output:9"
	case 10:
		return "clone(" + g.sequence(table, kind{}, 2) + "," + fmt.Sprintf("output:%d", 1+g.IntN(numPorts)) + ")"
	case 11:
		return "output:NXM_NX_REG0[0..15]"
	case 12:
		return pick(g.Rand, []string{"bundle(eth_src,0,hrw,ofport,members:1,2,3)", "multipath(symmetric_l4,1024,modulo_n,4,0,NXM_NX_REG0[0..2])"})
	case 13:
		return pick(g.Rand, []string{"write_actions(output:3,mod_dl_src:02:00:00:00:00:44)", "output:7", "controller(max_len=64)"})
	}
	if table+1 >= numTables || g.one(3) {
		return fmt.Sprintf("output:%d", 1+g.IntN(numPorts))
	}
	return fmt.Sprintf("resubmit(,%d)", table+1+g.IntN(numTables-table-1))
}

// sequence is a few actions for a kind of packet.
func (g *tables) sequence(table int, k kind, n int) string {
	var list []string
	for range n {
		a := pick(g.Rand, general)
		if len(k.actions) > 0 && !g.one(3) {
			a = pick(g.Rand, k.actions)
		}
		// What changes the type of packets ends what their kind allows.
		text := a(g)
		list = append(list, text)
		if strings.Contains(text, "mpls:") {
			break
		}
	}
	if len(list) == 0 {
		list = append(list, "note:00")
	}
	return strings.Join(list, ",")
}

// flow is one flow of a table.
func (g *tables) flow(table int) string {
	k := pick(g.Rand, kinds)
	match := []string{fmt.Sprintf("table=%d,priority=%d", table, 1+g.priorities[0])}
	g.priorities = g.priorities[1:]
	if k.match != "" {
		match = append(match, k.match)
	}
	if g.one(3) {
		match = append(match, fmt.Sprintf("in_port=%d", 1+g.IntN(numPorts)))
	}
	if g.one(4) {
		match = append(match, pick(g.Rand, []string{"vlan_tci=0/0x1000", "dl_vlan=5", "dl_vlan=6", "vlan_tci=0x1000/0x1000", "dl_vlan_pcp=3"}))
	}
	if g.one(4) {
		match = append(match, pick(g.Rand, []string{"dl_src=" + g.mac(), "dl_dst=" + g.mac(), "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"}))
	}
	if table > 0 && g.one(4) {
		match = append(match, pick(g.Rand, []string{"reg0=7", "reg0=0/0x1", "metadata=5", "reg2=1"}))
	}
	if len(k.matches) > 0 && !g.one(3) {
		match = append(match, pick(g.Rand, k.matches)(g))
	}
	var actions []string
	if g.one(12) {
		actions = append(actions, fmt.Sprintf("meter:%d", 1+g.IntN(2)))
	}
	for range 1 + g.IntN(3) {
		if n := g.IntN(4); n > 0 {
			text := g.sequence(table, k, n)
			actions = append(actions, text)
			if strings.Contains(text, "mpls:") {
				k.actions = nil
			}
		}
		actions = append(actions, g.out(table))
		if strings.HasPrefix(actions[len(actions)-1], "write_actions") {
			break
		}
	}
	return strings.Join(match, ",") + ",actions=" + strings.Join(actions, ",")
}

// flows are those of all tables.
func (g *tables) flows() (list []string) {
	for table := range numTables {
		list = append(list, fmt.Sprintf("table=%d,priority=0,actions=%s", table, g.out(table)))
		for range 6 + g.IntN(10) {
			list = append(list, g.flow(table))
		}
	}
	return list
}

// groups are groups 1 to 5. Select groups that hash by themselves choose alike on
// both sides; the default method's choice is the data path's.
func (g *tables) groups() []string {
	bucket := func() string {
		return fmt.Sprintf("bucket=actions=%s,output:%d", g.sequence(numTables, kind{}, 1+g.IntN(2)), 1+g.IntN(numPorts))
	}
	buckets := func(n int) (s string) {
		for range n {
			s += "," + bucket()
		}
		return s
	}
	return []string{
		"group_id=1,type=all" + buckets(2),
		"group_id=2,type=indirect" + buckets(1),
		"group_id=3,type=select,selection_method=hash,fields(eth_src,eth_dst)" + buckets(3),
		"group_id=4,type=select,selection_method=dp_hash" + buckets(2),
		fmt.Sprintf("group_id=5,type=ff,bucket=watch_port:%d,actions=output:%d,bucket=watch_port:2,actions=output:2", 1+g.IntN(4), 1+g.IntN(4)),
	}
}

package xlate

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// The pools are small, so that random rules and packets meet often.
var (
	lawMACs  = []string{"50:00:00:00:00:01", "50:00:00:00:00:02", "50:00:00:00:00:03", "01:80:c2:00:00:00", "ff:ff:ff:ff:ff:ff"}
	lawIPs   = []string{"10.0.0.1", "10.0.0.2", "10.1.0.1", "192.168.7.7"}
	lawPorts = []int{22, 80, 8080}

	lawMatches = []string{
		"", "in_port=1", "in_port=2", "dl_src=50:00:00:00:00:01", "dl_dst=50:00:00:00:00:02", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
		"dl_vlan=5", "dl_vlan=10", "vlan_tci=0x0000/0x1fff", "dl_vlan_pcp=3", "ip", "arp", "arp,arp_op=1", "arp,arp_tpa=10.0.0.0/8", "ipv6", "ip,nw_src=10.0.0.0/8",
		"ip,nw_dst=10.0.0.1", "ip,nw_dst=10.0.0.0/16", "ip,nw_src=10.0.0.0/255.0.0.255", "ip,nw_tos=32", "ip,nw_ttl=1", "tcp", "tcp,tp_dst=80", "tcp,tp_dst=0x50/0xfff0",
		"udp,tp_src=22", "icmp,icmp_type=8", "ip,nw_frag=later", "reg0=0x1", "reg0=0x10/0xf0", "metadata=0x7", "tcp,reg1=0x50", "ip,in_port=3,nw_proto=6", "mpls", "mpls,mpls_label=7", "mpls,mpls_ttl=1", "mpls,mpls_bos=0", "dl_type=0x894f", "dl_type=0x894f,nsh_spi=0x1234", "dl_type=0x894f,nsh_si=4", "packet_type=(1,0x800)", "packet_type=(1,0x894f),nsh_np=3",
	}
	lawActions = []string{
		"drop", "output:1", "output:2", "output:3,output:4", "NORMAL", "FLOOD", "in_port", "CONTROLLER:128", "resubmit(,1)", "resubmit(,2)", "resubmit(2,1),output:4",
		"goto_table:2", "mod_vlan_vid:5,output:2", "strip_vlan,output:2", "push_vlan:0x8100,mod_vlan_vid:10,NORMAL", "mod_dl_dst:50:00:00:00:00:02,NORMAL",
		"mod_nw_dst:10.0.0.2,resubmit(,2)", "mod_tp_dst:8080,output:3", "dec_ttl,output:2", "load:0x1->NXM_NX_REG0[],resubmit(,1)",
		"move:NXM_OF_IP_SRC[0..15]->NXM_NX_REG0[0..15],resubmit(,2)", "move:NXM_OF_TCP_DST[]->NXM_NX_REG1[0..15],resubmit(,1)", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],output:1",
		"write_metadata:0x7,goto_table:1", "clone(mod_dl_src:50:00:00:00:00:03,output:1),output:2", "push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],output:4",
		"encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,encap(ethernet),set_field:50:00:00:00:00:02->eth_dst,output:2,resubmit(,1)",
		"decap(),resubmit(,1)", "decap(),encap(ethernet),NORMAL", "clone(decap(),encap(nsh),encap(ethernet),output:2),output:3", "dec_nsh_ttl,output:2", "decap(),decap(),resubmit(,2)",
		"encap(mpls),set_field:7->mpls_label,encap(ethernet),output:2,resubmit(,2)", "clone(resubmit(,1)),output:4", "push_mpls:0x8847,set_field:9->mpls_label,output:1", "dec_mpls_ttl,resubmit(,1)",
		"pop_mpls:0x0800,resubmit(,1)", "set_field:4->nsh_si,output:1", "move:NXM_NX_REG0[0..7]->OXM_OF_MPLS_LABEL[0..7],output:2", "write_actions(set_field:50:00:00:00:00:01->eth_src,output:2,decap()),goto_table:2",
		"check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,1)", "debug_slow,resubmit(,2)", "multipath(symmetric_l4,1,modulo_n,2,0,NXM_NX_REG1[]),resubmit(,1)", "sample(probability=65535,collector_set_id=1),output:1",
		"ct(table=1,zone=4)", "ct(commit,zone=NXM_NX_REG0[0..15],exec(set_field:3->ct_mark)),resubmit(,2)", "ct_clear,output:1", "ct(commit,nat(src=10.9.0.1)),output:2", "meter:1,output:3", "output(port=2,max_len=64),output:3",
		"write_actions(output:3),goto_table:2", "output:NXM_NX_REG0[0..3]", "set_field:0x20->ip_dscp,output:2", "mod_nw_tos:64,resubmit(,1)",
	}
)

// lawConfig is a configuration whose data path can do everything.
func lawConfig() *Config {
	cfg := newConfig()
	cfg.Features = datapath.Features{MaxVLANs: 2, MaxMPLSLabels: 3, Recirc: true, Clone: true, Trunc: true, SampleNesting: 10,
		CTState: true, CTZone: true, CTMark: true, CTLabel: true, CTNAT: true, MaskedSet: true, CheckPktLen: true, AddMPLS: true}
	return cfg
}

func drawKey(t *rapid.T, label string) *flow.Key {
	pick := func(what string, from []string) string { return rapid.SampledFrom(from).Draw(t, label+what) }
	number := func(what string, from ...int) int { return rapid.SampledFrom(from).Draw(t, label+what) }
	s := fmt.Sprintf("in_port=%d,dl_src=%s,dl_dst=%s", number("in", 1, 2, 3, 4), pick("src", lawMACs[:3]), pick("dst", lawMACs))
	if vid := number("vid", 0, 5, 10); vid != 0 {
		s += fmt.Sprintf(",dl_vlan=%d,dl_vlan_pcp=%d", vid, number("pcp", 0, 3))
	}
	ip := fmt.Sprintf(",nw_src=%s,nw_dst=%s,nw_tos=%d,nw_ttl=%d", pick("nw_src", lawIPs), pick("nw_dst", lawIPs), number("tos", 0, 32), number("ttl", 1, 2, 64))
	ports := fmt.Sprintf(",tp_src=%d,tp_dst=%d", number("tp_src", lawPorts...), number("tp_dst", lawPorts...))
	switch number("kind", 0, 1, 2, 3, 4, 5, 6, 7, 8) {
	case 0:
		s += ",tcp" + ip + ports
	case 1:
		s += ",udp" + ip + ports
	case 2:
		s += ",icmp" + ip + fmt.Sprintf(",icmp_type=%d", number("icmp", 0, 8))
	case 3:
		s += fmt.Sprintf(",arp,arp_op=%d,arp_spa=%s,arp_tpa=%s", number("op", 1, 2), pick("spa", lawIPs), pick("tpa", lawIPs))
	case 4:
		s += ",ipv6,nw_proto=59,nw_ttl=64,ipv6_src=fe80::1,ipv6_dst=fe80::2"
	case 5:
		s += ",ip,nw_proto=6,nw_frag=later" + ip
	case 6:
		s += fmt.Sprintf(",mpls,mpls_label=%d,mpls_ttl=%d,mpls_bos=%d", number("label", 7, 9), number("mpls_ttl", 1, 64), number("bos", 0, 1))
	case 7:
		s += fmt.Sprintf(",dl_type=0x894f,nsh_mdtype=1,nsh_ttl=%d,nsh_np=%d,nsh_spi=%#x,nsh_si=%d", number("nsh_ttl", 1, 9), number("np", 1, 3, 4), number("spi", 1, 0x1234), number("si", 4, 255))
	default:
		s += ",dl_type=0x1234"
	}
	k, err := flow.ParseKey(s, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return k
}

// blend is a key that agrees with a under mask and elsewhere, as far as there
// are such packets, with b.
func blend(a, b *flow.Key, mask *flow.Mask) *flow.Key {
	k := *a
	for i := flow.FirstDatapathWord; i < flow.NumWords; i++ {
		m := mask.Words()[i]
		k.Words()[i] = a.Words()[i]&m | b.Words()[i]&^m
	}
	// No packet has bits of an absent tag, ICMP types above 255, ports in a later
	// fragment, or a label stack entry that is all zero (markLabels).
	if isMPLS(k.L3Type()) && k.MPLS[0] == 0 {
		const ttl = 64
		k.MPLS[0] = ttl &^ mask.MPLS[0]
	}
	for i := range k.VLANs {
		if k.VLANs[i].TCI&flow.VLANPresent == 0 {
			k.VLANs[i] = flow.VLAN{}
		}
	}
	if isICMP(&k) {
		k.TpSrc, k.TpDst = k.TpSrc&0xff, k.TpDst&0xff
	}
	if k.NwFrag&flow.FragLater != 0 {
		k.TpSrc, k.TpDst, k.TCPFlags = 0, 0, 0
	}
	return &k
}

// drawMirrors gives the bridge mirrors, perhaps.
func drawMirrors(t *rapid.T, b *Bridge) bool {
	for i := range rapid.IntRange(0, 2).Draw(t, "mirrors") {
		m := &Mirror{OutVLAN: 10, Stats: new(MirrorStats), Same: 1 << i}
		if rapid.Bool().Draw(t, "SPAN") {
			m.Out = b.Ports[openflow.PortNo(rapid.IntRange(3, 4).Draw(t, "mirror out"))].Bundle
			m.Out.MirrorOut = true
		}
		if rapid.Bool().Draw(t, "select VLAN") {
			m.VLANs = NewVLANSet([]uint16{5})
		}
		if text := rapid.SampledFrom(lawMatches).Draw(t, "filter"); text != "" {
			m.Filter, _ = flow.ParseMatch(text, nil)
		}
		m.Snaplen = uint32(rapid.SampledFrom([]int{0, 100}).Draw(t, "snaplen"))
		b.Mirrors = append(b.Mirrors, m)
		for _, bu := range b.Bundles {
			if rapid.Bool().Draw(t, "mirror src") {
				bu.MirrorSrc |= 1 << i
			}
			if rapid.Bool().Draw(t, "mirror dst") {
				bu.MirrorDst |= 1 << i
			}
		}
	}
	return len(b.Mirrors) > 0
}

// Any packet that matches the mask of a translation translates to the same
// actions: what a megaflow stands on.
func TestMegaflowLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := lawConfig()
		b := newBridge(cfg, "br0", 1, 4)
		for _, no := range []openflow.PortNo{3, 4} {
			b.Ports[no].Bundle.VLAN, b.Ports[no].Bundle.VLANMode = 5, VLANAccess
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
			text := fmt.Sprintf("table=%d,priority=%d,%s,actions=%s", rapid.IntRange(0, 2).Draw(t, "table"), i,
				rapid.SampledFrom(lawMatches).Draw(t, "match"), rapid.SampledFrom(lawActions).Draw(t, "actions"))
			fm, _, err := openflow.ParseFlowMod(text, int(openflow.FlowAdd), openflow.ParseOptions{})
			if err != nil {
				continue // not every action fits every match
			}
			if _, err := b.Pipeline.FlowMod(fm, t0); err != nil {
				continue
			}
		}
		mirrored := drawMirrors(t, b)
		x := NewTranslator()
		translate := func(k *flow.Key, learn bool) (string, flow.Mask) {
			key := *k
			r := x.Translate(&Input{Config: cfg, Bridge: b, Key: &key, Now: t0, Learn: learn})
			for _, id := range r.Recircs {
				cfg.Recircs.Ref(id) // as the megaflow's record does
			}
			return fmt.Sprint(datapath.FormatActions(r.Actions, nil), " slow ", r.Slow), r.Mask
		}
		for range 3 {
			translate(drawKey(t, "learned "), true)
		}
		for range 8 {
			first := drawKey(t, "first ")
			want, mask := translate(first, false)
			mask.InPort, mask.RecircID = ^uint32(0), ^uint32(0)
			if mirrored && mask.VLANs[0].TCI == 0 {
				mask.VLANs[0].TCI = 0xffff // as a data path's flow is with a tag or without
			}
			other := blend(first, drawKey(t, "other "), &mask)
			if got, _ := translate(other, false); got != want {
				t.Fatalf("both match the megaflow %s\n%s: %s\n%s: %s",
					(&flow.Match{Key: *first, Mask: mask}).String(), first, want, other, got)
			}
		}
	})
}

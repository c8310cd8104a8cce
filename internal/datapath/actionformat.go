package datapath

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// FormatActions prints actions as `ovs-dpctl dump-flows` and `ofproto/trace`
// do; an empty list is "drop".
func FormatActions(actions []Action, names *Namer) string {
	return string(AppendActions(nil, actions, names))
}

// AppendActions is [FormatActions] into b.
func AppendActions(b []byte, actions []Action, names *Namer) []byte {
	if len(actions) == 0 {
		return append(b, "drop"...)
	}
	for i, a := range actions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAction(b, a, names)
	}
	return b
}

func appendAction(b []byte, a Action, names *Namer) []byte {
	switch a := a.(type) {
	case *Output:
		return names.append(b, a.Port)
	case *Userspace:
		return appendUserspace(b, a, names)
	case *PushVLAN:
		return appendPushVLAN(b, a)
	case *PopVLAN:
		return append(b, "pop_vlan"...)
	case *PushMPLS:
		return appendPushMPLS(b, "push_mpls", a.LSE, a.EthType)
	case *AddMPLS:
		return appendPushMPLS(b, "add_mpls", a.LSE, a.EthType)
	case *PopMPLS:
		return fmt.Appendf(b, "pop_mpls(eth_type=0x%x)", a.EthType)
	case *PushEthernet:
		return fmt.Appendf(b, "push_eth(src=%v,dst=%v)", a.Src, a.Dst)
	case *PopEthernet:
		return append(b, "pop_eth"...)
	case *PushNSH:
		return appendPushNSH(b, a)
	case *PopNSH:
		return append(b, "pop_nsh()"...)
	case *Recirc:
		return append(hexNum(append(b, "recirc("...), uint64(a.ID)), ')')
	case *Hash:
		return appendHash(b, a)
	case *Trunc:
		return fmt.Appendf(b, "trunc(%d)", a.MaxLen)
	case *Meter:
		return fmt.Appendf(b, "meter(%d)", a.ID)
	case *LBOutput:
		return fmt.Appendf(b, "lb_output(%d)", a.BondID)
	case *TunnelPush:
		return appendTunnelPush(b, a, names)
	case *TunnelPop:
		return append(names.append(append(b, "tnl_pop("...), a.Port), ')')
	case *Sample, *Clone, *CheckPktLen:
		return appendNested(b, a, names)
	case *CT:
		return appendCT(b, a)
	case *CTClear:
		return append(b, "ct_clear"...)
	case *Drop:
		return append(b, "drop"...)
	}
	return appendSet(b, a)
}

// appendNested prints an action that has others in it.
func appendNested(b []byte, a Action, names *Namer) []byte {
	switch a := a.(type) {
	case *Sample:
		b = fmt.Appendf(b, "sample(sample=%.1f%%,actions(", 100*float64(a.Probability)/float64(^uint32(0)))
		return append(AppendActions(b, a.Actions, names), "))"...)
	case *CheckPktLen:
		b = fmt.Appendf(b, "check_pkt_len(size=%d,gt(", a.Size)
		b = AppendActions(b, a.Greater, names)
		return append(AppendActions(append(b, "),le("...), a.LessEqual, names), "))"...)
	case *Clone:
		return append(AppendActions(append(b, "clone("...), a.Actions, names), ')')
	}
	return b
}

func appendPushVLAN(b []byte, a *PushVLAN) []byte {
	b = append(b, "push_vlan("...)
	if a.TPID != ethVLAN {
		b = fmt.Appendf(b, "tpid=0x%04x,", a.TPID)
	}
	b = fmt.Appendf(b, "vid=%d,pcp=%d", a.TCI&0xfff, a.TCI>>13)
	if a.TCI&flow.VLANPresent == 0 {
		b = append(b, ",cfi=0"...)
	}
	return append(b, ')')
}

func appendHash(b []byte, a *Hash) []byte {
	switch a.Alg {
	case HashL4:
		return fmt.Appendf(b, "hash(l4(%d))", a.Basis)
	case HashSymL4:
		return fmt.Appendf(b, "hash(sym_l4(%d))", a.Basis)
	}
	return fmt.Appendf(b, "hash(Unknown hash algorithm(%d))", a.Alg)
}

func appendPushMPLS(b []byte, name string, lse uint32, ethType uint16) []byte {
	return fmt.Appendf(b, "%s(label=%d,tc=%d,ttl=%d,bos=%d,eth_type=0x%x)",
		name, lse>>12, lse>>9&7, lse&0xff, lse>>8&1, ethType)
}

func appendPushNSH(b []byte, a *PushNSH) []byte {
	h := &a.Header
	b = fmt.Appendf(b, "push_nsh(flags=%d,ttl=%d,mdtype=%d,np=%d,spi=%s,si=%d",
		h.Flags, h.TTL, h.MDType, h.NP, hexNum0x(uint64(h.PathHdr>>8)), h.PathHdr&0xff)
	if h.MDType == 1 {
		for i, c := range h.Context {
			b = fmt.Appendf(b, ",c%d=%s", i+1, hexNum0x(uint64(c)))
		}
	} else if a.Metadata != "" {
		b = fmt.Appendf(b, ",md2=0x%x", a.Metadata)
	}
	return append(b, ')')
}

// hexNum0x is a number in hexadecimal, with a prefix even where it is zero.
func hexNum0x(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// appendSet prints a set action with the members that it sets.
func appendSet(b []byte, a Action) []byte {
	w := fieldWriter{}
	switch a := a.(type) {
	case *SetEthernet:
		w.open("eth")
		w.mac("src", a.Src, a.SrcMask)
		w.mac("dst", a.Dst, a.DstMask)
	case *SetIPv4:
		w.open("ipv4")
		w.ipv4("src", a.Src, a.SrcMask)
		w.ipv4("dst", a.Dst, a.DstMask)
		w.hex("tos", uint64(a.TOS), uint64(a.TOSMask), full8)
		w.dec("ttl", uint64(a.TTL), uint64(a.TTLMask), full8)
	case *SetIPv6:
		w.open("ipv6")
		w.ipv6("src", a.Src, a.SrcMask)
		w.ipv6("dst", a.Dst, a.DstMask)
		w.hex("label", uint64(a.Label), uint64(a.LabelMask), 0xfffff)
		w.hex("tclass", uint64(a.TClass), uint64(a.TClassMask), full8)
		w.dec("hlimit", uint64(a.Hlimit), uint64(a.HlimitMask), full8)
	case *SetL4:
		name, src, dst, full := l4Names(a.Proto)
		w.open(name)
		w.dec(src, uint64(a.Src), uint64(a.SrcMask)&full, full)
		w.dec(dst, uint64(a.Dst), uint64(a.DstMask)&full, full)
	case *SetARP:
		w.open("arp")
		w.ipv4("sip", a.SPA, a.SPAMask)
		w.ipv4("tip", a.TPA, a.TPAMask)
		w.dec("op", uint64(a.Op), uint64(a.OpMask), full16)
		w.mac("sha", a.SHA, a.SHAMask)
		w.mac("tha", a.THA, a.THAMask)
	case *SetND:
		w.open("nd")
		w.ipv6("target", a.Target, a.TargetMask)
		w.mac("sll", a.SLL, a.SLLMask)
		w.mac("tll", a.TLL, a.TLLMask)
	case *SetNDExt:
		w.open("nd_ext")
		w.hex("nd_reserved", uint64(a.Reserved), uint64(a.ReservedMask), full32)
		w.dec("nd_options_type", uint64(a.OptionsType), uint64(a.OptionsTypeMask), full8)
	case *SetNSH:
		w.open("nsh")
		w.nsh(&a.Header, &a.Mask)
	case *SetMPLS:
		w.open("mpls")
		w.lse(a.LSE, a.Mask, a.Mask == full32)
	case *SetTunnel:
		kw := keyWriter{m: exactMask}
		kw.open("tunnel")
		kw.tunnel(&a.Tunnel, &exactMask.Tunnel, func() {
			if len(a.Options) > 0 {
				kw.member("", false)
				kw.b = append(appendOptions(append(kw.b, "geneve("...), a.Options, nil), ')')
			}
		})
		w = kw.fieldWriter
	case *SetPriority:
		w.open("skb_priority")
		w.hex("", uint64(a.Priority), uint64(a.Mask), full32)
	case *SetMark:
		w.open("skb_mark")
		w.hex("", uint64(a.Mark), uint64(a.Mask), full32)
	default:
		return fmt.Appendf(b, "unknown(%T)", a)
	}
	w.close()
	return append(append(append(b, "set("...), w.b...), ')')
}

// l4Names are the group and members of a layer-4 header, and the full mask of
// a member.
func l4Names(proto uint8) (name, src, dst string, full uint64) {
	switch proto {
	case protoTCP:
		return "tcp", "src", "dst", full16
	case protoUDP:
		return "udp", "src", "dst", full16
	case protoSCTP:
		return "sctp", "src", "dst", full16
	case protoICMP:
		return "icmp", "type", "code", full8
	}
	return "icmpv6", "type", "code", full8
}

var slowNames = []string{"cfm", "bfd", "lacp", "stp", "lldp", "action", "match"}

// String is the names of the reasons, comma-separated, or "0".
func (r SlowReason) String() string {
	if r == 0 {
		return "0"
	}
	var b []byte
	for i, name := range slowNames {
		if r>>i&1 != 0 {
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, name...)
		}
	}
	return string(b)
}

func appendUserspace(b []byte, a *Userspace, names *Namer) []byte {
	b = fmt.Appendf(b, "userspace(pid=%d", a.PID)
	b = appendCookie(b, a, names)
	if a.WithActions {
		b = append(b, ",actions"...)
	}
	if a.TunOutPort != 0 && a.TunOutPort != PortNone {
		b = names.append(append(b, ",tunnel_out_port="...), a.TunOutPort)
	}
	return append(b, ')')
}

func appendCookie(b []byte, a *Userspace, names *Namer) []byte {
	c := &a.Cookie
	switch c.Kind {
	case CookieSlowPath:
		return fmt.Appendf(b, ",slow_path(%v)", c.Slow)
	case CookieController:
		return fmt.Appendf(b, ",controller(reason=%d,dont_send=%d,continuation=%d,recirc_id=%d,rule_cookie=%s,controller_id=%d,max_len=%d)",
			c.Reason, bit(c.DontSend), bit(c.Continuation), c.RecircID, hexNum(nil, c.RuleCookie), c.ControllerID, c.MaxLen)
	case CookieSFlow:
		return fmt.Appendf(b, ",sFlow(vid=%d,pcp=%d,output=%d)", c.VLANTCI&0xfff, c.VLANTCI>>13, c.Output)
	case CookieFlowSample:
		b = fmt.Appendf(b, ",flow_sample(probability=%d,collector_set_id=%d,obs_domain_id=%d,obs_point_id=%d,output_port=",
			c.Probability, c.CollectorSet, c.ObsDomain, c.ObsPoint)
		b = names.append(b, PortNo(c.Output))
		switch c.SampleDirection {
		case SampleIngress:
			b = append(b, ",ingress"...)
		case SampleEgress:
			b = append(b, ",egress"...)
		}
		return append(b, ')')
	case CookieIPFIX:
		return append(names.append(append(b, ",ipfix(output_port="...), PortNo(c.Output)), ')')
	case CookieWatch:
		return append(append(append(b, ",watch("...), strings.TrimPrefix(FormatUFID(c.Bridge), "ufid:")...), ')')
	}
	if a.Data != nil {
		b = append(append(b, ",userdata("...), hex.EncodeToString(a.Data)...)
		b = append(b, ')')
	}
	return b
}

func bit(v bool) int {
	if v {
		return 1
	}
	return 0
}

func appendCT(b []byte, a *CT) []byte {
	w := fieldWriter{b: append(b, "ct("...), first: true}
	if a.Commit && a.Force {
		w.text("", "force_commit")
	} else if a.Commit {
		w.text("", "commit")
	}
	if a.Zone != 0 {
		w.text("zone", strconv.Itoa(int(a.Zone)))
	}
	if a.MarkMask != 0 && w.member("mark", false) {
		w.b = hexNum(append(hexNum(w.b, uint64(a.Mark)), '/'), uint64(a.MarkMask))
	}
	w.hex128("label", a.Label, a.LabelMask)
	if a.Helper != "" {
		w.text("helper", a.Helper)
	}
	if a.Timeout != "" {
		w.text("timeout", a.Timeout)
	}
	if a.NAT != nil {
		w.text("", a.NAT.String())
	}
	if w.first {
		return w.b[:len(w.b)-1]
	}
	return append(w.b, ')')
}

// addresses are those to choose from; those of IPv6 in brackets before ports.
func (n *NAT) addresses() string {
	if !n.MinAddr.IsValid() {
		return ""
	}
	text := netip.Addr.String
	if n.MinAddr.Is6() && n.MinPort != 0 {
		text = func(a netip.Addr) string { return "[" + a.String() + "]" }
	}
	if !n.MaxAddr.IsValid() || n.MaxAddr == n.MinAddr {
		return text(n.MinAddr)
	}
	return text(n.MinAddr) + "-" + text(n.MaxAddr)
}

// String is "nat" or "nat(src=...)".
func (n *NAT) String() string {
	if !n.Src && !n.Dst {
		return "nat"
	}
	s := "src"
	if n.Dst {
		s = "dst"
	}
	if n.MinAddr.IsValid() || n.MinPort != 0 {
		s += "=" + n.addresses()
	}
	if n.MinPort != 0 {
		s += ":" + strconv.Itoa(int(n.MinPort))
		if n.MaxPort != 0 && n.MaxPort != n.MinPort {
			s += "-" + strconv.Itoa(int(n.MaxPort))
		}
	}
	for _, opt := range []struct {
		on   bool
		name string
	}{{n.Persistent, "persistent"}, {n.Hash, "hash"}, {n.Random, "random"}} {
		if opt.on {
			s += "," + opt.name
		}
	}
	return "nat(" + s + ")"
}

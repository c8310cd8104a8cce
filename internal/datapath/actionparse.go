package datapath

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// maxActionNesting bounds sample(), clone() and check_pkt_len() in text.
const maxActionNesting = 32

// ParseActions reads what [FormatActions] prints. The error names the action.
func ParseActions(s string, names *Namer) ([]Action, error) {
	return parseActions(s, names, 0)
}

func parseActions(s string, names *Namer, depth int) ([]Action, error) {
	if depth > maxActionNesting {
		return nil, fmt.Errorf("actions are nested more than %d deep", maxActionNesting)
	}
	parts, err := splitTop(s)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && parts[0] == "drop" {
		return nil, nil
	}
	actions := make([]Action, 0, len(parts))
	for _, part := range parts {
		a, err := parseAction(part, names, depth)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
		actions = append(actions, a)
	}
	return actions, nil
}

func parseAction(s string, names *Namer, depth int) (Action, error) {
	if no, ok := names.parse(s); ok {
		return &Output{Port: no}, nil
	}
	name, body, call, err := cutCall(s)
	if err != nil {
		return nil, err
	}
	if !call {
		return parseWord(name)
	}
	switch name {
	case "userspace":
		return parseUserspace(body, names)
	case "push_vlan":
		return parsePushVLAN(body)
	case "push_mpls", "add_mpls", "pop_mpls":
		return parseMPLSAction(name, body)
	case "push_eth":
		return parsePushEthernet(body)
	case "push_nsh":
		return parsePushNSH(body)
	case "pop_nsh":
		return &PopNSH{}, nil
	case "set":
		return parseSet(body)
	case "hash":
		return parseHash(body)
	case "sample":
		return parseSample(body, names, depth)
	case "clone":
		inner, err := parseActions(body, names, depth+1)
		return &Clone{Actions: inner}, err
	case "tnl_push":
		return parseTunnelPush(body, names)
	case "check_pkt_len":
		return parseCheckPktLen(body, names, depth)
	case "ct":
		return parseCT(body)
	}
	return parseNumbered(name, body, names)
}

func unknownMember(name string) error { return fmt.Errorf("unknown member %q", name) }

func parseWord(name string) (Action, error) {
	switch name {
	case "pop_vlan":
		return &PopVLAN{}, nil
	case "pop_eth":
		return &PopEthernet{}, nil
	case "ct":
		return &CT{}, nil
	case "ct_clear":
		return &CTClear{}, nil
	case "drop":
		return &Drop{}, nil
	}
	return nil, fmt.Errorf("unknown action or port")
}

// parseNumbered reads actions whose only argument is a number.
func parseNumbered(name, body string, names *Namer) (Action, error) {
	switch name {
	case "tnl_pop":
		no, ok := names.parse(body)
		if !ok {
			return nil, fmt.Errorf("%q is no port", body)
		}
		return &TunnelPop{Port: no}, nil
	case "recirc", "trunc", "meter", "lb_output":
	default:
		return nil, fmt.Errorf("unknown action %q", name)
	}
	v, err := strconv.ParseUint(body, 0, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", body)
	}
	switch name {
	case "recirc":
		return &Recirc{ID: uint32(v)}, nil
	case "trunc":
		if v < 14 {
			return nil, fmt.Errorf("a packet can't be cut to less than 14 bytes")
		}
		return &Trunc{MaxLen: uint32(v)}, nil
	case "meter":
		return &Meter{ID: uint32(v)}, nil
	}
	return &LBOutput{BondID: uint32(v)}, nil
}

func parsePushEthernet(body string) (Action, error) {
	a := &PushEthernet{}
	return a, members(body, func(n, v string) (err error) {
		switch n {
		case "src":
			a.Src, err = parseMACText(v)
		case "dst":
			a.Dst, err = parseMACText(v)
		default:
			err = unknownMember(n)
		}
		return err
	})
}

func parsePushVLAN(body string) (Action, error) {
	a := &PushVLAN{TPID: ethVLAN, TCI: flow.VLANPresent}
	return a, members(body, func(n, v string) error {
		bits := 0
		switch n {
		case "tpid":
			bits = 16
		case "vid":
			bits = 12
		case "pcp":
			bits = 3
		case "cfi":
			bits = 1
		default:
			return unknownMember(n)
		}
		val, mask, err := parseNum(v, bits)
		if err != nil || mask != 1<<bits-1 {
			return fmt.Errorf("bad %s %q", n, v)
		}
		switch n {
		case "tpid":
			a.TPID = uint16(val)
		case "vid":
			a.TCI = a.TCI&^0xfff | uint16(val)
		case "pcp":
			a.TCI = a.TCI&0x1fff | uint16(val)<<13
		case "cfi":
			a.TCI = a.TCI&^flow.VLANPresent | uint16(val)<<12
		}
		return nil
	})
}

// parsePushNSH reads the members of push_nsh(); those that are absent have the
// values of a new header (ovs-actions(7), "The encap action").
func parsePushNSH(body string) (Action, error) {
	a := &PushNSH{Header: flow.NSH{TTL: 63, MDType: 1, PathHdr: 255}}
	var plain []string
	err := members(body, func(n, v string) (err error) {
		if n != "md2" {
			plain = append(plain, n+"="+v)
			return nil
		}
		data, err := hex.DecodeString(strings.TrimPrefix(v, "0x"))
		if err == nil && len(data)%4 != 0 {
			err = fmt.Errorf("md2 is %d bytes, not a multiple of 4", len(data))
		}
		if err == nil && len(data) > MaxNSHMetadata {
			err = fmt.Errorf("md2 is %d bytes, at most %d fit", len(data), MaxNSHMetadata)
		}
		a.Metadata = string(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	var h, m flow.NSH
	if err := parseNSH(strings.Join(plain, ","), &h, &m); err != nil {
		return nil, err
	}
	overlay(&a.Header.Flags, h.Flags, m.Flags)
	overlay(&a.Header.TTL, h.TTL, m.TTL)
	overlay(&a.Header.MDType, h.MDType, m.MDType)
	overlay(&a.Header.NP, h.NP, m.NP)
	overlay(&a.Header.PathHdr, h.PathHdr, m.PathHdr)
	for i := range h.Context {
		overlay(&a.Header.Context[i], h.Context[i], m.Context[i])
	}
	if a.Header.MDType != 1 && a.Header.MDType != 2 {
		return nil, fmt.Errorf("mdtype is %d, not 1 or 2", a.Header.MDType)
	}
	return a, nil
}

// overlay sets the masked bits of a member.
func overlay[T uint8 | uint32](to *T, v, m T) { *to = *to&^m | v&m }

func parseMPLSAction(name, body string) (Action, error) {
	var lse uint32
	var ethType uint16
	err := members(body, func(n, v string) error {
		if n == "eth_type" {
			var m uint16
			return num(v, &ethType, &m)
		}
		if name == "pop_mpls" {
			return unknownMember(n)
		}
		var k, m [flow.MaxMPLSLabels]uint32
		if err := parseMPLS(n+"="+v, &k, &m); err != nil {
			return err
		}
		lse |= k[0]
		return nil
	})
	switch name {
	case "push_mpls":
		return &PushMPLS{LSE: lse, EthType: ethType}, err
	case "add_mpls":
		return &AddMPLS{LSE: lse, EthType: ethType}, err
	}
	return &PopMPLS{EthType: ethType}, err
}

// parseSet reads the body of set(): one group of a key.
func parseSet(body string) (Action, error) {
	name, inner, call, err := cutCall(body)
	if err != nil || !call {
		return nil, fmt.Errorf("set() needs a group of members")
	}
	if name == "arp" {
		return parseSetARP(inner)
	}
	p := &keyParser{}
	if err := p.group(name, inner, 0); err != nil {
		return nil, fmt.Errorf("bad set of %s", name)
	}
	return setOf(name, &p.k, &p.m)
}

// parseSetARP reads set(arp(...)), whose opcode is wider than a key's.
func parseSetARP(body string) (Action, error) {
	p := &keyParser{}
	a := &SetARP{}
	err := members(body, func(n, v string) error {
		if n == "op" {
			return num(v, &a.Op, &a.OpMask)
		}
		return p.arp(n + "=" + v)
	})
	if err != nil {
		return nil, fmt.Errorf("bad set of arp")
	}
	k, m := &p.k, &p.m
	a.SPA, a.SPAMask, a.TPA, a.TPAMask = k.IPSrc, m.IPSrc, k.IPDst, m.IPDst
	a.SHA, a.SHAMask, a.THA, a.THAMask = k.ARPSHA, m.ARPSHA, k.ARPTHA, m.ARPTHA
	return a, nil
}

// setOf makes the action that sets a group of members of a key, those that have a
// mask.
func setOf(name string, k, m *flow.Key) (Action, error) {
	switch name {
	case "ipv4":
		return &SetIPv4{Src: k.IPSrc, SrcMask: m.IPSrc, Dst: k.IPDst, DstMask: m.IPDst,
			TOS: k.NwTOS, TOSMask: m.NwTOS, TTL: k.NwTTL, TTLMask: m.NwTTL}, nil
	case "ipv6":
		return &SetIPv6{Src: k.IPv6Src, SrcMask: m.IPv6Src, Dst: k.IPv6Dst, DstMask: m.IPv6Dst,
			Label: k.IPv6Label, LabelMask: m.IPv6Label, TClass: k.NwTOS, TClassMask: m.NwTOS,
			Hlimit: k.NwTTL, HlimitMask: m.NwTTL}, nil
	case "eth":
		return &SetEthernet{Src: k.EthSrc, SrcMask: m.EthSrc, Dst: k.EthDst, DstMask: m.EthDst}, nil
	case "tcp", "udp", "sctp", "icmp", "icmpv6":
		return &SetL4{Proto: l4Protos[name], Src: k.TpSrc, SrcMask: m.TpSrc, Dst: k.TpDst, DstMask: m.TpDst}, nil
	case "nd":
		return &SetND{Target: k.NDTarget, TargetMask: m.NDTarget, SLL: k.ARPSHA, SLLMask: m.ARPSHA, TLL: k.ARPTHA, TLLMask: m.ARPTHA}, nil
	case "nd_ext":
		return &SetNDExt{Reserved: k.NDReserved, ReservedMask: m.NDReserved, OptionsType: k.NDOptionsType, OptionsTypeMask: m.NDOptionsType}, nil
	case "nsh":
		if m.NSH.MDType|m.NSH.NP != 0 {
			return nil, fmt.Errorf("mdtype and np of NSH can't be set")
		}
		return &SetNSH{Header: k.NSH, Mask: m.NSH}, nil
	case "mpls":
		if m.MPLS[1] != 0 {
			return nil, fmt.Errorf("only the outer label can be set")
		}
		return &SetMPLS{LSE: k.MPLS[0], Mask: m.MPLS[0]}, nil
	case "tunnel":
		return &SetTunnel{Tunnel: k.Tunnel, Options: append([]byte(nil), k.Options()...)}, nil
	case "skb_priority":
		return &SetPriority{Priority: k.SkbPriority, Mask: m.SkbPriority}, nil
	case "skb_mark":
		return &SetMark{Mark: k.PktMark, Mask: m.PktMark}, nil
	}
	return nil, fmt.Errorf("%s can't be set", name)
}

var l4Protos = map[string]uint8{"tcp": protoTCP, "udp": protoUDP, "sctp": protoSCTP, "icmp": protoICMP, "icmpv6": protoICMP6}

func parseHash(body string) (Action, error) {
	name, basis, call, err := cutCall(body)
	v, perr := strconv.ParseUint(basis, 0, 32)
	if err != nil || !call || perr != nil {
		return nil, fmt.Errorf("hash needs l4(BASIS) or sym_l4(BASIS)")
	}
	switch name {
	case "l4":
		return &Hash{Alg: HashL4, Basis: uint32(v)}, nil
	case "sym_l4":
		return &Hash{Alg: HashSymL4, Basis: uint32(v)}, nil
	}
	return nil, fmt.Errorf("unknown hash algorithm %q", name)
}

func parseSample(body string, names *Namer, depth int) (Action, error) {
	a := &Sample{}
	return a, members(body, func(n, v string) (err error) {
		if n == "sample" {
			a.Probability, err = parsePercent(v)
			return err
		}
		name, inner, _, err := cutCall(v)
		if n != "" || name != "actions" || err != nil {
			return unknownMember(n)
		}
		a.Actions, err = parseActions(inner, names, depth+1)
		return err
	})
}

// parsePercent reads "33.3%" as a fraction of 2^32-1.
func parsePercent(s string) (uint32, error) {
	if n := len(s) - 1; n > 0 && s[n] == '%' {
		if f, err := strconv.ParseFloat(s[:n], 64); err == nil && f >= 0 && f <= 100 {
			return uint32(math.Floor(float64(^uint32(0))/100*f + .5)), nil
		}
	}
	return 0, fmt.Errorf("%q is not a percentage", s)
}

func parseCheckPktLen(body string, names *Namer, depth int) (Action, error) {
	a := &CheckPktLen{}
	return a, members(body, func(n, v string) (err error) {
		if n == "size" {
			var m uint16
			return num(v, &a.Size, &m)
		}
		name, inner, _, err := cutCall(v)
		if err != nil {
			return err
		}
		switch name {
		case "gt":
			a.Greater, err = parseActions(inner, names, depth+1)
		case "le":
			a.LessEqual, err = parseActions(inner, names, depth+1)
		default:
			err = unknownMember(name)
		}
		return err
	})
}

package datapath

import (
	"errors"
	"fmt"
	"strings"

	"weir/internal/flow"
	"weir/internal/packet"
)

// ParseKey reads what [FormatKey] prints: a data path flow, each member with
// an optional mask. Members that are not given have a zero mask, except the
// VLAN tag, which is then known to be absent. The error names the first group
// that can't be read, with all that follows it.
func ParseKey(s string, names *Namer) (*flow.Key, *flow.Mask, error) {
	p := &keyParser{names: names}
	if strings.ContainsAny(s, "\n\t") {
		s = strings.Join(strings.Fields(s), "") // it was broken into lines
	}
	if err := p.groups(s, 0); err != nil {
		return nil, nil, err
	}
	if p.k.EthType == 0 && p.k.PacketType == 0 {
		p.k.EthType = p.implied // not in the mask: it wasn't said
	}
	if p.nested == 0 {
		p.m.VLANs[0] = flow.VLAN{TPID: full16, TCI: full16}
	}
	return &p.k, &p.m, nil
}

type keyParser struct {
	k, m   flow.Key
	names  *Namer
	nested int // VLAN tags seen
	// implied is the EtherType that the network header read says.
	implied uint16
}

// cutGroup splits the first "name(...)" off s.
func cutGroup(s string) (group, rest string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[:i+1], s[i+1:], true
			} else if depth < 0 {
				return "", s, false
			}
		}
	}
	return "", s, false
}

func (p *keyParser) groups(s string, depth int) error {
	for {
		s = strings.TrimLeft(s, ", \t\r\n")
		if s == "" {
			return nil
		}
		group, rest, ok := cutGroup(s)
		if !ok {
			return fmt.Errorf("syntax error at %s", s)
		}
		name, body, _, _ := cutCall(group)
		if err := p.group(name, body, depth); err != nil {
			return fmt.Errorf("syntax error at %s", s)
		}
		s = rest
	}
}

var errSyntax = errors.New("syntax error")

// members calls set for each "name=value" of body; a part without "=" has an
// empty name.
func members(body string, set func(name, value string) error) error {
	parts, err := splitTop(body)
	if err != nil {
		return err
	}
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok || strings.ContainsRune(name, '(') {
			name, value = "", part
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// num reads a number with optional mask into a pair of members.
func num[T unsigned](s string, v, m *T) error {
	bits := 64
	switch any(*v).(type) {
	case uint8:
		bits = 8
	case uint16:
		bits = 16
	case uint32:
		bits = 32
	}
	n, nm, err := parseNum(s, bits)
	if err == nil {
		*v, *m = T(n), T(nm)
	}
	return err
}

func mac(s string, v, m *packet.MAC) (err error) { *v, *m, err = parseMAC(s); return err }
func ip4(s string, v, m *uint32) (err error)     { *v, *m, err = parseIPv4(s); return err }
func ip6(s string, v, m *[16]byte) (err error)   { *v, *m, err = parseIPv6(s); return err }

// group reads one group: here what is known of a packet besides its headers.
func (p *keyParser) group(name, body string, depth int) error {
	k, m := &p.k, &p.m
	switch name {
	case "skb_priority":
		return num(body, &k.SkbPriority, &m.SkbPriority)
	case "skb_mark":
		return num(body, &k.PktMark, &m.PktMark)
	case "recirc_id":
		if err := num(body, &k.RecircID, &m.RecircID); err != nil || m.RecircID != full32 {
			return errSyntax
		}
		return nil
	case "dp_hash":
		return num(body, &k.DPHash, &m.DPHash)
	case "ct_state":
		v, vm, ok := parseFlags(body, full8, ctStateNames)
		if !ok || v > full8 {
			return errSyntax
		}
		k.CTState, m.CTState = uint8(v), uint8(vm)
		return nil
	case "ct_zone":
		return num(body, &k.CTZone, &m.CTZone)
	case "ct_mark":
		return num(body, &k.CTMark, &m.CTMark)
	case "ct_label":
		var err error
		k.CTLabel, m.CTLabel, err = parse128(body)
		return err
	case "ct_tuple4", "ct_tuple6":
		return p.ctTuple(body)
	case "in_port":
		return p.inPort(body)
	case "packet_type":
		return p.packetType(body)
	case "tunnel":
		return parseTunnel(body, k, m)
	}
	return p.link(name, body, depth)
}

// link reads the groups of layer 2 and, in it, those above.
func (p *keyParser) link(name, body string, depth int) error {
	k, m := &p.k, &p.m
	switch name {
	case "eth":
		return members(body, func(n, v string) error {
			switch n {
			case "src":
				return mac(v, &k.EthSrc, &m.EthSrc)
			case "dst":
				return mac(v, &k.EthDst, &m.EthDst)
			}
			return errSyntax
		})
	case "eth_type":
		if err := num(body, &k.EthType, &m.EthType); err != nil {
			return err
		}
		if m.EthType == full16 && k.EthType < packet.EtherTypeMin {
			k.EthType = packet.EtherTypeNone
		}
		return nil
	case "vlan":
		return p.vlan(body)
	case "encap":
		if depth >= flow.MaxVLANs || p.nested <= depth {
			return errSyntax
		}
		return p.groups(body, depth+1)
	case "mpls":
		return parseMPLS(body, &k.MPLS, &m.MPLS)
	}
	return p.upper(name, body)
}

func (p *keyParser) inPort(body string) error {
	if err := num(body, &p.k.InPort, &p.m.InPort); err == nil {
		return nil
	}
	no, ok := p.names.parse(body)
	if !ok {
		return errSyntax
	}
	p.k.InPort, p.m.InPort = uint32(no), full32
	return nil
}

func (p *keyParser) packetType(body string) error {
	var ns, nsm, id, idm uint16
	err := members(body, func(n, v string) error {
		switch n {
		case "ns":
			return num(v, &ns, &nsm)
		case "id":
			return num(v, &id, &idm)
		}
		return errSyntax
	})
	p.k.PacketType, p.m.PacketType = uint32(ns)<<16|uint32(id), uint32(nsm)<<16|uint32(idm)
	return err
}

func (p *keyParser) ctTuple(body string) error {
	k, m := &p.k, &p.m
	return members(body, func(n, v string) error {
		v6 := strings.Contains(v, ":")
		switch n {
		case "src":
			if v6 {
				return ip6(v, &k.CTIPv6Src, &m.CTIPv6Src)
			}
			return ip4(v, &k.CTIPSrc, &m.CTIPSrc)
		case "dst":
			if v6 {
				return ip6(v, &k.CTIPv6Dst, &m.CTIPv6Dst)
			}
			return ip4(v, &k.CTIPDst, &m.CTIPDst)
		case "proto":
			return num(v, &k.CTNwProto, &m.CTNwProto)
		case "tp_src":
			return num(v, &k.CTTpSrc, &m.CTTpSrc)
		case "tp_dst":
			return num(v, &k.CTTpDst, &m.CTTpDst)
		}
		return errSyntax
	})
}

// vlan reads a tag; the EtherType read before it was the tag's.
func (p *keyParser) vlan(body string) error {
	if p.nested >= flow.MaxVLANs {
		return errSyntax
	}
	vk, vm := &p.k.VLANs[p.nested], &p.m.VLANs[p.nested]
	vk.TPID, vm.TPID = p.k.EthType, p.m.EthType
	p.k.EthType, p.m.EthType = 0, 0
	p.nested++
	vk.TCI, vm.TCI = flow.VLANPresent, flow.VLANPresent
	return members(body, func(n, v string) error {
		bits, shift := 0, 0
		switch n {
		case "vid":
			bits = 12
		case "pcp":
			bits, shift = 3, 13
		case "cfi":
			bits, shift = 1, 12
		default:
			return errSyntax
		}
		val, mask, err := parseNum(v, bits)
		if err != nil {
			return err
		}
		field := (uint16(1)<<bits - 1) << shift
		vk.TCI = vk.TCI&^field | uint16(val)<<shift
		vm.TCI = vm.TCI&^field | uint16(mask)<<shift
		return nil
	})
}

// parseMPLS reads label stack entries; a member that the current entry has
// already begins the next one.
func parseMPLS(body string, k, m *[flow.MaxMPLSLabels]uint32) error {
	i, seen := 0, uint32(0)
	return members(body, func(n, v string) error {
		var bits, shift int
		switch n {
		case "label":
			bits, shift = 20, 12
		case "tc":
			bits, shift = 3, 9
		case "bos":
			bits, shift = 1, 8
		case "ttl":
			bits, shift = 8, 0
		default:
			return errSyntax
		}
		val, mask, err := parseNum(v, bits)
		if err != nil {
			return err
		}
		if field := (uint32(1)<<bits - 1) << shift; seen&field != 0 {
			i, seen = i+1, field
		} else {
			seen |= field
		}
		if i >= flow.MaxMPLSLabels {
			return errSyntax
		}
		k[i] |= uint32(val) << shift
		m[i] |= uint32(mask) << shift
		return nil
	})
}

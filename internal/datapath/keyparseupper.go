package datapath

import (
	"weir/internal/flow"
	"weir/internal/tunnel"
)

// upper reads the groups of layers 3 and 4.
func (p *keyParser) upper(name, body string) error {
	k, m := &p.k, &p.m
	switch name {
	case "ipv4":
		return p.ipv4(body)
	case "ipv6":
		return p.ipv6(body)
	case "arp":
		return p.arp(body)
	case "tcp", "udp", "sctp":
		return p.ports(body, "src", "dst", 16)
	case "icmp", "icmpv6":
		return p.ports(body, "type", "code", 8)
	case "tcp_flags":
		v, vm, ok := parseFlags(body, 0xfff, tcpFlagNames)
		if !ok || v > full16 {
			return errSyntax
		}
		k.TCPFlags, m.TCPFlags = uint16(v), uint16(vm)
		return nil
	case "nd":
		return members(body, p.neighbour)
	case "nd_ext":
		return members(body, p.neighbourExt)
	case "nsh":
		return parseNSH(body, &k.NSH, &m.NSH)
	}
	return errSyntax
}

// neighbour reads a member of nd().
func (p *keyParser) neighbour(n, v string) error {
	k, m := &p.k, &p.m
	switch n {
	case "target":
		return ip6(v, &k.NDTarget, &m.NDTarget)
	case "sll":
		return mac(v, &k.ARPSHA, &m.ARPSHA)
	case "tll":
		return mac(v, &k.ARPTHA, &m.ARPTHA)
	}
	return errSyntax
}

// neighbourExt reads a member of nd_ext().
func (p *keyParser) neighbourExt(n, v string) error {
	k, m := &p.k, &p.m
	switch n {
	case "nd_reserved":
		return num(v, &k.NDReserved, &m.NDReserved)
	case "nd_options_type":
		return num(v, &k.NDOptionsType, &m.NDOptionsType)
	}
	return errSyntax
}

func (p *keyParser) ipv4(body string) error {
	k, m := &p.k, &p.m
	p.implied = ethIPv4
	return members(body, func(n, v string) error {
		switch n {
		case "src":
			return ip4(v, &k.IPSrc, &m.IPSrc)
		case "dst":
			return ip4(v, &k.IPDst, &m.IPDst)
		case "tos":
			return num(v, &k.NwTOS, &m.NwTOS)
		case "ttl":
			return num(v, &k.NwTTL, &m.NwTTL)
		}
		return p.protoFrag(n, v)
	})
}

func (p *keyParser) ipv6(body string) error {
	k, m := &p.k, &p.m
	p.implied = ethIPv6
	return members(body, func(n, v string) error {
		switch n {
		case "src":
			return ip6(v, &k.IPv6Src, &m.IPv6Src)
		case "dst":
			return ip6(v, &k.IPv6Dst, &m.IPv6Dst)
		case "label":
			val, mask, err := parseNum(v, 20)
			k.IPv6Label, m.IPv6Label = uint32(val), uint32(mask)
			return err
		case "tclass":
			return num(v, &k.NwTOS, &m.NwTOS)
		case "hlimit":
			return num(v, &k.NwTTL, &m.NwTTL)
		}
		return p.protoFrag(n, v)
	})
}

func (p *keyParser) arp(body string) error {
	k, m := &p.k, &p.m
	p.implied = ethARP
	return members(body, func(n, v string) error {
		switch n {
		case "sip":
			return ip4(v, &k.IPSrc, &m.IPSrc)
		case "tip":
			return ip4(v, &k.IPDst, &m.IPDst)
		case "op":
			val, mask, err := parseNum(v, 16)
			k.NwProto, m.NwProto = uint8(val), uint8(mask)
			return err
		case "sha":
			return mac(v, &k.ARPSHA, &m.ARPSHA)
		case "tha":
			return mac(v, &k.ARPTHA, &m.ARPTHA)
		}
		return errSyntax
	})
}

func (p *keyParser) protoFrag(n, v string) error {
	switch n {
	case "proto":
		return num(v, &p.k.NwProto, &p.m.NwProto)
	case "frag":
		p.m.NwFrag = flow.FragAny | flow.FragLater
		switch v {
		case "no":
			p.k.NwFrag = 0
		case "first":
			p.k.NwFrag = flow.FragAny
		case "later":
			p.k.NwFrag = flow.FragAny | flow.FragLater
		default:
			return errSyntax
		}
		return nil
	}
	return errSyntax
}

func (p *keyParser) ports(body, a, b string, bits int) error {
	return members(body, func(n, v string) error {
		val, mask, err := parseNum(v, bits)
		if err != nil {
			return err
		}
		if bits == 8 && mask == full8 {
			mask = full16
		}
		switch n {
		case a:
			p.k.TpSrc, p.m.TpSrc = uint16(val), uint16(mask)
		case b:
			p.k.TpDst, p.m.TpDst = uint16(val), uint16(mask)
		default:
			return errSyntax
		}
		return nil
	})
}

// parseTunnel reads the members of tunnel(...).
func parseTunnel(body string, key, mask *flow.Key) error {
	k, m := &key.Tunnel, &mask.Tunnel
	return members(body, func(n, v string) error {
		switch n {
		case "tun_id":
			return num(v, &k.ID, &m.ID)
		case "src":
			return ip4(v, &k.Src, &m.Src)
		case "dst":
			return ip4(v, &k.Dst, &m.Dst)
		case "ipv6_src":
			return ip6(v, &k.IPv6Src, &m.IPv6Src)
		case "ipv6_dst":
			return ip6(v, &k.IPv6Dst, &m.IPv6Dst)
		case "tos":
			return num(v, &k.TOS, &m.TOS)
		case "ttl":
			return num(v, &k.TTL, &m.TTL)
		case "tp_src":
			return num(v, &k.TpSrc, &m.TpSrc)
		case "tp_dst":
			return num(v, &k.TpDst, &m.TpDst)
		case "":
			return parseTunnelGroup(v, key, mask)
		}
		return errSyntax
	})
}

func parseTunnelGroup(s string, key, mask *flow.Key) error {
	name, body, call, err := cutCall(s)
	if err != nil || !call {
		return errSyntax
	}
	k, m := &key.Tunnel, &mask.Tunnel
	switch name {
	case "erspan":
		return parseERSPAN(body, k, m)
	case "gtpu":
		return parseGTPU(body, k, m)
	case "vxlan":
		return parseVXLAN(body, k, m)
	case "geneve":
		options, om, err := parseOptions(body)
		if err != nil || len(options) > tunnel.MaxOptions {
			return errSyntax
		}
		key.SetOptions(options)
		mask.SetOptions(om)
		mask.TunMetaPresent = ^uint64(0)
		return nil
	case "flags":
		v, vm, ok := parseFlags(body, 0xf, tunFlagNames)
		if !ok {
			return errSyntax
		}
		k.Flags, m.Flags = uint16(v), uint16(vm)
		return nil
	}
	return errSyntax
}

// parseGTPU reads the members of gtpu(...).
func parseGTPU(body string, k, m *flow.Tunnel) error {
	return members(body, func(n, v string) error {
		switch n {
		case "flags":
			return num(v, &k.GTPUFlags, &m.GTPUFlags)
		case "msgtype":
			return num(v, &k.GTPUMsg, &m.GTPUMsg)
		}
		return errSyntax
	})
}

// parseVXLAN reads vxlan(gbp(...)).
func parseVXLAN(body string, k, m *flow.Tunnel) error {
	name, body, call, err := cutCall(body)
	if err != nil || !call || name != "gbp" {
		return errSyntax
	}
	return members(body, func(n, v string) error {
		switch n {
		case "id":
			return num(v, &k.GBPID, &m.GBPID)
		case "flags":
			return num(v, &k.GBPFlags, &m.GBPFlags)
		}
		return errSyntax
	})
}

// parseERSPAN reads the members of erspan(...), which are others in each version.
func parseERSPAN(body string, k, m *flow.Tunnel) error {
	err := members(body, func(n, v string) error {
		switch {
		case n == "ver":
			return num(v, &k.ERSPANVer, &m.ERSPANVer)
		case n == "idx" && k.ERSPANVer == 1:
			return num(v, &k.ERSPANIdx, &m.ERSPANIdx)
		case n == "dir" && k.ERSPANVer == 2:
			return num(v, &k.ERSPANDir, &m.ERSPANDir)
		case n == "hwid" && k.ERSPANVer == 2:
			return num(v, &k.ERSPANHwid, &m.ERSPANHwid)
		}
		return errSyntax
	})
	if err == nil && k.ERSPANVer != 1 && k.ERSPANVer != 2 {
		return errSyntax
	}
	return err
}

func parseNSH(body string, k, m *flow.NSH) error {
	return members(body, func(n, v string) error {
		switch n {
		case "flags":
			return num(v, &k.Flags, &m.Flags)
		case "ttl":
			return num(v, &k.TTL, &m.TTL)
		case "mdtype":
			return num(v, &k.MDType, &m.MDType)
		case "np":
			return num(v, &k.NP, &m.NP)
		case "spi":
			val, mask, err := parseNum(v, 24)
			k.PathHdr |= uint32(val) << 8
			m.PathHdr |= uint32(mask) << 8
			return err
		case "si":
			val, mask, err := parseNum(v, 8)
			k.PathHdr |= uint32(val)
			m.PathHdr |= uint32(mask)
			return err
		case "c1", "c2", "c3", "c4":
			i := n[1] - '1'
			return num(v, &k.Context[i], &m.Context[i])
		}
		return errSyntax
	})
}

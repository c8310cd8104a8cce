package openflow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseCTTuple reads one direction of a connection as ovs-ofctl(8), ct-flush,
// has it. The IP protocol goes to proto, which the directions share; a tuple of
// the other network protocol than v6 says, when known, is an error.
func ParseCTTuple(s string, proto *uint8) (CTTuple, error) {
	p := ctTupleParser{proto: proto}
	for _, kv := range SplitKeyValues(s) {
		if err := p.field(kv.Key, kv.Value); err != nil {
			return CTTuple{}, err
		}
	}
	icmp := *proto == 1 || *proto == 58
	switch {
	case *proto == 0 && p.hasPorts:
		return CTTuple{}, fmt.Errorf("port is set without protocol")
	case p.hasICMP && !icmp:
		return CTTuple{}, fmt.Errorf("invalid L4 fields")
	}
	return p.t, nil
}

type ctTupleParser struct {
	t                 CTTuple
	proto             *uint8
	family            int // 4 or 6 once an address has said so
	hasPorts, hasICMP bool
}

func (p *ctTupleParser) field(key, value string) error {
	n, numErr := uint64(0), error(nil)
	bits := map[string]int{"ct_nw_proto": 8, "ct_tp_src": 16, "ct_tp_dst": 16, "icmp_type": 8, "icmp_code": 8, "icmp_id": 16}[key]
	if bits != 0 {
		if n, numErr = strconv.ParseUint(value, 0, bits); numErr != nil {
			return fmt.Errorf("failed to parse field %s", key)
		}
	}
	switch key {
	case "ct_nw_src", "ct_ipv6_src":
		return p.address(key, value, &p.t.Src)
	case "ct_nw_dst", "ct_ipv6_dst":
		return p.address(key, value, &p.t.Dst)
	case "ct_nw_proto":
		*p.proto = uint8(n)
	case "ct_tp_src":
		p.t.SrcPort, p.hasPorts = uint16(n), true
	case "ct_tp_dst":
		p.t.DstPort, p.hasPorts = uint16(n), true
	case "icmp_type":
		p.t.ICMPType, p.t.HaveICMPType, p.hasICMP = uint8(n), true, true
	case "icmp_code":
		p.t.ICMPCode, p.t.HaveICMPCode, p.hasICMP = uint8(n), true, true
	case "icmp_id":
		p.t.ICMPID, p.hasICMP = uint16(n), true
	default:
		return fmt.Errorf("invalid conntrack tuple field: %s", key)
	}
	return nil
}

func (p *ctTupleParser) address(key, value string, dst *[16]byte) error {
	family := 4
	if strings.HasPrefix(key, "ct_ipv6") {
		family = 6
	}
	if p.family != 0 && p.family != family {
		return fmt.Errorf("the L3 protocol does not match %s", value)
	}
	p.family = family
	a, err := netip.ParseAddr(value)
	if err != nil || a.Is4() != (family == 4) {
		return fmt.Errorf("failed to parse field %s", key)
	}
	*dst = a.As16()
	return nil
}

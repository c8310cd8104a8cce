package datapath

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"weir/internal/packet"
	"weir/internal/tunnel"
)

// parseTunnelPush reads what [appendTunnelPush] prints.
func parseTunnelPush(body string, names *Namer) (Action, error) {
	a := &TunnelPush{}
	err := members(body, func(n, v string) (err error) {
		name, inner, _, err := cutCall(v)
		if n != "" || err != nil {
			return unknownMember(n)
		}
		ok := true
		switch name {
		case "tnl_port":
			a.Port, ok = names.parse(inner)
		case "out_port":
			a.OutPort, ok = names.parse(inner)
		case "header":
			a.Header, err = parseTunnelHeader(inner)
		default:
			return unknownMember(name)
		}
		if !ok {
			return fmt.Errorf("%q is no port", inner)
		}
		return err
	})
	if err == nil && a.Header == nil {
		err = fmt.Errorf("tnl_push needs a header")
	}
	return a, err
}

// headerParser collects the parts of an outer header, in the order in which they
// stand in it.
type headerParser struct {
	kind *tunnel.Kind
	size int
	b    []byte
}

func parseTunnelHeader(body string) (*tunnel.Header, error) {
	p := &headerParser{}
	if err := members(body, p.part); err != nil {
		return nil, err
	}
	if p.kind == nil {
		return nil, fmt.Errorf("the header has no type")
	}
	if p.size != 0 && p.size != len(p.b) {
		return nil, fmt.Errorf("the header is %d bytes long, not %d", len(p.b), p.size)
	}
	return tunnel.NewHeader(p.kind, p.b)
}

func (p *headerParser) part(n, v string) error {
	var m uint32
	switch n {
	case "size":
		var size uint32
		err := num(v, &size, &m)
		p.size = int(size)
		return err
	case "type":
		var number uint32
		if err := num(v, &number, &m); err != nil {
			return err
		}
		if p.kind = tunnel.KindOfNumber(number); p.kind == nil {
			return fmt.Errorf("type %d is no type of tunnel", number)
		}
		return nil
	case "":
	default:
		return unknownMember(n)
	}
	name, inner, _, err := cutCall(v)
	if err != nil {
		return err
	}
	switch name {
	case "eth":
		return p.ethernet(inner)
	case "ipv4":
		return p.ipv4(inner)
	case "ipv6":
		return p.ipv6(inner)
	case "udp":
		return p.udp(inner)
	}
	if p.kind == nil || name != p.kind.ShimName() {
		return unknownMember(name)
	}
	return p.shim(inner)
}

func (p *headerParser) ethernet(body string) error {
	var src, dst packet.MAC
	var typ, m uint16
	err := members(body, func(n, v string) (err error) {
		switch n {
		case "src":
			src, err = parseMACText(v)
		case "dst":
			dst, err = parseMACText(v)
		case "dl_type":
			err = num(v, &typ, &m)
		default:
			err = unknownMember(n)
		}
		return err
	})
	p.b = append(append(p.b, dst[:]...), src[:]...)
	p.b = binary.BigEndian.AppendUint16(p.b, typ)
	return err
}

func (p *headerParser) ipv4(body string) error {
	var src, dst, m32 uint32
	var proto, tos, ttl, m8 uint8
	var frag, m16 uint16
	err := members(body, func(n, v string) error {
		switch n {
		case "src":
			return ip4(v, &src, &m32)
		case "dst":
			return ip4(v, &dst, &m32)
		case "proto":
			return num(v, &proto, &m8)
		case "tos":
			return num(v, &tos, &m8)
		case "ttl":
			return num(v, &ttl, &m8)
		case "frag":
			return num(v, &frag, &m16)
		}
		return unknownMember(n)
	})
	p.b = append(p.b, 0x45, tos, 0, 0, 0, 0, byte(frag>>8), byte(frag), ttl, proto, 0, 0)
	p.b = binary.BigEndian.AppendUint32(p.b, src)
	p.b = binary.BigEndian.AppendUint32(p.b, dst)
	return err
}

func (p *headerParser) ipv6(body string) error {
	var src, dst, m128 [16]byte
	var label, m32 uint32
	var proto, tclass, hlimit, m8 uint8
	err := members(body, func(n, v string) error {
		switch n {
		case "src":
			return ip6(v, &src, &m128)
		case "dst":
			return ip6(v, &dst, &m128)
		case "label":
			return num(v, &label, &m32)
		case "proto":
			return num(v, &proto, &m8)
		case "tclass":
			return num(v, &tclass, &m8)
		case "hlimit":
			return num(v, &hlimit, &m8)
		}
		return unknownMember(n)
	})
	p.b = binary.BigEndian.AppendUint32(p.b, 6<<28|uint32(tclass)<<20|label&0xfffff)
	p.b = append(p.b, 0, 0, proto, hlimit)
	p.b = append(append(p.b, src[:]...), dst[:]...)
	return err
}

func (p *headerParser) udp(body string) error {
	var src, dst, csum, m uint16
	err := members(body, func(n, v string) error {
		switch n {
		case "src":
			return num(v, &src, &m)
		case "dst":
			return num(v, &dst, &m)
		case "csum":
			return num(v, &csum, &m)
		}
		return unknownMember(n)
	})
	for _, v := range [...]uint16{src, dst, 0, csum} {
		p.b = binary.BigEndian.AppendUint16(p.b, v)
	}
	return err
}

// shim reads the members of vxlan(), geneve(), gre(), gtpu() and erspan().
func (p *headerParser) shim(body string) error {
	var s tunnel.Shim
	var m8 uint8
	var m16 uint16
	var m32 uint32
	err := members(body, func(n, v string) error {
		switch n {
		case "flags":
			return num(v, &s.Flags, &m32)
		case "proto":
			return num(v, &s.Proto, &m16)
		case "vni", "teid", "key", "sid":
			return num(v, &s.Key, &m32)
		case "csum":
			return num(v, &s.Csum, &m16)
		case "seq":
			return num(v, &s.Seq, &m32)
		case "msgtype":
			return num(v, &s.Message, &m8)
		case "ver":
			return num(v, &s.Ver, &m8)
		case "idx":
			return num(v, &s.Idx, &m32)
		case "dir":
			return num(v, &s.Dir, &m8)
		case "hwid":
			return num(v, &s.HWID, &m8)
		case "":
			return parseShimWord(v, &s)
		}
		return unknownMember(n)
	})
	if err == nil && p.kind.ShimName() == "erspan" && s.Ver != 1 && s.Ver != 2 {
		err = fmt.Errorf("version %d of ERSPAN is not 1 or 2", s.Ver)
	}
	if err == nil && len(s.Options) > tunnel.MaxOptions {
		err = fmt.Errorf("%d bytes of options, at most %d fit", len(s.Options), tunnel.MaxOptions)
	}
	p.b = p.kind.AppendShim(p.b, &s)
	return err
}

// parseShimWord reads what has no name before a "=".
func parseShimWord(v string, s *tunnel.Shim) error {
	switch v {
	case "oam":
		s.OAM = true
		return nil
	case "crit":
		s.Critical = true
		return nil
	}
	name, inner, call, err := cutCall(v)
	switch {
	case err != nil || !call:
		return unknownMember(v)
	case name == "options":
		s.Options, _, err = parseOptions(inner)
		return err
	case name == "": // gre((flags=...,proto=...),...)
		var m16 uint16
		var m32 uint32
		return members(inner, func(n, v string) error {
			switch n {
			case "flags":
				return num(v, &s.Flags, &m32)
			case "proto":
				return num(v, &s.Proto, &m16)
			}
			return unknownMember(n)
		})
	}
	return unknownMember(name)
}

// parseOptions reads what [appendOptions] prints, with masks where there are
// some: those of options without one are all ones.
func parseOptions(s string) (options, mask []byte, err error) {
	for s != "" {
		end := strings.IndexByte(s, '}')
		if s[0] != '{' || end < 0 {
			return nil, nil, errSyntax
		}
		o, om, err := parseOption(s[1:end])
		if err != nil {
			return nil, nil, err
		}
		options = tunnel.AppendOption(options, o)
		// What stands where counts.
		mask = append(append(mask, bytes.Repeat([]byte{full8}, o.Len()-len(o.Data))...), om...)
		s = strings.TrimPrefix(s[end+1:], ",")
	}
	return options, mask, nil
}

func parseOption(body string) (o tunnel.Option, mask []byte, err error) {
	var length, m8 uint8
	var m16 uint16
	var value string
	err = members(body, func(n, v string) error {
		switch n {
		case "class":
			return num(v, &o.Class, &m16)
		case "type":
			return num(v, &o.Type, &m8)
		case "len":
			return num(v, &length, &m8)
		case "":
			value = v
			return nil
		}
		return errSyntax
	})
	if err != nil || length%4 != 0 || length > 124 {
		return o, nil, errSyntax
	}
	v, vm, masked := strings.Cut(value, "/")
	if o.Data, err = hexNumber(v, int(length)); err != nil {
		return o, nil, err
	}
	if masked || value == "" {
		mask, err = hexNumber(vm, int(length))
		return o, mask, err
	}
	return o, bytes.Repeat([]byte{full8}, int(length)), nil
}

// hexNumber reads a number of n bytes in hexadecimal; without any digits it is 0.
func hexNumber(s string, n int) ([]byte, error) {
	digits := strings.TrimPrefix(s, "0x")
	if len(digits) > 2*n {
		return nil, errSyntax
	}
	b, err := hex.DecodeString(strings.Repeat("0", 2*n-len(digits)) + digits)
	if err != nil {
		return nil, errSyntax
	}
	return b, nil
}

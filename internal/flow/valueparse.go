package flow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/packet"
)

// ParseValue reads a value of the field, with an optional /mask, as
// ovs-fields(7) has it for the field's form. "*" and the empty string are no
// value at all: a mask of zero.
func (f *Field) ParseValue(s string, names PortNames) (v, mask Value, err error) {
	if s == "" || s == "*" {
		return Value{}, Value{}, nil
	}
	switch f.Form {
	case FormDecimal, FormHex:
		v, mask, err = f.parseInteger(s)
	case FormEthernet:
		v, mask, err = parseMACMasked(s)
	case FormIPv4:
		v, mask, err = parseIPv4Masked(s)
	case FormIPv6:
		v, mask, err = parseIPv6Masked(s)
	case FormPort10, FormPort11:
		p, ok := ParsePort(s, names)
		if !ok {
			return v, mask, &PortError{s, f}
		}
		v, mask = V(uint64(p)), f.exact
		if f.Form == FormPort10 {
			v = V(uint64(PortTo10(p)))
		}
	case FormFrag:
		v, mask, err = parseFrag(s)
	case FormTCPFlags:
		v, mask, err = f.parseFlags(s, tcpFlagNames, 0xfff, "TCP flag")
	case FormCTState:
		v, mask, err = f.parseFlags(s, ctStateNames, 0xff, "ct_state flag")
	case FormTunFlags:
		v, mask, err = f.parseFlags(s, tunFlagNames[:1], 1, "tunnel flag")
	case FormPacketType:
		v, err = ParsePacketType(s)
		mask = f.exact
	}
	whole := mask.And(f.exact) == f.exact
	if strings.Contains(s, "/") {
		whole = mask == Ones(f.NBytes*8)
	}
	if err == nil && !f.Maskable && !whole && !mask.IsZero() {
		err = fmt.Errorf("%s: invalid mask for field %s", s, f.Name)
	}
	return v, mask, err
}

// parseInteger reads decimal or 0x numbers.
func (f *Field) parseInteger(s string) (v, mask Value, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	if v, err = f.parseOne(vs, s, "value"); err != nil {
		return v, mask, err
	}
	if !masked {
		return v, Ones(f.NBytes * 8), nil
	}
	mask, err = f.parseOne(ms, s, "mask")
	return v, mask, err
}

// parseOne reads the value or the mask, which what says, of the text whole.
func (f *Field) parseOne(s, whole, what string) (Value, error) {
	v, fits, ok := ParseNumber(s)
	switch {
	case !ok:
		return Value{}, fmt.Errorf("%s: bad syntax for %s %s", whole, f.Name, what)
	case !fits || v.Len() > f.NBytes*8:
		return Value{}, fmt.Errorf("%s: %s too large for %d-byte field %s", whole, what, f.NBytes, f.Name)
	}
	return v, nil
}

func parseMACMasked(s string) (v, mask Value, err error) {
	a, m, masked := strings.Cut(s, "/")
	mac, ok := packet.ParseMAC(a)
	mm := packet.Broadcast
	if ok && masked {
		mm, ok = packet.ParseMAC(m)
	}
	if !ok {
		return v, mask, fmt.Errorf("%s: invalid Ethernet address", s)
	}
	return V(mac.Uint64()), V(mm.Uint64()), nil
}

// ParseIPv4Masked reads a.b.c.d, a.b.c.d/length or a.b.c.d/mask.
func ParseIPv4Masked(s string) (addr, mask uint32, err error) {
	a, m, masked := strings.Cut(s, "/")
	ip, e := netip.ParseAddr(a)
	if e != nil || !ip.Is4() {
		return 0, 0, fmt.Errorf("%s: invalid IP address", s)
	}
	b := ip.As4()
	addr = packet.Be32(b[:])
	if !masked {
		return addr, ^uint32(0), nil
	}
	if n, e := strconv.Atoi(m); e == nil {
		if n < 0 || n > 32 {
			return 0, 0, fmt.Errorf("%s: IPv4 network prefix bits not between 0 and 32, inclusive", s)
		}
		return addr, uint32(^uint64(0) << (32 - n)), nil
	}
	mip, e := netip.ParseAddr(m)
	if e != nil || !mip.Is4() {
		return 0, 0, fmt.Errorf("%s: invalid IP address", s)
	}
	b = mip.As4()
	return addr, packet.Be32(b[:]), nil
}

func parseIPv4Masked(s string) (v, mask Value, err error) {
	a, m, err := ParseIPv4Masked(s)
	return V(uint64(a)), V(uint64(m)), err
}

func parseIPv6Masked(s string) (v, mask Value, err error) {
	bad := func() error { return fmt.Errorf("%s: invalid IPv6 address", s) }
	a, m, masked := strings.Cut(s, "/")
	ip, e := netip.ParseAddr(a)
	if e != nil || !ip.Is6() || ip.Zone() != "" {
		return v, mask, bad()
	}
	b := ip.As16()
	v = ValueFromBytes(b[:])
	if !masked {
		return v, Ones(128), nil
	}
	if n, e := strconv.Atoi(m); e == nil {
		if n < 0 || n > 128 {
			return v, mask, fmt.Errorf("%s: IPv6 network prefix bits not between 0 and 128, inclusive", s)
		}
		return v, Ones(128).AndNot(Ones(128 - n)), nil
	}
	mip, e := netip.ParseAddr(m)
	if e != nil || !mip.Is6() || mip.Zone() != "" {
		return v, mask, bad()
	}
	b = mip.As16()
	return v, ValueFromBytes(b[:]), nil
}

func parseFrag(s string) (v, mask Value, err error) {
	for _, f := range fragNames {
		if strings.EqualFold(s, f.name) {
			return V(uint64(f.value)), V(uint64(f.mask)), nil
		}
	}
	return v, mask, fmt.Errorf("%s: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_later\"", s)
}

// ParseFlags reads flags as one of: +name-name (the named ones only),
// name|name (all allowed ones), a number, or number/mask. kind names the
// flags in errors.
func ParseFlags(s string, names []string, allowed uint32, kind string) (v, mask uint32, err error) {
	if s == "" {
		return 0, 0, fmt.Errorf("%s: unknown %s(s)", s, kind)
	}
	if s[0] == '+' || s[0] == '-' {
		return parseSignedFlags(s, names, kind)
	}
	if c := s[0]; c >= '0' && c <= '9' {
		vs, ms, masked := strings.Cut(s, "/")
		n, err := strconv.ParseUint(vs, 0, 32)
		m := uint64(allowed)
		if err == nil && masked {
			m, err = strconv.ParseUint(ms, 0, 32)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%s: unknown %s(s)", s, kind)
		}
		return uint32(n), uint32(m), nil
	}
	for w := range strings.SplitSeq(s, "|") {
		b, ok := flagBit(w, names)
		if !ok {
			return 0, 0, fmt.Errorf("%s: unknown %s(s)", w, kind)
		}
		v |= b
	}
	return v, allowed, nil
}

func parseSignedFlags(s string, names []string, kind string) (v, mask uint32, err error) {
	for s != "" {
		set := s[0] == '+'
		n := strings.IndexAny(s[1:], "+-") + 1
		if n == 0 {
			n = len(s)
		}
		b, ok := flagBit(s[1:n], names)
		if !ok {
			return 0, 0, fmt.Errorf("%s: unknown %s(s)", s[1:], kind)
		}
		if mask&b != 0 {
			return 0, 0, fmt.Errorf("%s: Each %s can be specified only once", s[1:n], kind)
		}
		mask |= b
		if set {
			v |= b
		}
		s = s[n:]
	}
	return v, mask, nil
}

func flagBit(name string, names []string) (uint32, bool) {
	for i, n := range names {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

func (f *Field) parseFlags(s string, names []string, allowed uint32, kind string) (Value, Value, error) {
	v, m, err := ParseFlags(s, names, allowed, kind)
	if err == nil && v&^allowed != 0 {
		err = fmt.Errorf("%s: unknown %s(s)", s, kind)
	}
	mask := V(uint64(m))
	if m == allowed {
		mask = f.exact
	}
	return V(uint64(v)), mask, err
}

// ParsePacketType reads (namespace,type), or namespace,type where a grammar has
// taken the parentheses away.
func ParsePacketType(s string) (Value, error) {
	if c := s; c != "" && c[0] >= '0' && c[0] <= '9' && strings.Contains(s, ",") {
		s = "(" + s + ")"
	}
	in, ok := strings.CutPrefix(s, "(")
	if !ok {
		return Value{}, fmt.Errorf("%s: bad syntax for packet type missing '('", s)
	}
	in, ok = strings.CutSuffix(in, ")")
	if !ok {
		return Value{}, fmt.Errorf("%s: bad syntax for packet type missing ')'", s)
	}
	ns, typ, _ := strings.Cut(in, ",")
	n, err1 := strconv.ParseUint(ns, 0, 16)
	t, err2 := strconv.ParseUint(typ, 0, 16)
	if err1 != nil || err2 != nil {
		return Value{}, fmt.Errorf("%s: bad syntax for packet type", s)
	}
	return V(n<<16 | t), nil
}

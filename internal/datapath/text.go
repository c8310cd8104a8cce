package datapath

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/packet"
)

// Namer translates between ports and their names in text. A nil Namer, or a
// nil member, prints numbers and parses only numbers.
type Namer struct {
	Name   func(PortNo) (string, bool)
	Number func(name string) (PortNo, bool)
}

// NumbersOnly is n for parsing names, but printing numbers.
func (n *Namer) NumbersOnly() *Namer {
	if n == nil {
		return nil
	}
	return &Namer{Number: n.Number}
}

// append adds the port's name, in quotes where it could be taken for syntax,
// or its number.
func (n *Namer) append(b []byte, no PortNo) []byte {
	if n != nil && n.Name != nil {
		if name, ok := n.Name(no); ok {
			return append(b, quotePortName(name)...)
		}
	}
	return strconv.AppendUint(b, uint64(no), 10)
}

// quotePortName puts a name in JSON quotes unless it is a plain word that
// doesn't start with a digit.
func quotePortName(name string) string {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return strconv.Quote(name)
	}
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return strconv.Quote(name)
		}
	}
	return name
}

// parse reads a port number or name.
func (n *Namer) parse(s string) (PortNo, bool) {
	if v, err := strconv.ParseUint(s, 0, 32); err == nil {
		return PortNo(v), true
	}
	if n == nil || n.Number == nil {
		return 0, false
	}
	if u, err := strconv.Unquote(s); err == nil {
		s = u
	}
	return n.Number(s)
}

// hexNum appends v as C's %#x does: "0", or "0x" and digits.
func hexNum(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// hex128 appends a 128-bit number in network order as %#x would.
func hex128(b []byte, v [16]byte) []byte {
	hi, lo := binary.BigEndian.Uint64(v[:8]), binary.BigEndian.Uint64(v[8:])
	if hi == 0 {
		return hexNum(b, lo)
	}
	return fmt.Appendf(b, "0x%x%016x", hi, lo)
}

// ipv6Text is the RFC 5952 form, with an IPv4-mapped tail as inet_ntop prints it.
func ipv6Text(v [16]byte) string { return netip.AddrFrom16(v).String() }

// parseNum reads "V" or "V/M" of at most bits bits, decimal or 0x. Without a
// mask, it is all ones.
func parseNum(s string, bits int) (v, m uint64, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	if v, err = strconv.ParseUint(vs, 0, 64); err != nil {
		return 0, 0, fmt.Errorf("%q is not a number", vs)
	}
	m = ^uint64(0) >> (64 - bits)
	if v > m {
		return 0, 0, fmt.Errorf("%q does not fit in %d bits", vs, bits)
	}
	if masked {
		full := m
		if m, err = strconv.ParseUint(ms, 0, 64); err != nil || m > full {
			return 0, 0, fmt.Errorf("%q is not a mask of %d bits", ms, bits)
		}
	}
	return v, m, nil
}

// parse128 reads "V" or "V/M" of 128 bits in network order.
func parse128(s string) (v, m [16]byte, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	if v, err = parseHex128(vs); err != nil {
		return v, m, err
	}
	for i := range m {
		m[i] = 0xff
	}
	if masked {
		m, err = parseHex128(ms)
	}
	return v, m, err
}

func parseHex128(s string) (v [16]byte, err error) {
	if h, ok := strings.CutPrefix(s, "0x"); ok && len(h) > 16 && len(h) <= 32 {
		if len(h)%2 != 0 {
			h = "0" + h
		}
		raw, err := hex.DecodeString(h)
		if err != nil {
			return v, fmt.Errorf("%q is not a number", s)
		}
		copy(v[16-len(raw):], raw)
		return v, nil
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return v, fmt.Errorf("%q is not a number", s)
	}
	binary.BigEndian.PutUint64(v[8:], n)
	return v, nil
}

func parseMACText(s string) (m packet.MAC, err error) {
	m, ok := packet.ParseMAC(s)
	if !ok {
		return m, fmt.Errorf("%q is not an Ethernet address", s)
	}
	return m, nil
}

// parseMAC reads "A" or "A/M".
func parseMAC(s string) (v, m packet.MAC, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	m = packet.Broadcast
	if v, err = parseMACText(vs); err == nil && masked {
		m, err = parseMACText(ms)
	}
	return v, m, err
}

// parseIPv4 reads "A" or "A/NETMASK".
func parseIPv4(s string) (v, m uint32, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	m = ^uint32(0)
	if v, err = parseIPv4Text(vs); err == nil && masked {
		m, err = parseIPv4Text(ms)
	}
	return v, m, err
}

func parseIPv4Text(s string) (uint32, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("%q is not an IPv4 address", s)
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:]), nil
}

// parseIPv6 reads "A" or "A/MASK".
func parseIPv6(s string) (v, m [16]byte, err error) {
	vs, ms, masked := strings.Cut(s, "/")
	for i := range m {
		m[i] = 0xff
	}
	if v, err = parseIPv6Text(vs); err == nil && masked {
		m, err = parseIPv6Text(ms)
	}
	return v, m, err
}

func parseIPv6Text(s string) (v [16]byte, err error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return v, fmt.Errorf("%q is not an IPv6 address", s)
	}
	return a.As16(), nil
}

// FormatUFID is "ufid:" and the UUID form.
func FormatUFID(u UFID) string {
	return fmt.Sprintf("ufid:%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// ParseUFID reads "ufid:UUID", and what follows a comma after it, if s starts so.
func ParseUFID(s string) (u UFID, rest string, ok bool, err error) {
	body, ok := strings.CutPrefix(s, "ufid:")
	if !ok {
		return u, s, false, nil
	}
	id, rest, _ := strings.Cut(body, ",")
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 || len(id) != 36 {
		return u, s, true, fmt.Errorf("%q is not a UFID", id)
	}
	copy(u[:], raw)
	return u, strings.TrimLeft(rest, " "), true, nil
}

// splitTop splits s at the commas that stand outside parentheses; empty parts
// are left out.
func splitTop(s string) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '{':
			depth++
		case ')', '}':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("unbalanced parenthesis in %q", s)
			}
		case ',':
			if depth == 0 {
				if p := strings.TrimSpace(s[start:i]); p != "" {
					parts = append(parts, p)
				}
				start = i + 1
			}
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("unbalanced parenthesis in %q", s)
	}
	if p := strings.TrimSpace(s[start:]); p != "" {
		parts = append(parts, p)
	}
	return parts, nil
}

// cutCall splits "name(body)"; without parentheses body is empty and call false.
func cutCall(s string) (name, body string, call bool, err error) {
	i := strings.IndexByte(s, '(')
	if i < 0 {
		return s, "", false, nil
	}
	if s[len(s)-1] != ')' {
		return s, "", false, fmt.Errorf("junk after parenthesis in %q", s)
	}
	return s[:i], s[i+1 : len(s)-1], true, nil
}

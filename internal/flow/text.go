package flow

import (
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/packet"
)

// Names of flags, from bit 0 up.
var (
	tcpFlagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"}
	ctStateNames = []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}
	tunFlagNames = []string{"oam", "df", "csum", "key"}
)

// fragNames are the values of nw_frag with the masks they stand for.
var fragNames = []struct {
	name        string
	value, mask uint8
}{
	{"no", 0, FragAny | FragLater},
	{"yes", FragAny, FragAny},
	{"first", FragAny, FragAny | FragLater},
	{"later", FragAny | FragLater, FragAny | FragLater},
	{"not_later", 0, FragLater},
}

// FormatIPv4 is the dotted form of an address.
func FormatIPv4(a uint32) string {
	return packet.Addr4(a).String()
}

// FormatIPv6 is the form that inet_ntop(3) gives: RFC 5952 with the last 32
// bits of v4-mapped and v4-compatible addresses dotted.
func FormatIPv6(a [16]byte) string {
	if packet.Be64(a[:8]) == 0 && packet.Be32(a[8:12]) == 0 && packet.Be32(a[12:]) > 0xffff {
		return "::" + FormatIPv4(packet.Be32(a[12:]))
	}
	return netip.AddrFrom16(a).String()
}

// FormatIPv4Masked prints address[/prefix-length] or address/mask.
func FormatIPv4Masked(a, mask uint32) string {
	s := FormatIPv4(a)
	switch n := bits.LeadingZeros32(^mask); {
	case n == 32:
		return s
	case mask<<n == 0:
		return s + "/" + strconv.Itoa(n)
	}
	return s + "/" + FormatIPv4(mask)
}

// FormatIPv6Masked prints address[/prefix-length] or address/mask.
func FormatIPv6Masked(a, mask [16]byte) string {
	s := FormatIPv6(a)
	v := ValueFromBytes(mask[:])
	n := 128 - Ones(128).AndNot(v).Len()
	switch {
	case n == 128:
		return s
	case v == Ones(128).AndNot(Ones(128-n)):
		return s + "/" + strconv.Itoa(n)
	}
	return s + "/" + FormatIPv6(mask)
}

// AltHex is C's %#x: no prefix for zero.
func AltHex(v uint64) string { return hexText(V(v)) }

// hexText is C's %#x: no prefix for zero.
func hexText(v Value) string {
	switch {
	case v.wide != "":
		return "0x" + strings.TrimLeft(hex.EncodeToString([]byte(v.wide)), "0") + fmt.Sprintf("%016x%016x", v.Hi, v.Lo)
	case v.Hi != 0:
		return fmt.Sprintf("0x%x%016x", v.Hi, v.Lo)
	case v.Lo == 0:
		return "0"
	}
	return "0x" + strconv.FormatUint(v.Lo, 16)
}

// FlagNames joins the names of the bits that are one by sep; bits without a
// name follow as one number; no bit at all is "0".
func FlagNames(v uint32, names []string, sep string) string {
	if v == 0 {
		return "0"
	}
	var out []string
	for i, n := range names {
		if v&(1<<i) != 0 {
			out = append(out, n)
			v &^= 1 << i
		}
	}
	if v != 0 {
		out = append(out, fmt.Sprintf("0x%x", v))
	}
	return strings.Join(out, sep)
}

// FlagSigns prints +name for masked bits that are one and -name for those that
// are zero.
func FlagSigns(v, mask uint32, names []string) string {
	if mask == 0 {
		return "0/0"
	}
	var b strings.Builder
	for i, n := range names {
		if mask&(1<<i) != 0 {
			b.WriteByte("-+"[v>>i&1])
			b.WriteString(n)
		}
	}
	return b.String()
}

// CTStateNames are the flags of ct_state from bit 0 up.
func CTStateNames() []string { return ctStateNames }

// FormatCTState prints the flags of a connection state, "new|trk".
func FormatCTState(state uint8) string {
	return formatFlags(V(uint64(state)), V(0xff), true, ctStateNames)
}

// FormatPacketType prints (namespace,type): types of one digit are decimal, others
// hexadecimal.
func FormatPacketType(pt uint32) string {
	if t := pt & 0xffff; t > 9 {
		return fmt.Sprintf("(%d,0x%x)", pt>>16, t)
	}
	return fmt.Sprintf("(%d,%d)", pt>>16, pt&0xffff)
}

// FormatValue prints a value of the field with its mask, as the field's form
// has it.
func (f *Field) FormatValue(v, mask Value, names PortNames) string {
	exact := mask.And(f.exact) == f.exact
	switch f.Form {
	case FormIPv4:
		return FormatIPv4Masked(uint32(v.Lo), uint32(mask.Lo))
	case FormIPv6:
		var a, m [16]byte
		v.PutBytes(a[:])
		mask.PutBytes(m[:])
		return FormatIPv6Masked(a, m)
	case FormEthernet:
		s := packet.MACFromUint64(v.Lo).String()
		if !exact {
			s += "/" + packet.MACFromUint64(mask.Lo).String()
		}
		return s
	case FormPort10:
		return FormatPort(PortFrom10(uint16(v.Lo)), names)
	case FormPort11:
		return FormatPort(uint32(v.Lo), names)
	case FormFrag:
		return FormatFrag(uint8(v.Lo), uint8(mask.Lo))
	case FormTCPFlags:
		return formatFlags(v, mask, exact, tcpFlagNames)
	case FormCTState:
		return formatFlags(v, mask, exact, ctStateNames)
	case FormTunFlags:
		return formatFlags(v, mask, exact, tunFlagNames[:1])
	case FormPacketType:
		return FormatPacketType(uint32(v.Lo))
	case FormDecimal:
		if exact && v.Hi == 0 {
			return strconv.FormatUint(v.Lo, 10)
		}
	}
	if exact {
		return hexText(v)
	}
	return hexText(v) + "/" + hexText(mask)
}

// FormatSet prints what a masked set_field sets: as FormatValue, but decimal
// values stay decimal beside their mask, as parts of ports are.
func (f *Field) FormatSet(v, mask Value, names PortNames) string {
	decimal := f.Form == FormDecimal || f.Form == FormPort10 || f.Form == FormPort11
	if !decimal || v.Hi != 0 || mask.And(f.exact) == f.exact {
		return f.FormatValue(v, mask, names)
	}
	return strconv.FormatUint(v.Lo, 10) + "/" + hexText(mask)
}

func formatFlags(v, mask Value, exact bool, names []string) string {
	if exact {
		return FlagNames(uint32(v.Lo), names, "|")
	}
	return FlagSigns(uint32(v.Lo), uint32(mask.Lo), names)
}

// FormatFrag prints a value of nw_frag.
func FormatFrag(v, mask uint8) string {
	for _, f := range fragNames {
		if f.mask == mask && f.value == v {
			return f.name
		}
	}
	return "<error>"
}

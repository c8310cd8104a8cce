package flow

import (
	"fmt"
	"strconv"
	"strings"
)

// Reserved OpenFlow ports as they stand in Key.InPort (OpenFlow 1.5.1, 7.2.1).
const (
	PortMax   = 0xffffff00
	PortLocal = 0xfffffffe
	PortNone  = 0xffffffff
)

// The reserved ports of OpenFlow 1.0 begin here; 32-bit ones are 0xffff0000 more.
const (
	portMax10    = 0xff00
	portReserved = 0xfffffff7
	portOffset10 = 0xffff0000
	portNone10   = 0xffff
	portFirst10  = 0xfff7
)

var portNames = [...]string{"UNSET", "IN_PORT", "TABLE", "NORMAL", "FLOOD", "ALL", "CONTROLLER", "LOCAL", "ANY"}

// PortNames gives ports names, so that text can say them. A nil PortNames
// knows only the reserved ones.
type PortNames interface {
	PortName(port uint32) (string, bool)
	PortNumber(name string) (uint32, bool)
}

// PortTo10 folds a port to the 16 bits of OpenFlow 1.0; ports that don't fit
// become NONE.
func PortTo10(p uint32) uint16 {
	switch {
	case p < portMax10:
		return uint16(p)
	case p >= PortMax:
		return uint16(p - portOffset10)
	}
	return portNone10
}

// PortFrom10 is the inverse of [PortTo10].
func PortFrom10(p uint16) uint32 {
	if p < portMax10 {
		return uint32(p)
	}
	return uint32(p) + portOffset10
}

// FormatPort prints a port: its reserved name, its name quoted where that is
// needed, or its number.
func FormatPort(p uint32, names PortNames) string {
	if p == PortNone {
		return "ANY"
	}
	if p >= portReserved {
		return portNames[p-portReserved]
	}
	if names != nil {
		if n, ok := names.PortName(p); ok {
			return QuotePortName(n)
		}
	}
	if p >= PortMax {
		p -= portOffset10
	}
	return strconv.FormatUint(uint64(p), 10)
}

// QuotePortName quotes a name that would not be read back as a name.
func QuotePortName(n string) string {
	for i := range len(n) {
		c := n[i]
		alnum := c >= '0' && c <= '9' && i > 0 || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !alnum && (i == 0 || c != '_' && c != '.') {
			return strconv.Quote(n)
		}
	}
	return n
}

// PortError says that a text names no port.
type PortError struct {
	Text  string
	Field *Field
}

// Range says what is wrong with a number that no port can have, "" for text that
// isn't a number.
func (e *PortError) Range() string {
	if n, err := strconv.ParseUint(e.Text, 10, 32); err == nil && n >= portMax10 && n < PortMax {
		return fmt.Sprintf("port %d is outside the supported range 0 through %x or 0x%x through 0x%x",
			n, portNone10, uint32(PortMax), uint32(PortNone))
	}
	return ""
}

// Error implements error.
func (e *PortError) Error() string {
	if e.Field.Form == FormPort11 {
		return fmt.Sprintf("%s: port value out of range for %s", e.Text, e.Field.Name)
	}
	return fmt.Sprintf("%s: invalid or unknown port for %s", e.Text, e.Field.Name)
}

// ParsePort reads a port: a decimal number of 16 bits (where the reserved ones of
// OpenFlow 1.0 are meant) or 32, a reserved name in any case, or a name.
func ParsePort(s string, names PortNames) (uint32, bool) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		p := uint32(n)
		if p >= portMax10 && p <= portNone10 {
			return p + portOffset10, true
		}
		if p >= portMax10 && p < PortMax || p > PortMax && p < portReserved {
			return 0, false
		}
		return p, true
	}
	if strings.EqualFold(s, "NONE") {
		return PortNone, true
	}
	for i, n := range portNames {
		if strings.EqualFold(s, n) {
			return portReserved + uint32(i), true
		}
	}
	if names != nil {
		if u, err := strconv.Unquote(s); err == nil {
			s = u
		}
		return names.PortNumber(s)
	}
	return 0, false
}

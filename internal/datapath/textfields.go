package datapath

import (
	"strconv"

	"weir/internal/packet"
)

// fieldWriter prints "name(member=value/mask,...)" groups. A member whose mask
// is zero is left out, unless all is set; one whose mask is full shows no mask.
type fieldWriter struct {
	b     []byte
	all   bool
	first bool // no member written yet
}

// open starts a group.
func (w *fieldWriter) open(name string) {
	if len(w.b) > 0 && w.b[len(w.b)-1] != '(' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(w.b, name...), '(')
	w.first = true
}

func (w *fieldWriter) close() { w.b = append(w.b, ')'); w.first = false }

// member starts a member; false says that it is not to be shown.
func (w *fieldWriter) member(name string, zero bool) bool {
	if zero && !w.all {
		return false
	}
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
	if name != "" {
		w.b = append(append(w.b, name...), '=')
	}
	return true
}

// dec prints value in decimal, mask in hexadecimal (zero as "0").
func (w *fieldWriter) dec(name string, v, m, full uint64) {
	if w.member(name, m == 0) {
		w.b = strconv.AppendUint(w.b, v, 10)
		if m != full {
			w.b = hexNum(append(w.b, '/'), m)
		}
	}
}

// dec0x is dec with a zero mask printed "0x0", and left out only where the
// value is zero too.
func (w *fieldWriter) dec0x(name string, v, m, full uint64) {
	if w.member(name, m|v == 0) {
		w.b = strconv.AppendUint(w.b, v, 10)
		if m != full {
			w.b = strconv.AppendUint(append(w.b, "/0x"...), m, 16)
		}
	}
}

// hex prints value and mask in hexadecimal.
func (w *fieldWriter) hex(name string, v, m, full uint64) {
	if w.member(name, m == 0) {
		w.b = hexNum(w.b, v)
		if m != full {
			w.b = hexNum(append(w.b, '/'), m)
		}
	}
}

func (w *fieldWriter) mac(name string, v, m packet.MAC) {
	if w.member(name, m.IsZero()) {
		w.b = append(w.b, v.String()...)
		if m != packet.Broadcast {
			w.b = append(append(w.b, '/'), m.String()...)
		}
	}
}

func (w *fieldWriter) ipv4(name string, v, m uint32) {
	if w.member(name, m == 0) {
		w.b = packet.Addr4(v).AppendTo(w.b)
		if m != ^uint32(0) {
			w.b = packet.Addr4(m).AppendTo(append(w.b, '/'))
		}
	}
}

var ones128 = [16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}

func (w *fieldWriter) ipv6(name string, v, m [16]byte) {
	if w.member(name, m == [16]byte{}) {
		w.b = append(w.b, ipv6Text(v)...)
		if m != ones128 {
			w.b = append(append(w.b, '/'), ipv6Text(m)...)
		}
	}
}

func (w *fieldWriter) hex128(name string, v, m [16]byte) {
	if w.member(name, m == [16]byte{}) {
		w.b = hex128(w.b, v)
		if m != ones128 {
			w.b = hex128(append(w.b, '/'), m)
		}
	}
}

func (w *fieldWriter) text(name, v string) {
	if w.member(name, false) {
		w.b = append(w.b, v...)
	}
}

// flagName is one bit of a set of flags.
type flagName struct {
	bit  uint32
	name string
}

var tcpFlagNames = []flagName{
	{0x001, "fin"}, {0x002, "syn"}, {0x004, "rst"}, {0x008, "psh"}, {0x010, "ack"}, {0x020, "urg"},
	{0x040, "ece"}, {0x080, "cwr"}, {0x100, "ns"},
}

var ctStateNames = []flagName{
	{0x01, "new"}, {0x02, "est"}, {0x04, "rel"}, {0x08, "rpl"}, {0x10, "inv"}, {0x20, "trk"},
	{0x40, "snat"}, {0x80, "dnat"},
}

var tunFlagNames = []flagName{{2, "df"}, {4, "csum"}, {8, "key"}, {1, "oam"}}

// flags prints "a|b" when the mask is full, else "+a-b".
func (w *fieldWriter) flags(v, m, full uint32, names []flagName) {
	if m&full != full {
		for _, f := range names {
			if m&f.bit != 0 {
				sign := byte('-')
				if v&f.bit != 0 {
					sign = '+'
				}
				w.b = append(append(w.b, sign), f.name...)
			}
		}
		return
	}
	rest, start := v, len(w.b)
	for _, f := range names {
		if v&f.bit != 0 {
			if len(w.b) > start {
				w.b = append(w.b, '|')
			}
			w.b = append(w.b, f.name...)
			rest &^= f.bit
		}
	}
	switch {
	case v == 0:
		w.b = append(w.b, '0')
	case rest != 0:
		if len(w.b) > start {
			w.b = append(w.b, '|')
		}
		w.b = append(strconv.AppendUint(append(w.b, '['), uint64(rest), 16), ']')
	}
}

// parseFlags reads "a|b", "+a-b" or a number with an optional mask.
func parseFlags(s string, full uint32, names []flagName) (v, m uint32, ok bool) {
	if s == "" {
		return 0, full, true
	}
	if n, nm, err := parseNum(s, 32); err == nil {
		if uint32(nm) == ^uint32(0) {
			nm = uint64(full)
		}
		return uint32(n), uint32(nm), true
	}
	signed := s[0] == '+' || s[0] == '-'
	if !signed {
		m = full
	}
	for s != "" {
		add := true
		if signed {
			add = s[0] == '+'
			s = s[1:]
		}
		end := 0
		for end < len(s) && s[end] != '|' && s[end] != '+' && s[end] != '-' {
			end++
		}
		bit, known := flagBit(s[:end], names)
		if !known {
			return 0, 0, false
		}
		if add {
			v |= bit
		}
		if signed {
			m |= bit
		}
		s = s[end:]
		if !signed && s != "" {
			s = s[1:]
		}
	}
	return v, m, true
}

func flagBit(name string, names []flagName) (uint32, bool) {
	for _, f := range names {
		if f.name == name {
			return f.bit, true
		}
	}
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		n, err := strconv.ParseUint(name[1:len(name)-1], 16, 32)
		return uint32(n), err == nil
	}
	return 0, false
}

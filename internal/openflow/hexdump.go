package openflow

import (
	"fmt"
	"strings"
)

// HexDump prints b sixteen bytes a line, numbered from ofs, with the
// characters at the right when ascii, as Open vSwitch does.
func HexDump(b []byte, ofs int, ascii bool) string {
	const per = 16
	var s strings.Builder
	for len(b) > 0 {
		start := ofs % per
		n := min(per-start, len(b))
		fmt.Fprintf(&s, "%08x ", ofs/per*per)
		for i := range per {
			switch {
			case i < start:
				s.WriteString("   ")
			case i < start+n:
				sep := byte(' ')
				if i == per/2 {
					sep = '-'
				}
				fmt.Fprintf(&s, "%c%02x", sep, b[i-start])
			case ascii && i == per/2 && start+n == per/2:
				s.WriteString("-  ") // between the halves, when the first is full
			case ascii:
				s.WriteString("   ")
			}
		}
		if ascii {
			dumpASCII(&s, b[:n], start)
		}
		s.WriteByte('\n')
		b = b[n:]
		ofs += n
	}
	return s.String()
}

func dumpASCII(s *strings.Builder, b []byte, start int) {
	s.WriteString(" |")
	for i := range 16 {
		switch {
		case i < start || i >= start+len(b):
			s.WriteByte(' ')
		case b[i-start] >= 32 && b[i-start] < 127:
			s.WriteByte(b[i-start])
		default:
			s.WriteByte('.')
		}
	}
	s.WriteByte('|')
}

// logDump is a dump as it stands in log messages: a last line of eight bytes
// ends with the dash between the halves, and there is no newline after it.
func logDump(b []byte) string {
	s := strings.TrimSuffix(HexDump(b, 0, false), "\n")
	if len(b)%16 == 8 {
		s += "-"
	}
	return s
}

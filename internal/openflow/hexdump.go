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
			case ascii:
				s.WriteString("   ")
			}
		}
		// Between the halves stands a dash when the first half is full.
		if start+n == per/2 {
			s.WriteByte('-')
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

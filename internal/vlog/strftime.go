package vlog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// strftimeLayouts gives the conversions of strftime(3), in the C locale, that
// package time can express.
var strftimeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002",
	'm': "01", 'M': "04", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05",
	'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

// strftime formats t as strftime(3) does; in addition each run of # becomes the
// fraction of the second, in milliseconds with zeros after the third place.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	fraction := fmt.Sprintf("%03d", t.Nanosecond()/1e6)
	digits := 0
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '#' {
			if digits < len(fraction) {
				b.WriteByte(fraction[digits])
			} else {
				b.WriteByte('0')
			}
			digits++
			continue
		}
		digits = 0
		if c != '%' || i+1 == len(format) {
			b.WriteByte(c)
			continue
		}
		i++
		b.WriteString(conversion(t, format[i]))
	}
	return b.String()
}

func conversion(t time.Time, c byte) string {
	if layout, ok := strftimeLayouts[c]; ok {
		return t.Format(layout)
	}
	switch c {
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1)
	case 'n':
		return "\n"
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 't':
		return "\t"
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case '%':
		return "%"
	default:
		return "%" + string(c)
	}
}

package vlog

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Default patterns: of console, syslog and file lines, and what stands before a
// line sent to a syslog socket (ovs-appctl(8), vlog/set PATTERN).
const (
	syslogPrefix   = "<%B> %D{%h %e %T} %E %A:"
	syslogPattern  = "ovs|%05N|%c%T|%p|%m"
	consolePattern = "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m"
	filePattern    = "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m"
)

// record is one message with all that a pattern can ask of it.
type record struct {
	time       time.Time
	seq        uint32
	module     string
	level      Level
	message    string
	facility   int
	program    string
	subprogram string
}

// format expands the pattern for the record. Unknown escapes are kept as they
// are.
func (r *record) format(pattern string) string {
	var b strings.Builder
	for p := pattern; p != ""; {
		i := strings.IndexByte(p, '%')
		if i < 0 || i == len(p)-1 {
			b.WriteString(p)
			break
		}
		b.WriteString(p[:i])
		var e escape
		e, p = scanEscape(p[i+1:])
		e.pad(&b, r.expand(e))
	}
	return b.String()
}

// escape is one % sequence: flags, field width, letter, and the text in braces.
type escape struct {
	left, zero bool
	width      int
	letter     byte
	arg        string
}

// maxWidth bounds a field width, lest a pattern make every line huge.
const maxWidth = 1024

func scanEscape(p string) (e escape, rest string) {
	for p != "" && (p[0] == '-' || p[0] == '0') {
		e.left = e.left || p[0] == '-'
		e.zero = e.zero || p[0] == '0'
		p = p[1:]
	}
	for p != "" && p[0] >= '0' && p[0] <= '9' {
		e.width = min(e.width*10+int(p[0]-'0'), maxWidth)
		p = p[1:]
	}
	if p == "" {
		return e, ""
	}
	e.letter, p = p[0], p[1:]
	if strings.HasPrefix(p, "{") {
		if end := strings.IndexByte(p, '}'); end > 0 {
			e.arg, p = p[1:end], p[end+1:]
		}
	}
	return e, p
}

func (e escape) pad(b *strings.Builder, s string) {
	fill := " "
	if e.zero {
		fill = "0"
	}
	n := max(e.width-len(s), 0)
	if e.left {
		b.WriteString(s + strings.Repeat(fill, n))
	} else {
		b.WriteString(strings.Repeat(fill, n) + s)
	}
}

func (r *record) expand(e escape) string {
	switch e.letter {
	case 'A':
		return r.program
	case 'B':
		facility := r.facility
		if facility < 0 {
			facility = remoteFacility
		}
		return strconv.Itoa(facility<<3 | syslogSeverity[r.level])
	case 'c':
		return r.module
	case 'd', 'D':
		return r.date(e)
	case 'E':
		host, err := os.Hostname()
		if err != nil {
			return "-"
		}
		return host
	case 'm':
		return r.message
	case 'N':
		return strconv.FormatUint(uint64(r.seq), 10)
	case 'n':
		return "\n"
	case 'p':
		return r.level.String()
	case 'P':
		return strconv.Itoa(os.Getpid())
	case 'r':
		return strconv.FormatInt(r.time.Sub(start).Milliseconds(), 10)
	case 't':
		if r.subprogram == "" {
			return "main"
		}
		return r.subprogram
	case 'T':
		if r.subprogram == "" {
			return ""
		}
		return "(" + r.subprogram + ")"
	case 0: // the pattern ends within the escape
		return ""
	default:
		return string(e.letter)
	}
}

func (r *record) date(e escape) string {
	t := r.time
	if e.letter == 'D' {
		t = t.UTC()
	}
	if e.arg == "" {
		return strftime(t, "%Y-%m-%d %H:%M:%S")
	}
	return strftime(t, e.arg)
}

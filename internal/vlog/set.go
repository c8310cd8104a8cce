package vlog

import (
	"fmt"
	"strings"
)

// SetLevel sets the level of a module for a destination. A nil module means all
// of them.
func SetLevel(m *Module, d Dest, l Level) {
	for i := range modules {
		if m == nil || m == &modules[i] {
			modules[i].levels[d].Store(uint32(l))
			modules[i].update(FileOpen())
		}
	}
}

func (m *Module) update(fileOpen bool) {
	l := max(m.Level(Console), m.Level(Syslog))
	if fileOpen {
		l = max(l, m.Level(File))
	}
	m.enabled.Store(uint32(l))
}

func updateAll() {
	open := FileOpen()
	for i := range modules {
		modules[i].update(open)
	}
}

// Set applies one specification of -v or vlog/set: words separated by spaces,
// commas or colons (module, destination, level), PATTERN:destination:pattern or
// FACILITY:facility. An empty one sets everything to Dbg. The error's text is
// what users know.
func Set(spec string) error {
	words := strings.FieldsFunc(spec, func(r rune) bool { return strings.ContainsRune(" ,:", r) })
	if len(words) > 0 && strings.EqualFold(words[0], "PATTERN") {
		return setPattern(spec)
	}
	if len(words) > 0 && strings.EqualFold(words[0], "FACILITY") {
		return setFacility(words[1:])
	}
	return setLevels(words)
}

// setPattern sets the pattern of a destination: all that follows the second
// separator.
func setPattern(spec string) error {
	_, rest, _ := strings.Cut(spec, ":")
	name, pattern, _ := strings.Cut(rest, ":")
	if name == "" {
		return fmt.Errorf("missing destination")
	}
	d, ok := ParseDest(name)
	if !ok && !strings.EqualFold(name, "any") {
		return fmt.Errorf("unknown destination \"%s\"", name)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	for i := range out.patterns {
		if !ok || Dest(i) == d {
			out.patterns[i] = pattern
		}
	}
	return nil
}

func setFacility(words []string) error {
	f, ok := facilities[strings.ToLower(strings.Join(words, ":"))]
	if !ok {
		return fmt.Errorf("invalid facility")
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	out.facility = f
	return nil
}

func setLevels(words []string) error {
	var module *Module
	dest, level := numDests, Dbg
	haveLevel := false
	for _, w := range words {
		if strings.EqualFold(w, "ANY") {
			continue
		}
		if d, ok := ParseDest(w); ok {
			if dest != numDests {
				return fmt.Errorf("cannot specify multiple destinations")
			}
			dest = d
		} else if l, ok := ParseLevel(w); ok {
			if haveLevel {
				return fmt.Errorf("cannot specify multiple levels")
			}
			level, haveLevel = l, true
		} else if m := lookup(strings.ReplaceAll(strings.ToLower(w), "-", "_")); m != nil {
			if module != nil {
				return fmt.Errorf("cannot specify multiple modules")
			}
			module = m
		} else {
			return fmt.Errorf("no destination, level, or module \"%s\"", w)
		}
	}
	for d := range numDests {
		if dest == numDests || dest == d {
			SetLevel(module, d, level)
		}
	}
	return nil
}

// Levels is the levels of a module's messages at each destination.
type Levels struct {
	Module      string `json:"module"`
	Console     string `json:"console"`
	Syslog      string `json:"syslog"`
	File        string `json:"file"`
	RateLimited bool   `json:"rate_limiting"`
}

// Table is the levels of all modules.
type Table []Levels

// List returns what vlog/list shows.
func List() (t Table) {
	for i := range modules {
		m := &modules[i]
		t = append(t, Levels{m.name, m.Level(Console).String(), m.Level(Syslog).String(), m.Level(File).String(), !m.unlimited.Load()})
	}
	return t
}

// String is the table that vlog/list prints.
func (t Table) String() string {
	var b strings.Builder
	b.WriteString("                 console    syslog    file\n")
	b.WriteString("                 -------    ------    ------\n")
	for _, m := range t {
		fmt.Fprintf(&b, "%-16s  %4s       %4s       %4s", m.Module, m.Console, m.Syslog, m.File)
		if !m.RateLimited {
			b.WriteString("    (rate limiting disabled)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Pattern is how messages are formatted at a destination.
type Pattern struct {
	Destination string `json:"destination"`
	Prefix      string `json:"prefix"` // before the message, for syslog only
	Format      string `json:"format"`
}

// Patterns is those of all destinations.
type Patterns []Pattern

// ListPattern returns what vlog/list-pattern shows.
func ListPattern() (ps Patterns) {
	out.mu.Lock()
	defer out.mu.Unlock()
	for d := range numDests {
		prefix := "none"
		if d == Syslog {
			prefix = syslogPrefix
		}
		ps = append(ps, Pattern{fmt.Sprint(d), prefix, out.patterns[d]})
	}
	return ps
}

// String is the table that vlog/list-pattern prints.
func (ps Patterns) String() string {
	var b strings.Builder
	b.WriteString("         prefix                            format\n")
	b.WriteString("         ------                            ------\n")
	for _, p := range ps {
		fmt.Fprintf(&b, "%-7s  %-32s  %s\n", p.Destination, p.Prefix, p.Format)
	}
	return b.String()
}

// SetRateLimits turns the rate limits of the named modules on or off, or those of
// all modules where there is none.
func SetRateLimits(on bool, names []string) error {
	for _, name := range names {
		if lookup(name) == nil {
			return fmt.Errorf("unknown module")
		}
	}
	for _, name := range names {
		lookup(name).unlimited.Store(!on)
	}
	if len(names) == 0 {
		for i := range modules {
			modules[i].unlimited.Store(!on)
		}
	}
	return nil
}

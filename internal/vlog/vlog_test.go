package vlog

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// capture sends the console's lines to a buffer for the rest of the test, and
// puts all settings back after it.
func capture(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	patterns, facility := out.patterns, out.facility
	out.console = &b
	SetLevel(nil, Syslog, Off)
	t.Cleanup(func() {
		CloseFile()
		out.fileName = ""
		out.console, out.patterns, out.facility = os.Stderr, patterns, facility
		for d := range numDests {
			SetLevel(nil, d, Info)
		}
		_ = SetRateLimits(true, nil)
	})
	return &b
}

func TestModuleTableIsSorted(t *testing.T) {
	if !slices.IsSorted(moduleNames[:]) {
		t.Error("For searches the table by halves: it must be sorted")
	}
}

func TestLineFormat(t *testing.T) {
	b := capture(t)
	For("vconn").Info("hello %d", 7)
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d{5,}\|vconn\|INFO\|hello 7\n$`).MatchString(b.String()) {
		t.Errorf("line is %q", b)
	}
}

func TestSet(t *testing.T) {
	const all = "no destination, level, or module "
	for _, tc := range []struct{ spec, module, want, err string }{
		{"", "vconn", "DBG DBG DBG", ""},
		{"vconn", "vconn", "DBG DBG DBG", ""},
		{"vconn:file:warn", "vconn", "OFF INFO WARN", ""},
		{"file,vconn,warn", "vconn", "OFF INFO WARN", ""},
		{"CONSOLE err", "rconn", "OFF ERR INFO", ""},
		{"any:dbg", "rconn", "DBG DBG DBG", ""},
		{"foo", "", "", all + `"foo"`},
		{"vconn:bar", "", "", all + `"bar"`},
		{"file:console", "", "", "cannot specify multiple destinations"},
		{"dbg,info", "", "", "cannot specify multiple levels"},
		{"vconn:unixctl", "", "", "cannot specify multiple modules"},
		{"PATTERN:foo:x", "", "", `unknown destination "foo"`},
		{"PATTERN", "", "", "missing destination"},
		{"FACILITY:foo", "", "", "invalid facility"},
		{"FACILITY", "", "", "invalid facility"},
		{"FACILITY:local7", "vconn", "OFF INFO INFO", ""},
	} {
		t.Run(tc.spec, func(t *testing.T) {
			capture(t)
			text := ""
			if err := Set(tc.spec); err != nil {
				text = err.Error()
			}
			if text != tc.err {
				t.Fatalf("error %q, want %q", text, tc.err)
			}
			if tc.err != "" {
				return
			}
			m := For(tc.module)
			got := m.Level(Syslog).String() + " " + m.Level(Console).String() + " " + m.Level(File).String()
			if got != tc.want {
				t.Errorf("levels syslog, console, file: %s, want %s", got, tc.want)
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	r := record{
		time: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), seq: 42, module: "vconn", level: Warn,
		message: "text", facility: 16, program: "prog",
	}
	sub := r
	sub.subprogram = "monitor"
	for _, tc := range []struct {
		r             record
		pattern, want string
	}{
		{r, filePattern, "2026-01-02T03:04:05.678Z|00042|vconn|WARN|text"},
		{sub, consolePattern, "2026-01-02T03:04:05Z|00042|vconn(monitor)|WARN|text"},
		{r, "%B %D{%h %e %T} %A:", "132 Jan  2 03:04:05 prog:"},
		{record{facility: -1, level: Info}, "<%B>", "<133>"},
		{r, "[%8p][%-8p][%04N]%%%n", "[    WARN][WARN    ][0042]%\n"},
		{r, "%t%D{#######}", "main6780000"},
		{sub, "%t %D", "monitor 2026-01-02 03:04:05"},
		{r, "%", "%"},
		{r, "%5", "     "},
		{r, "%D{", "2026-01-02 03:04:05{"},
	} {
		if got := tc.r.format(tc.pattern); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.pattern, got, tc.want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(filePattern)
	f.Add("%-0999999999999999m%{")
	f.Fuzz(func(t *testing.T, pattern string) {
		r := record{time: time.Unix(0, 0), message: "x"}
		r.format(pattern)
		_ = Set(pattern)
	})
}

func TestRateLimit(t *testing.T) {
	b := capture(t)
	virtual := time.Unix(1000, 0)
	SetNow(func() time.Time { return virtual })
	defer SetNow(time.Now)
	rl := &RateLimit{PerMinute: 1, Burst: 3}
	m := For("vconn")
	say := func(n int) (lines []string) {
		b.Reset()
		for range n {
			m.WarnRL(rl, "again")
		}
		for line := range strings.Lines(b.String()) {
			lines = append(lines, line[strings.LastIndex(line, "|")+1:len(line)-1])
		}
		return lines
	}
	if diff := cmp.Diff([]string{"again", "again", "again"}, say(5)); diff != "" {
		t.Error("burst:", diff)
	}
	virtual = virtual.Add(20 * time.Second)
	if got := say(1); got != nil {
		t.Errorf("got %q before a token was due", got)
	}
	virtual = virtual.Add(40 * time.Second)
	want := []string{"Dropped 3 log messages in last 60 seconds (most recently, 40 seconds ago) due to excessive rate", "again"}
	if diff := cmp.Diff(want, say(1)); diff != "" {
		t.Error("after a minute:", diff)
	}
	if err := SetRateLimits(false, []string{"vconn"}); err != nil {
		t.Fatal(err)
	}
	if got := say(7); len(got) != 7 {
		t.Errorf("without limit: %q", got)
	}
	if err := SetRateLimits(true, []string{"nonesuch"}); err == nil || err.Error() != "unknown module" {
		t.Errorf("unknown module: error %v", err)
	}
}

func TestLogFile(t *testing.T) {
	capture(t)
	name := filepath.Join(t.TempDir(), "x.log")
	read := func(file string) string {
		t.Helper()
		s, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	if err := SetLogFile(name); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(name), "|vlog|INFO|opened log file "+name+"\n") {
		t.Errorf("log is %q", read(name))
	}
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	if err := Reopen(); err != nil {
		t.Fatal(err)
	}
	For("vconn").Info("new")
	if !strings.Contains(read(name), "|vconn|INFO|new\n") || strings.Contains(read(name+".old"), "|new\n") {
		t.Errorf("after reopening: %q and %q", read(name+".old"), read(name))
	}
	CloseFile()
	For("vconn").Info("lost")
	if strings.Contains(read(name), "lost") {
		t.Error("a closed log file was written")
	}
	if err := SetLogFile("/nonexistent/x.log"); err == nil {
		t.Error("no error for a directory that doesn't exist")
	}
}

func TestDisabledCostsNothing(t *testing.T) {
	capture(t)
	m := For("vconn")
	if n := testing.AllocsPerRun(100, func() {
		if m.Enabled(Dbg) {
			t.Error("debugging is on by default")
		}
	}); n != 0 {
		t.Errorf("Enabled allocates %v times", n)
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is what `go test -json` prints of one thing that happened (go doc
// test2json; build events: go help buildjson).
type event struct {
	Action, Package, Test, Output, ImportPath string
	FailedBuild                               string
}

// place is a test, or with no test what a package does outside of them.
type place struct{ pkg, test string }

// report gathers events. One goroutine owns it.
type report struct {
	out    io.Writer
	output map[place][]string // of what runs
	failed []failure          // in the order in which they ended
}

// failure is a test, a package or a build that failed, and what it printed.
type failure struct {
	place
	lines []string
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[place][]string{}}
}

// read takes events until there are no more. Lines that are none are passed on.
func (r *report) read(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				r.take(&e)
			} else {
				fmt.Fprintf(r.out, "%s", line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e *event) {
	at := place{e.Package, e.Test}
	if at.pkg == "" {
		at.pkg = e.ImportPath
	}
	switch e.Action {
	case "output", "build-output":
		r.output[at] = append(r.output[at], e.Output)
		if e.Test == "" && packageLine.MatchString(e.Output) {
			fmt.Fprint(r.out, e.Output)
		}
	case "fail", "build-fail":
		r.failed = append(r.failed, failure{at, r.output[at]})
		delete(r.output, at)
	case "pass", "skip":
		delete(r.output, at)
	}
}

// packageLine is how `go test` tells the outcome of a package.
var packageLine = regexp.MustCompile(`^(ok  |FAIL|\?   )\t.*\n$`)

// logLine is a line of the programs' logs below the level of errors: DATE|SEQ|MODULE|LEVEL|MESSAGE.
var logLine = regexp.MustCompile(`^\s*(\S+: )?\d{4}-\d\d-\d\dT[0-9:.]+Z?\|\d+\|\S*\|(INFO|DBG|WARN)\|`)

// Of a failure, so many lines at its beginning and at its end are shown.
const (
	headLines = 25
	tailLines = 15
)

// summary prints what failed. A test that failed only because one of its subtests
// did, and a package that failed because of its tests, have nothing to add.
func (r *report) summary() {
	var shown []failure
	for _, f := range r.failed {
		f.lines = trim(f.lines)
		if len(f.lines) > 0 || !r.explained(f.place) {
			shown = append(shown, f)
		}
	}
	if len(shown) == 0 {
		return
	}
	fmt.Fprintf(r.out, "\n== what failed\n")
	for _, f := range shown {
		fmt.Fprintf(r.out, "--- %s\n", strings.TrimSpace(f.pkg+" "+f.test))
		for _, line := range cut(f.lines) {
			fmt.Fprintf(r.out, "%s\n", line)
		}
	}
}

// explained says whether something inside of a test or package failed, too.
func (r *report) explained(at place) bool {
	return slices.ContainsFunc(r.failed, func(f failure) bool {
		return f.pkg == at.pkg && f.test != at.test && (at.test == "" || strings.HasPrefix(f.test, at.test+"/"))
	})
}

// noise is what `go test` says of every test and package.
var noise = regexp.MustCompile(`^\s*(=== (RUN|PAUSE|CONT|NAME) .*|--- FAIL: .*|FAIL|FAIL\t.*|PASS|exit status \d+|)$`)

// trim is the lines of an output that tell something of the failure.
func trim(output []string) (lines []string) {
	for line := range strings.Lines(strings.Join(output, "")) {
		line = strings.TrimRight(line, "\n")
		if !noise.MatchString(line) && !logLine.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// cut leaves the middle of many lines out.
func cut(lines []string) []string {
	if len(lines) <= headLines+tailLines {
		return lines
	}
	left := len(lines) - headLines - tailLines
	return slices.Concat(lines[:headLines], []string{fmt.Sprintf("    ... %d lines ...", left)}, lines[len(lines)-tailLines:])
}

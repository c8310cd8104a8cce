package ofctl

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"weir/internal/openflow"
)

// flowEntry is a flow mod of a file.
type flowEntry struct {
	mod  openflow.PackedFlowMod
	line int // in its file, from 1; 0: in none
}

// flowFile is what a file of flows says.
type flowFile struct {
	name   string
	flows  []flowEntry
	usable openflow.Protocol // that can carry all of them
}

// readFlows reads a file of flows, or standard input for "-". Parts of a large
// one are parsed at the same time.
func (t *tool) readFlows(name string, command int, names *openflow.Names) (*flowFile, error) {
	var in io.Reader = t.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: open (%s)", name, errText(err))
		}
		defer f.Close()
		in = f
	}
	// What is parsed stays, and little else is left for the collector to find.
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	p := flowFileParser{name: name, command: command, names: names, free: make(chan struct{}, runtime.GOMAXPROCS(0)+1)}
	err := p.read(in)
	p.running.Wait()
	out := &flowFile{name: name, usable: openflow.PAny}
	n := 0
	for _, part := range p.parts {
		n += len(part.flows)
	}
	out.flows = make([]flowEntry, 0, n)
	for _, part := range p.parts {
		for _, l := range part.notes {
			t.log(l.module, l.site, l.warn, l.text)
		}
		if part.err != nil {
			return nil, part.err
		}
		out.flows = append(out.flows, part.flows...)
		out.usable &= part.usable
	}
	return out, err
}

// flowFileParser parses parts of a file on goroutines of their own.
type flowFileParser struct {
	name    string
	command int
	names   *openflow.Names
	parts   []*flowPart
	running sync.WaitGroup
	free    chan struct{} // room for parts under way
}

// flowPart is some lines of a file and what they say.
type flowPart struct {
	first int // number of the first line
	lines []byte

	flows  []flowEntry
	usable openflow.Protocol
	notes  []note // in order, to be logged
	err    error  // of the first line that has one
}

// note is something to log, as openflow.ParseOptions has it.
type note struct {
	module, site string
	warn         bool
	text         string
}

// partSize is about how many bytes of a file are parsed as one part.
const partSize = 256 << 10

// read cuts the file into parts and has them parsed.
func (p *flowFileParser) read(in io.Reader) error {
	r := bufio.NewReaderSize(in, partSize)
	part, n := &flowPart{first: 1}, 1
	flush := func() {
		full := part
		p.parts = append(p.parts, full)
		p.free <- struct{}{}
		p.running.Go(func() {
			full.parse(p)
			<-p.free
		})
	}
	for {
		line, err := r.ReadSlice('\n')
		part.lines = append(part.lines, line...)
		switch err {
		case nil:
			n++
		case bufio.ErrBufferFull:
			continue
		case io.EOF:
			flush()
			return nil
		default:
			flush()
			return fmt.Errorf("%s: read (%s)", p.name, errText(err))
		}
		if len(part.lines) >= partSize {
			flush()
			part = &flowPart{first: n}
		}
	}
}

func (p *flowPart) parse(f *flowFileParser) {
	var fm openflow.FlowMod
	opt := openflow.ParseOptions{Names: f.names, Log: func(module, site string, warn bool, text string) {
		p.notes = append(p.notes, note{module, site, warn, text})
	}}
	p.usable = openflow.PAny
	n := p.first - 1
	for line := range strings.Lines(string(p.lines)) {
		n++
		if line = stripComment(line); line == "" {
			continue
		}
		usable, err := openflow.ParseFlowModInto(&fm, line, f.command, opt)
		if err != nil {
			p.err = fmt.Errorf("%s:%d: %w", f.name, n, err)
			break
		}
		p.usable &= usable
		p.flows = append(p.flows, flowEntry{fm.Pack(), n})
	}
	p.lines = nil
}

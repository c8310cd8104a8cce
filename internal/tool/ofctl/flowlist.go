package ofctl

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"weir/internal/openflow"
)

// flowFile is what a file of flows says, in parts.
type flowFile struct {
	name   string
	parts  []*flowPart
	usable openflow.Protocol // that can carry all of them
}

// readFlows reads a file of flows, or standard input for "-", in packed form.
// Where remote is not empty, flows may name the ports of that switch.
func (t *tool) readFlows(name string, command int, remote string) (*flowFile, error) {
	return t.parseFile(&flowFileParser{name: name, command: command, remote: remote})
}

// parseFile has a file parsed. Parts of a large one are parsed at the same time.
// The switch is asked for names only where the file isn't understood without.
func (t *tool) parseFile(p *flowFileParser) (*flowFile, error) {
	var in io.Reader = t.env.Stdin
	if p.name != "-" {
		f, err := os.Open(p.name)
		if err != nil {
			return nil, fmt.Errorf("%s: open failed (%s)", p.name, errText(err))
		}
		defer f.Close()
		in = f
	}
	p.free = make(chan struct{}, runtime.GOMAXPROCS(0)+1)
	err := p.read(in)
	p.running.Wait()
	if p.remote != "" && slices.ContainsFunc(p.parts, func(part *flowPart) bool { return part.err != nil }) {
		if p.names = t.namesFor2(p.remote); p.names != nil {
			p.again()
		}
	}
	out := &flowFile{name: p.name, usable: openflow.PAny, parts: p.parts}
	for _, part := range p.parts {
		for _, l := range part.notes {
			t.log(l.module, l.site, l.warn, l.text)
		}
		if part.err != nil {
			return nil, part.err
		}
		out.usable &= part.usable
		if p.encoder == nil {
			part.lines = ""
		}
	}
	return out, err
}

// flows lists the flows in packed form.
func (f *flowFile) flows() []openflow.PackedFlowMod {
	var out []openflow.PackedFlowMod
	for _, p := range f.parts {
		out = append(out, p.flows...)
	}
	return out
}

// flowFileParser parses parts of a file on goroutines of their own.
type flowFileParser struct {
	name    string
	command int
	remote  string // the switch that names may be of; "": none
	names   *openflow.Names
	encoder *flowEncoder // nil: flows are to be packed
	parts   []*flowPart
	running sync.WaitGroup
	free    chan struct{} // room for parts under way
}

// flowPart is some lines of a file and what they say: flow mods in packed form,
// or encoded.
type flowPart struct {
	first int    // number of the first line
	lines string // empty once they are no longer needed

	flows   []openflow.PackedFlowMod
	encoded encodedFlows
	numbers []int32 // of the line of each flow
	usable  openflow.Protocol
	notes   []note // in order, to be logged
	err     error  // of the first line that has one
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
	first, n := 1, 1
	var lines []byte
	flush := func() {
		part := &flowPart{first: first, lines: string(lines)}
		p.parts = append(p.parts, part)
		p.start(part)
		first, lines = n, lines[:0]
	}
	for {
		line, err := r.ReadSlice('\n')
		lines = append(lines, line...)
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
		if len(lines) >= partSize {
			flush()
		}
	}
}

// start has a part parsed, when there is room.
func (p *flowFileParser) start(part *flowPart) {
	p.free <- struct{}{}
	p.running.Go(func() {
		part.parse(p)
		<-p.free
	})
}

// again has all parts parsed again, with the names that are known now.
func (p *flowFileParser) again() {
	for i, part := range p.parts {
		p.parts[i] = &flowPart{first: part.first, lines: part.lines}
		p.start(p.parts[i])
	}
	p.running.Wait()
}

func (p *flowPart) parse(f *flowFileParser) {
	var pack openflow.Packer
	if f.encoder == nil {
		pack.Grow(strings.Count(p.lines, "\n") + 1)
	}
	p.usable = openflow.PAny
	p.each(f, func(fm *openflow.FlowMod, usable openflow.Protocol, line int) {
		p.usable &= usable
		p.numbers = append(p.numbers, int32(line))
		if f.encoder == nil {
			pack.Add(fm)
			return
		}
		if p.encoded.msgs == nil {
			p.encoded.msgs = make([]byte, 0, len(p.lines))
		}
		p.encoded.add(f.encoder, f.encoder.choose(usable), fm)
	})
	if f.encoder == nil {
		p.flows = pack.Take()
	}
}

// encodeAgain encodes the flows in another protocol than was expected.
func (p *flowPart) encodeAgain(f *flowFileParser, proto openflow.Protocol) {
	p.encoded = encodedFlows{}
	p.notes = nil
	p.each(f, func(fm *openflow.FlowMod, _ openflow.Protocol, _ int) { p.encoded.add(f.encoder, proto, fm) })
}

// each parses the lines and visits the flow of each; what it visits is valid
// until the next.
func (p *flowPart) each(f *flowFileParser, visit func(fm *openflow.FlowMod, usable openflow.Protocol, line int)) {
	var fm openflow.FlowMod
	parser := openflow.FlowParser{Command: f.command}
	parser.Options = openflow.ParseOptions{Names: f.names, Log: func(module, site string, warn bool, text string) {
		p.notes = append(p.notes, note{module, site, warn, text})
	}}
	n := p.first - 1
	for line := range strings.Lines(p.lines) {
		n++
		if line = stripComment(line); line == "" {
			continue
		}
		usable, err := parser.Parse(&fm, line)
		if err != nil {
			p.err = fmt.Errorf("%s:%d: %w", f.name, n, err)
			return
		}
		visit(&fm, usable, n)
	}
}

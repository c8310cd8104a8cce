package ofctl

import (
	"sync"

	"weir/internal/openflow"
)

// flowEncoder says how flow mods become messages.
type flowEncoder struct {
	base    openflow.Protocol // of the version that is expected
	allowed openflow.Protocol
	bundle  bool // they are wrapped as additions to bundle 0
}

// newFlowEncoder expects that the switch speaks the highest version that may be
// used.
func (t *tool) newFlowEncoder() *flowEncoder {
	return &flowEncoder{base: t.versions.Max().Protocol(), allowed: t.allowed, bundle: t.bundle}
}

// choose gives the protocol that a connection is expected to settle on for flows
// that usable can carry, as openForFlows does.
func (x *flowEncoder) choose(usable openflow.Protocol) openflow.Protocol {
	if usable &= x.allowed; usable&x.base != 0 {
		return x.base
	}
	usable &= x.base.Version().Protocols()
	return usable & -usable
}

// encodedFlows are flow mods as messages of one protocol, to be numbered.
type encodedFlows struct {
	msgs  []byte
	n     int
	proto openflow.Protocol
	mixed bool  // what would have been of another protocol was left out
	err   error // why the flow after the last can't be encoded

	encoder openflow.Encoder
	raw     []byte // memory for one message
}

// add encodes a flow mod after the others.
func (x *encodedFlows) add(how *flowEncoder, proto openflow.Protocol, fm *openflow.FlowMod) {
	switch {
	case x.n == 0:
		x.proto = proto
	case x.proto != proto:
		x.mixed = true
	}
	if x.mixed || x.err != nil {
		return
	}
	if proto == 0 {
		x.mixed = true
		return
	}
	if how.bundle {
		if x.raw, x.err = x.encoder.Append(x.raw[:0], proto, 0, fm); x.err == nil {
			add := openflow.BundleAdd{Flags: bundleFlags, Raw: x.raw}
			x.msgs, x.err = x.encoder.Append(x.msgs, proto, 0, &add)
		}
	} else {
		x.msgs, x.err = x.encoder.Append(x.msgs, proto, 0, fm)
	}
	if x.err == nil {
		x.n++
	}
}

// encodeFlows makes a flowFile of flow mods that come from none.
func (v *conn) encodeFlows(flows []openflow.PackedFlowMod) *flowFile {
	how := v.t.newFlowEncoder()
	p := new(flowPart)
	var fm openflow.FlowMod
	for i := range flows {
		flows[i].Unpack(&fm)
		p.encoded.add(how, v.proto, &fm)
	}
	return &flowFile{parts: []*flowPart{p}}
}

// settle has the flows encoded in the protocol of a connection, where another
// was expected.
func (f *flowFile) settle(p *flowFileParser, proto openflow.Protocol) {
	var running sync.WaitGroup
	for _, part := range f.parts {
		if e := &part.encoded; !e.mixed && (e.proto == proto || e.n == 0 && e.err == nil) {
			continue
		}
		p.free <- struct{}{}
		running.Go(func() {
			part.encodeAgain(p, proto)
			<-p.free
		})
	}
	running.Wait()
}

// messages is how many flows are encoded.
func (f *flowFile) messages() (n int) {
	for _, p := range f.parts {
		n += p.encoded.n
	}
	return n
}

// encodeError is why a flow can't be encoded, nil where all can.
func (f *flowFile) encodeError() error {
	for _, p := range f.parts {
		if p.encoded.err != nil {
			return p.encoded.err
		}
	}
	return nil
}

// lineOf is the line where the i-th flow stands, 0 where that is in no file.
func (f *flowFile) lineOf(i int) int {
	for _, p := range f.parts {
		if i >= 0 && i < len(p.numbers) {
			return int(p.numbers[i])
		}
		i -= len(p.numbers)
	}
	return 0
}

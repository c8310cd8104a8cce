package trace

import (
	"sync"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/xlate"
)

// Report is what one ofproto/trace found: the packet's way, and those of its
// copies that recirculate through connection tracking.
type Report struct {
	Rounds []*Round
	ports  flow.PortNames
	dp     *datapath.Namer // prints ports of the data path
	tlv    *flow.TLVTable

	// What is kept from trace to trace.
	req    request
	unused []*Round
	forks  []*xlate.Fork // that were met, in the order in which they are followed
	match  flow.Match    // scratch
	layout layout
}

// Round is one translation.
type Round struct {
	// Fork is what the packet comes from, nil for the first round.
	Fork    *xlate.Fork
	CTState uint8
	Assumed bool      // no --ct-next said what the tracker finds
	Before  *flow.Key // the packet before NAT, nil where nothing changed
	Key     flow.Key
	// Result belongs to the translator, which has translated nothing since.
	Result *xlate.Result

	in         xlate.Input
	trace      xlate.Trace
	translator xlate.Translator
}

// reports are kept for who traces packet after packet: they are large.
var reports = sync.Pool{New: func() any { return &Report{} }}

func newReport() *Report { return reports.Get().(*Report) }

// Release gives the report back, for other traces to use its memory. Nothing of
// it may be used any more.
func (rep *Report) Release() {
	rep.reset()
	reports.Put(rep)
}

// reset forgets everything but the memory.
func (rep *Report) reset() {
	for _, r := range rep.Rounds {
		r.Fork, r.Before, r.Result, r.in = nil, nil, nil, xlate.Input{}
	}
	rep.unused = append(rep.unused, rep.Rounds...)
	clear(rep.Rounds)
	rep.Rounds, rep.ports, rep.dp, rep.tlv, rep.req = rep.Rounds[:0], nil, nil, nil, request{}
}

// next begins a round.
func (rep *Report) next() *Round {
	var r *Round
	if n := len(rep.unused); n > 0 {
		r, rep.unused = rep.unused[n-1], rep.unused[:n-1]
	} else {
		r = &Round{}
	}
	rep.Rounds = append(rep.Rounds, r)
	return r
}

// translate translates the packet of the round, of which Key, Packet and the rest
// of the input are set. The recirculation ids of the result are the translator's.
func (r *Round) translate(names flow.PortNames) {
	r.trace.Reset(names)
	r.in.Key, r.in.Trace = &r.Key, &r.trace
	r.Result = r.translator.Translate(&r.in)
}

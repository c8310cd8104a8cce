package pipeline

import "sync/atomic"

// Seats is how many seats there are for readers.
const Seats = 16

// readers count those who may be reading a version that is not the newest. Each
// seat has a cache line of its own, so that readers who took different ones don't
// meet.
type readers struct {
	seats [Seats]struct {
		n atomic.Int64
		_ [56]byte
	}
}

// Enter says that a version of the pipeline, asked for after this, is going to be
// read, until [Pipeline.Leave] with the same seat, below [Seats]. What nobody reads
// any more goes at the commit that replaces it; a reader without a seat must ask
// [Pipeline.Keeps] whether it found all that there was.
func (p *Pipeline) Enter(seat uint8) { p.readers.seats[seat].n.Add(1) }

// Leave ends what Enter began.
func (p *Pipeline) Leave(seat uint8) { p.readers.seats[seat].n.Add(-1) }

// none reports that nobody reads a version that was replaced before the call: who
// has entered since finds the newest.
func (r *readers) none() bool {
	for i := range r.seats {
		if r.seats[i].n.Load() != 0 {
			return false
		}
	}
	return true
}

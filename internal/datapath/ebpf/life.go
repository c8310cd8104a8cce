package ebpf

import (
	"math"
	"sync/atomic"
)

// life says whether the memory that is shared with the kernel is still there, and
// keeps it there for those who work with it: a data path is closed while others, a
// control command say, ask it for something. Whoever asks a closed one finds nothing.
// It is entered again by those who are inside, so it is no RWMutex.
type life struct {
	state atomic.Int64  // how many are inside, plus over once it has ended
	left  chan struct{} // the last one has left after the end
}

const over = math.MinInt64

func newLife() life { return life{left: make(chan struct{}, 1)} }

// enter reports whether the data path lives; then leave must be called.
func (l *life) enter() bool {
	if l.state.Add(1) > 0 {
		return true
	}
	l.leave()
	return false
}

func (l *life) leave() {
	if l.state.Add(-1) == over {
		select {
		case l.left <- struct{}{}:
		default:
		}
	}
}

// end has nobody enter any more, and waits for those inside. It is called once.
func (l *life) end() {
	if l.state.Add(over) == over {
		return
	}
	for l.state.Load() != over {
		<-l.left
	}
}

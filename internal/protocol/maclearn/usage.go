package maclearn

import "weir/internal/pqueue"

// usage is the entries that were learned on one port, linked from least to most
// recently used.
type usage struct {
	port  uint32
	n     int
	index int   // in usages.fullest
	lru   entry // ring
}

// usages tells the port with the most learned entries, so that a flood of
// addresses on one port pushes out its own before those of others. All ports that
// have entries are in it.
type usages struct {
	byPort  map[uint32]*usage
	fullest pqueue.Queue[*usage]
}

func newUsages() usages {
	return usages{
		byPort:  map[uint32]*usage{},
		fullest: pqueue.New(func(a, b *usage) bool { return a.n > b.n }, func(u *usage) *int { return &u.index }),
	}
}

// add makes e the most recently used entry of its port.
func (us *usages) add(e *entry) {
	u := us.byPort[e.Port]
	if u == nil {
		u = &usage{port: e.Port}
		u.lru.portPrev, u.lru.portNext = &u.lru, &u.lru
		us.byPort[e.Port] = u
		us.fullest.Push(u)
	}
	e.usage = u
	e.portPrev, e.portNext = u.lru.portPrev, &u.lru
	e.portPrev.portNext, e.portNext.portPrev = e, e
	u.n++
	us.fullest.Fix(u)
}

// remove takes e out of its port's, if it is there.
func (us *usages) remove(e *entry) {
	u := e.usage
	if u == nil {
		return
	}
	e.portPrev.portNext, e.portNext.portPrev = e.portNext, e.portPrev
	e.usage, e.portPrev, e.portNext = nil, nil, nil
	if u.n--; u.n > 0 {
		us.fullest.Fix(u)
		return
	}
	us.fullest.Remove(u)
	delete(us.byPort, u.port)
}

// touch is add for an entry that is there already, of the same port.
func (us *usages) touch(e *entry) {
	u := e.usage
	e.portPrev.portNext, e.portNext.portPrev = e.portNext, e.portPrev
	e.portPrev, e.portNext = u.lru.portPrev, &u.lru
	e.portPrev.portNext, e.portNext.portPrev = e, e
}

// victim is the least recently used entry of the port that has the most, nil
// when nothing was learned.
func (us *usages) victim() *entry {
	if us.fullest.Len() == 0 {
		return nil
	}
	return us.fullest.First().lru.portNext
}

package maclearn

import "container/heap"

// usage is the entries that were learned on one port, linked from least to most
// recently used.
type usage struct {
	port  uint32
	n     int
	index int   // in the heap
	lru   entry // ring
}

// usages tells the port with the most learned entries, so that a flood of
// addresses on one port pushes out its own before those of others. It is a heap
// of all ports that have entries.
type usages struct {
	byPort map[uint32]*usage
	heap   usageHeap
}

// usageHeap is the heap's order, the fullest port first.
type usageHeap []*usage

func (h usageHeap) Len() int           { return len(h) }
func (h usageHeap) Less(i, j int) bool { return h[i].n > h[j].n }
func (h usageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap.Interface's.
func (h *usageHeap) Push(x any) {
	u := x.(*usage)
	u.index = len(*h)
	*h = append(*h, u)
}

// Pop is heap.Interface's.
func (h *usageHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	*h = old[:len(old)-1]
	return u
}

// add makes e the most recently used entry of its port.
func (us *usages) add(e *entry) {
	u := us.byPort[e.Port]
	if u == nil {
		u = &usage{port: e.Port}
		u.lru.portPrev, u.lru.portNext = &u.lru, &u.lru
		us.byPort[e.Port] = u
		heap.Push(&us.heap, u)
	}
	e.usage = u
	e.portPrev, e.portNext = u.lru.portPrev, &u.lru
	e.portPrev.portNext, e.portNext.portPrev = e, e
	u.n++
	heap.Fix(&us.heap, u.index)
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
		heap.Fix(&us.heap, u.index)
		return
	}
	heap.Remove(&us.heap, u.index)
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
	if len(us.heap) == 0 {
		return nil
	}
	return us.heap[0].lru.portNext
}

package program

// allocator hands out runs of units from a region, by size. It merges nothing:
// sizes repeat.
type allocator struct {
	next, end uint32
	spare     [][]uint32 // by size
}

func (a *allocator) init(first, end uint32) { *a = allocator{next: first, end: end} }

func (a *allocator) of(n uint32) *[]uint32 {
	for int(n) >= len(a.spare) {
		a.spare = append(a.spare, nil)
	}
	return &a.spare[n]
}

// alloc finds n units in a row.
func (a *allocator) alloc(n uint32) (uint32, bool) {
	if l := a.of(n); len(*l) > 0 {
		p := (*l)[len(*l)-1]
		*l = (*l)[:len(*l)-1]
		return p, true
	}
	if a.end-a.next >= n {
		a.next += n
		return a.next - n, true
	}
	for size := n + 1; size < uint32(len(a.spare)); size++ {
		if l := &a.spare[size]; len(*l) > 0 {
			p := (*l)[len(*l)-1]
			*l = (*l)[:len(*l)-1]
			a.free(p+n, size-n)
			return p, true
		}
	}
	return 0, false
}

func (a *allocator) free(p, n uint32) {
	l := a.of(n)
	*l = append(*l, p)
}

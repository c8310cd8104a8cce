package client

import (
	"bytes"
	"iter"
	"slices"

	"weir/internal/ovsdb"
)

// fanout is the number of buckets of a rowSet. Row identifiers are random, so
// the first byte spreads rows evenly.
const fanout = 256

// bucket is a run of rows sorted by UUID. It is immutable once published.
type bucket struct{ rows []*Row }

// rowSet is an immutable set of rows by UUID. An edited copy shares all the
// buckets that it didn't touch, so that changing one row of thousands costs a
// bucket, and a comparison of two versions skips what they share.
type rowSet struct {
	n       int
	buckets [fanout]*bucket
}

func (b *bucket) find(id ovsdb.UUID) (int, bool) {
	if b == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(b.rows, id, func(r *Row, id ovsdb.UUID) int {
		return bytes.Compare(r.uuid[:], id[:])
	})
}

func (s *rowSet) get(id ovsdb.UUID) *Row {
	b := s.buckets[id[0]]
	if i, ok := b.find(id); ok {
		return b.rows[i]
	}
	return nil
}

func (s *rowSet) all() iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		for _, b := range s.buckets {
			if b == nil {
				continue
			}
			for _, r := range b.rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// rowSetEdit makes a new rowSet out of an old one. One goroutine owns it.
type rowSetEdit struct {
	set   *rowSet
	owned [fanout]bool // buckets that are ours to change
}

func editRowSet(old *rowSet) *rowSetEdit {
	e := &rowSetEdit{set: &rowSet{}}
	if old != nil {
		*e.set = *old
	}
	return e
}

func (e *rowSetEdit) own(i byte) *bucket {
	if !e.owned[i] {
		b := &bucket{}
		if old := e.set.buckets[i]; old != nil {
			b.rows = slices.Clone(old.rows)
		}
		e.set.buckets[i] = b
		e.owned[i] = true
	}
	return e.set.buckets[i]
}

// put adds or replaces a row.
func (e *rowSetEdit) put(r *Row) {
	b := e.own(r.uuid[0])
	i, ok := b.find(r.uuid)
	if ok {
		b.rows[i] = r
		return
	}
	b.rows = slices.Insert(b.rows, i, r)
	e.set.n++
}

// del removes a row and reports whether it was there.
func (e *rowSetEdit) del(id ovsdb.UUID) bool {
	if _, ok := e.set.buckets[id[0]].find(id); !ok {
		return false
	}
	b := e.own(id[0])
	i, _ := b.find(id)
	b.rows = slices.Delete(b.rows, i, i+1)
	e.set.n--
	return true
}

// diffRows calls yield for every row in which two sets differ, old or new
// being nil where the row is only in the other, until it returns false.
func diffRows(a, b *rowSet, yield func(old, new *Row) bool) bool {
	if a == b {
		return true
	}
	var none rowSet
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	for i := range a.buckets {
		if a.buckets[i] != b.buckets[i] && !diffBuckets(a.buckets[i], b.buckets[i], yield) {
			return false
		}
	}
	return true
}

func diffBuckets(a, b *bucket, yield func(old, new *Row) bool) bool {
	var x, y []*Row
	if a != nil {
		x = a.rows
	}
	if b != nil {
		y = b.rows
	}
	for len(x) > 0 || len(y) > 0 {
		c := 0
		switch {
		case len(x) == 0:
			c = 1
		case len(y) == 0:
			c = -1
		default:
			c = bytes.Compare(x[0].uuid[:], y[0].uuid[:])
		}
		more := true
		switch {
		case c < 0:
			more, x = yield(x[0], nil), x[1:]
		case c > 0:
			more, y = yield(nil, y[0]), y[1:]
		default:
			if x[0] != y[0] {
				more = yield(x[0], y[0])
			}
			x, y = x[1:], y[1:]
		}
		if !more {
			return false
		}
	}
	return true
}

package engine

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"

	"weir/internal/ovsdb"
)

// Row is one row of a table. Rows are immutable and shared by all snapshots that
// hold them.
type Row = ovsdb.StoredRow

// Rows is an immutable set of rows with distinct IDs: a hash trie of 64-way
// nodes that ends in short lists, so that a changed set shares all but a few nodes
// with the one it came from. The zero Rows is empty.
type Rows struct {
	root *node
	n    int
}

const (
	trieBits = 6
	trieMask = 1<<trieBits - 1
	maxShift = 66 // beyond it the hash is used up and lists may have any length
	maxList  = 8  // rows of a list elsewhere
)

// node has up to 64 places, each of which holds a child, a row, or nothing; or it
// is a list of rows in no order, where no place is taken.
type node struct {
	owner  *owner // whose editors may change the node in place
	kidMap uint64
	rowMap uint64
	kids   []*node
	rows   []*Row
}

// hashID mixes a UUID into 64 bits: clients may choose UUIDs that aren't random.
func hashID(id ovsdb.UUID) uint64 {
	h := binary.LittleEndian.Uint64(id[:8]) ^ binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

// Len returns the number of rows.
func (r Rows) Len() int { return r.n }

// Get returns the row of that ID, or nil.
func (r Rows) Get(id ovsdb.UUID) *Row {
	h := hashID(id)
	n := r.root
	for shift := uint(0); n != nil; shift += trieBits {
		if n.isList() {
			if i := n.find(id); i >= 0 {
				return n.rows[i]
			}
			return nil
		}
		bit := uint64(1) << (h >> shift & trieMask)
		switch {
		case n.rowMap&bit != 0:
			if row := n.rows[bits.OnesCount64(n.rowMap&(bit-1))]; row.ID == id {
				return row
			}
			return nil
		case n.kidMap&bit != 0:
			n = n.kids[bits.OnesCount64(n.kidMap&(bit-1))]
		default:
			return nil
		}
	}
	return nil
}

func (n *node) isList() bool { return n.kidMap|n.rowMap == 0 }

// find returns the place of a row in a list, -1 where it isn't there.
func (n *node) find(id ovsdb.UUID) int {
	for i, row := range n.rows {
		if row.ID == id {
			return i
		}
	}
	return -1
}

// All ranges over the rows in no particular order.
func (r Rows) All() iter.Seq[*Row] {
	return func(yield func(*Row) bool) { r.root.each(yield) }
}

func (n *node) each(yield func(*Row) bool) bool {
	if n == nil {
		return true
	}
	for _, row := range n.rows {
		if !yield(row) {
			return false
		}
	}
	for _, kid := range n.kids {
		if !kid.each(yield) {
			return false
		}
	}
	return true
}

// owner is who may change nodes in place, because nobody else has seen them.
type owner struct{ _ byte }

// editor makes a changed Rows. It copies a node the first time that its owner
// changes it.
type editor struct {
	root *node
	n    int
	own  *owner
}

func (r Rows) edit(own *owner) editor { return editor{root: r.root, n: r.n, own: own} }

// done returns the result, which further editors of the same owner change too.
func (e *editor) done() Rows { return Rows{e.root, e.n} }

// set adds row, in place of one with the same ID.
func (e *editor) set(row *Row) { e.root = e.insert(e.root, row, hashID(row.ID), 0, false) }

// add is set for a row that is known not to be there: it need not look at others.
func (e *editor) add(row *Row) { e.root = e.insert(e.root, row, hashID(row.ID), 0, true) }

// remove takes the row of that ID away, if there is one.
func (e *editor) remove(id ovsdb.UUID) { e.root = e.delete(e.root, id, hashID(id), 0) }

// mine returns n if e may change it, else a copy that it may.
func (e *editor) mine(n *node) *node {
	switch {
	case n == nil:
		return &node{owner: e.own}
	case n.owner == e.own:
		return n
	}
	c := *n
	c.owner = e.own
	c.kids = slices.Clone(n.kids)
	c.rows = slices.Clone(n.rows)
	return &c
}

// insert is set, or add where isNew, below n.
func (e *editor) insert(n *node, row *Row, h uint64, shift uint, isNew bool) *node {
	n = e.mine(n)
	if !n.isList() {
		e.place(n, row, h, shift, isNew)
		return n
	}
	if !isNew {
		if i := n.find(row.ID); i >= 0 {
			n.rows[i] = row
			return n
		}
	}
	if len(n.rows) < maxList || shift >= maxShift {
		n.rows = append(n.rows, row)
		e.n++
		return n
	}
	list := n.rows
	n.rows = make([]*Row, 0, 2*maxList)
	e.n -= len(list) // which were counted already
	for _, old := range list {
		e.place(n, old, hashID(old.ID), shift, true)
	}
	e.place(n, row, h, shift, true)
	return n
}

// place is insert into a node of e's that isn't a list, or not one any more.
func (e *editor) place(n *node, row *Row, h uint64, shift uint, isNew bool) {
	bit := uint64(1) << (h >> shift & trieMask)
	at := bits.OnesCount64(n.rowMap & (bit - 1))
	kidAt := bits.OnesCount64(n.kidMap & (bit - 1))
	switch {
	case n.kidMap&bit != 0:
		n.kids[kidAt] = e.insert(n.kids[kidAt], row, h, shift+trieBits, isNew)
	case n.rowMap&bit == 0:
		n.rowMap |= bit
		n.rows = slices.Insert(n.rows, at, row)
		e.n++
	case !isNew && n.rows[at].ID == row.ID:
		n.rows[at] = row
	default:
		kid := e.pair(n.rows[at], row)
		n.rowMap &^= bit
		n.rows = slices.Delete(n.rows, at, at+1)
		n.kidMap |= bit
		n.kids = slices.Insert(n.kids, kidAt, kid)
		e.n++
	}
}

// pair returns a list of two rows, with room for more.
func (e *editor) pair(a, b *Row) *node {
	list := &struct {
		node
		room [maxList / 2]*Row
	}{node: node{owner: e.own}}
	list.rows = append(list.room[:0], a, b)
	return &list.node
}

func (e *editor) delete(n *node, id ovsdb.UUID, h uint64, shift uint) *node {
	if n == nil {
		return nil
	}
	if n.isList() {
		i := n.find(id)
		if i < 0 {
			return n
		}
		n = e.mine(n)
		n.rows = slices.Delete(n.rows, i, i+1)
		e.n--
		return n.orNil()
	}
	bit := uint64(1) << (h >> shift & trieMask)
	switch {
	case n.rowMap&bit != 0:
		at := bits.OnesCount64(n.rowMap & (bit - 1))
		if n.rows[at].ID != id {
			return n
		}
		n = e.mine(n)
		n.rowMap &^= bit
		n.rows = slices.Delete(n.rows, at, at+1)
		e.n--
	case n.kidMap&bit != 0:
		at := bits.OnesCount64(n.kidMap & (bit - 1))
		kid := e.delete(n.kids[at], id, h, shift+trieBits)
		if kid == n.kids[at] {
			return n
		}
		n = e.mine(n)
		if kid != nil {
			n.kids[at] = kid
			return n
		}
		n.kidMap &^= bit
		n.kids = slices.Delete(n.kids, at, at+1)
	}
	return n.orNil()
}

// orNil returns n, or nil if it is empty.
func (n *node) orNil() *node {
	if len(n.rows) == 0 && len(n.kids) == 0 {
		return nil
	}
	return n
}

// Diff calls fn for each row that is in only one of a and b, or differs: with
// nil for a row that isn't there. Parts that a and b share cost nothing.
func Diff(a, b Rows, fn func(old, now *Row)) { diffNodes(a.root, b.root, fn) }

func diffNodes(a, b *node, fn func(old, now *Row)) {
	if a == b {
		return
	}
	if a == nil || b == nil || a.isList() || b.isList() {
		diffLists(a, b, fn)
		return
	}
	for m := a.rowMap | a.kidMap | b.rowMap | b.kidMap; m != 0; m &= m - 1 {
		bit := m & -m
		ra, ka := a.at(bit)
		rb, kb := b.at(bit)
		switch {
		case ka != nil && kb != nil:
			diffNodes(ka, kb, fn)
		case ka == nil && kb == nil:
			diffPair(ra, rb, fn)
		case ka != nil:
			diffLists(ka, nodeOf(rb), fn)
		default:
			diffLists(nodeOf(ra), kb, fn)
		}
	}
}

func (n *node) at(bit uint64) (*Row, *node) {
	if n.rowMap&bit != 0 {
		return n.rows[bits.OnesCount64(n.rowMap&(bit-1))], nil
	}
	if n.kidMap&bit != 0 {
		return nil, n.kids[bits.OnesCount64(n.kidMap&(bit-1))]
	}
	return nil, nil
}

// nodeOf returns a node that holds only r, or nil.
func nodeOf(r *Row) *node {
	if r == nil {
		return nil
	}
	return &node{rows: []*Row{r}}
}

func diffPair(a, b *Row, fn func(old, now *Row)) {
	switch {
	case a == b:
	case a != nil && b != nil && a.ID != b.ID:
		fn(a, nil)
		fn(nil, b)
	default:
		fn(a, b)
	}
}

// diffLists compares two subtrees, at least one of them small or missing.
func diffLists(a, b *node, fn func(old, now *Row)) {
	olds := map[ovsdb.UUID]*Row{}
	a.each(func(r *Row) bool { olds[r.ID] = r; return true })
	b.each(func(r *Row) bool {
		old := olds[r.ID]
		delete(olds, r.ID)
		if old != r {
			fn(old, r)
		}
		return true
	})
	for _, old := range olds {
		fn(old, nil)
	}
}

// Builder makes a snapshot row by row, as a database is read from its storage.
// One goroutine uses a Builder.
type Builder struct {
	layout *Layout
	rows   []Rows
	own    *owner
}

// NewBuilder returns a Builder of an empty database.
func NewBuilder(l *Layout) *Builder {
	return &Builder{layout: l, rows: make([]Rows, len(l.Tables)), own: &owner{}}
}

// Row returns the row of a table, or nil.
func (b *Builder) Row(t *ovsdb.TableSchema, id ovsdb.UUID) *Row {
	return b.rows[b.layout.Table(t.Name).Num].Get(id)
}

// Set adds or replaces a row, which the Builder takes over, or with nil removes
// it. A row without a _version gets one.
func (b *Builder) Set(t *ovsdb.TableSchema, id ovsdb.UUID, row *Row) {
	rows := &b.rows[b.layout.Table(t.Name).Num]
	e := rows.edit(b.own)
	if row == nil {
		e.remove(id)
	} else {
		if row.Version.IsZero() {
			row.Version = b.layout.newUUID()
		}
		e.set(row)
	}
	*rows = e.done()
}

// Snapshot returns the database; the Builder must not be used any more.
func (b *Builder) Snapshot() *Snapshot { return &Snapshot{Layout: b.layout, Tables: b.rows} }

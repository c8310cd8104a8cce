package engine

import (
	"encoding/binary"
	"iter"
	"runtime"

	"weir/internal/ovsdb"
)

// Row is one row of a table. Rows are immutable and shared by all snapshots that
// hold them.
type Row = ovsdb.StoredRow

// Rows is an immutable set of rows with distinct IDs: a hash trie of 8-way nodes
// that ends in lists, so that a changed set shares all but a few nodes with the one
// it came from. The zero Rows is empty.
type Rows struct {
	root *node
	n    int
}

const (
	trieBits = 3
	fanOut   = 1 << trieBits
	maxShift = 63 // where the hash is used up, lists may have any length
	maxList  = 32 // rows of a list elsewhere
	newList  = 8  // rows that a new list has room for
)

// node has children or a list of rows in no order.
type node struct {
	owner *owner // whose editors may change the node in place
	kids  *[fanOut]*node
	rows  []*Row
	tags  [maxList]uint8 // of rows, as far as they go: what tag returns
}

// hashID mixes a UUID into 64 bits: clients may choose UUIDs that aren't random.
func hashID(id ovsdb.UUID) uint64 {
	h := binary.LittleEndian.Uint64(id[:8]) ^ binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

// tag is the part of a hash that a list keeps, so that looking for a row need not
// look at others.
func tag(h uint64) uint8 { return uint8(h >> 56) }

// place is which child of a node a hash belongs to.
func place(h uint64, shift uint) uint64 { return h >> shift & (fanOut - 1) }

// Len returns the number of rows.
func (r Rows) Len() int { return r.n }

// Get returns the row of that ID, or nil.
func (r Rows) Get(id ovsdb.UUID) *Row {
	h := hashID(id)
	n := r.root
	for shift := uint(0); n != nil && n.kids != nil; shift += trieBits {
		n = n.kids[place(h, shift)]
	}
	if n != nil {
		if i := n.find(id, h); i >= 0 {
			return n.rows[i]
		}
	}
	return nil
}

// find returns the place of a row in a list, -1 where it isn't there.
func (n *node) find(id ovsdb.UUID, h uint64) int {
	for i, row := range n.rows {
		if (i >= maxList || n.tags[i] == tag(h)) && row.ID == id {
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
	if n.kids == nil {
		return true
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

// with returns r changed by at most sights changes of rows.
func (r Rows) with(changes []Change, own *owner) Rows {
	r.sight(changes)
	e := r.edit(own)
	for i := range changes {
		switch c := &changes[i]; {
		case c.New == nil:
			e.remove(c.Old.ID)
		case c.Old == nil:
			e.add(c.New)
		default:
			e.set(c.New)
		}
	}
	return e.done()
}

// sights is how many rows Rows.sight follows side by side.
const sights = 16

// sight reads what up to sights changes of rows will touch. It goes the ways to
// their lists side by side, so that the processor waits for several of them at
// once: in a large table each step of each way misses the caches.
func (r Rows) sight(changes []Change) {
	if len(changes) == 1 || r.n < maxList*fanOut {
		return
	}
	var hash [sights]uint64
	var way [sights]*node
	for i := range changes {
		hash[i], way[i] = hashID(changes[i].ID()), r.root
	}
	for shift, more := uint(0), true; more; shift += trieBits {
		more = false
		for i, n := range way[:len(changes)] {
			if n != nil && n.kids != nil {
				way[i], more = n.kids[place(hash[i], shift)], true
			}
		}
	}
	var last *Row
	for _, n := range way[:len(changes)] {
		if n != nil && len(n.rows) > 0 {
			last = n.rows[len(n.rows)-1]
		}
	}
	runtime.KeepAlive(last)
}

// remove takes the row of that ID away, if there is one.
func (e *editor) remove(id ovsdb.UUID) { e.root = e.delete(e.root, id, hashID(id), 0) }

// mine returns n if e may change it, else a copy that it may.
func (e *editor) mine(n *node) *node {
	switch {
	case n == nil:
		return &node{owner: e.own, rows: make([]*Row, 0, newList)}
	case n.owner == e.own:
		return n
	}
	c := *n
	c.owner = e.own
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
	} else {
		c.rows = append(make([]*Row, 0, len(n.rows)+1), n.rows...)
	}
	return &c
}

// insert is set, or add where isNew, below n.
func (e *editor) insert(n *node, row *Row, h uint64, shift uint, isNew bool) *node {
	n = e.mine(n)
	if n.kids == nil && len(n.rows) >= maxList && shift < maxShift && (isNew || n.find(row.ID, h) < 0) {
		e.split(n, shift)
	}
	if n.kids != nil {
		kid := &n.kids[place(h, shift)]
		*kid = e.insert(*kid, row, h, shift+trieBits, isNew)
		return n
	}
	if !isNew {
		if i := n.find(row.ID, h); i >= 0 {
			n.rows[i] = row
			return n
		}
	}
	n.append(row, h)
	e.n++
	return n
}

// append adds a row to a list.
func (n *node) append(row *Row, h uint64) {
	if len(n.rows) < maxList {
		n.tags[len(n.rows)] = tag(h)
	}
	n.rows = append(n.rows, row)
}

// split distributes a list that is e's to children.
func (e *editor) split(n *node, shift uint) {
	n.kids = &[fanOut]*node{}
	for _, row := range n.rows {
		h := hashID(row.ID)
		kid := &n.kids[place(h, shift)]
		if *kid == nil {
			*kid = e.mine(nil)
		}
		(*kid).append(row, h)
	}
	n.rows = nil
}

func (e *editor) delete(n *node, id ovsdb.UUID, h uint64, shift uint) *node {
	if n == nil {
		return nil
	}
	if n.kids == nil {
		i := n.find(id, h)
		if i < 0 {
			return n
		}
		e.n--
		if len(n.rows) == 1 {
			return nil
		}
		n = e.mine(n)
		n.cut(i)
		return n
	}
	at := place(h, shift)
	kid := e.delete(n.kids[at], id, h, shift+trieBits)
	if kid == n.kids[at] {
		return n
	}
	n = e.mine(n)
	n.kids[at] = kid
	if *n.kids == [fanOut]*node{} {
		return nil
	}
	return n
}

// cut takes a row out of a list: the last one comes in its place.
func (n *node) cut(i int) {
	last := len(n.rows) - 1
	n.rows[i] = n.rows[last]
	n.rows[last] = nil
	n.rows = n.rows[:last]
	if last < maxList {
		n.tags[i] = n.tags[last]
	} else if i < maxList {
		n.tags[i] = tag(hashID(n.rows[i].ID))
	}
}

// Diff calls fn for each row that is in only one of a and b, or differs: with
// nil for a row that isn't there. Parts that a and b share cost nothing.
func Diff(a, b Rows, fn func(old, now *Row)) { diffNodes(a.root, b.root, fn) }

func diffNodes(a, b *node, fn func(old, now *Row)) {
	switch {
	case a == b:
	case a == nil || b == nil || a.kids == nil || b.kids == nil:
		diffLists(a, b, fn)
	default:
		for i := range a.kids {
			diffNodes(a.kids[i], b.kids[i], fn)
		}
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

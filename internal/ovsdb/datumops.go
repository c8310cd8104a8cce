package ovsdb

import "cmp"

// Compare orders datums of one type: by their number of elements first, then by
// their keys, then their values (ovs-vsctl(8), find).  It returns 0 exactly for
// equal ones.
func (d Datum) Compare(e Datum) int {
	if c := cmp.Compare(d.n, e.n); c != 0 {
		return c
	}
	for i := range d.Len() {
		if c := d.Key(i).Compare(e.Key(i)); c != 0 {
			return c
		}
	}
	if d.vt != Void {
		for i := range d.Len() {
			if c := d.Value(i).Compare(e.Value(i)); c != 0 {
				return c
			}
		}
	}
	return 0
}

// merge walks the keys of d and e in order and calls fn for each: with its
// place in d and in e, -1 where it isn't there.
func merge(d, e *Datum, fn func(i, j int)) {
	i, j := 0, 0
	for i < d.Len() || j < e.Len() {
		var c int
		switch {
		case i == d.Len():
			c = 1
		case j == e.Len():
			c = -1
		default:
			c = d.Key(i).Compare(e.Key(j))
		}
		switch {
		case c < 0:
			fn(i, -1)
			i++
		case c > 0:
			fn(-1, j)
			j++
		default:
			fn(i, j)
			i++
			j++
		}
	}
}

// IncludesAll reports whether d contains every element of e; in maps the values
// have to be equal too (RFC 7047 section 5.1, "includes").
func (d Datum) IncludesAll(e Datum) bool {
	for j := range e.Len() {
		i, ok := d.Find(e.Key(j))
		if !ok || d.vt != Void && e.vt != Void && d.Value(i) != e.Value(j) {
			return false
		}
	}
	return true
}

// ExcludesAll reports whether d contains no element of e ("excludes").
func (d Datum) ExcludesAll(e Datum) bool {
	for j := range e.Len() {
		i, ok := d.Find(e.Key(j))
		if ok && (d.vt == Void || e.vt == Void || d.Value(i) == e.Value(j)) {
			return false
		}
	}
	return true
}

// Union returns d with the elements of e that have no key in d; with replace
// the values of keys in both come from e (the "insert" mutation doesn't
// replace).
func (d Datum) Union(e Datum, replace bool) Datum {
	if e.n == 0 {
		return d
	}
	if d.n == 0 {
		return e
	}
	if d.spliceable(e) {
		i, found := d.Find(e.Key(0))
		if found {
			return d
		}
		return d.insertAt(i, e)
	}
	var b builder
	merge(&d, &e, func(i, j int) {
		switch {
		case i < 0, replace && j >= 0:
			b.add(&e, j)
		default:
			b.add(&d, i)
		}
	})
	return b.datum(d.kt, d.vt)
}

// Subtract returns d without the elements of e.  From a map, a set e removes
// its keys whatever their values, and a map e its pairs ("delete" mutation).
func (d Datum) Subtract(e Datum) Datum {
	if d.spliceable(e) {
		i, found := d.Find(e.Key(0))
		if !found {
			return d
		}
		return d.removeAt(i)
	}
	var b builder
	merge(&d, &e, func(i, j int) {
		if i >= 0 && (j < 0 || d.vt != Void && e.vt != Void && d.Value(i) != e.Value(j)) {
			b.add(&d, i)
		}
	})
	if len(b.keys) == d.Len() {
		return d
	}
	return b.datum(d.kt, d.vt)
}

// Diff returns what Apply turns d into e with: for a set the elements in only
// one of them, for a map the pairs only in d (with d's value), and those of e
// that are new or have another value (with e's value).  It is the "update2"
// notation of ovsdb-server(7) and of the database file, for columns that may
// hold more than one element.
func (d Datum) Diff(e Datum) Datum {
	var b builder
	merge(&d, &e, func(i, j int) {
		switch {
		case j < 0:
			b.add(&d, i)
		case i < 0, d.vt != Void && d.Value(i) != e.Value(j):
			b.add(&e, j)
		}
	})
	return b.datum(d.kt, d.vt)
}

// Apply undoes Diff: d.Apply(d.Diff(e)) == e.
func (d Datum) Apply(diff Datum) Datum {
	if d.spliceable(diff) {
		i, found := d.Find(diff.Key(0))
		if found {
			return d.removeAt(i)
		}
		return d.insertAt(i, diff)
	}
	var b builder
	merge(&d, &diff, func(i, j int) {
		switch {
		case j < 0:
			b.add(&d, i)
		case i < 0:
			b.add(&diff, j)
		case d.vt != Void && d.Value(i) != diff.Value(j):
			b.add(&diff, j)
		}
	})
	return b.datum(d.kt, d.vt)
}

// IsDefault reports whether d is the default of type t.
func (d Datum) IsDefault(t *ColumnType) bool {
	if d.n != min(t.Min, 1) {
		return false
	}
	return d.n == 0 || d == t.Default()
}

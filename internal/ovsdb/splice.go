package ovsdb

// Sets of references grow and shrink by one element at a time: a bridge's ports,
// say.  These paths copy the packed elements instead of unpacking all of them.

// spliceable reports whether d is a set of elements of fixed width, and e
// another one with a single element.
func (d Datum) spliceable(e Datum) bool {
	return d.n > 0 && e.n == 1 && d.vt == Void && e.vt == Void && packedWidth(d.kt) > 0
}

// insertAt returns d with the only element of e in the i'th place.
func (d Datum) insertAt(i int, e Datum) Datum {
	w := packedWidth(d.kt) * i
	return Datum{kt: d.kt, n: d.n + 1, keys: d.keys[:w] + e.keys + d.keys[w:]}
}

// removeAt returns d without its i'th element.
func (d Datum) removeAt(i int) Datum {
	w := packedWidth(d.kt)
	return Datum{kt: d.kt, n: d.n - 1, keys: d.keys[:w*i] + d.keys[w*(i+1):]}
}

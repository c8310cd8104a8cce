package ovsdb

import (
	"strconv"

	"weir/internal/json"
)

// AppendJSON appends a as an <atom> (RFC 7047 section 5.1).
func (a Atom) AppendJSON(dst []byte) []byte {
	switch a.typ {
	case Integer:
		return strconv.AppendInt(dst, int64(a.num), 10)
	case Real:
		return json.AppendReal(dst, a.Real())
	case Boolean:
		return strconv.AppendBool(dst, a.num != 0)
	case String:
		return json.AppendString(dst, a.str)
	case UUIDType:
		dst = append(dst, `["uuid","`...)
		dst = a.UUID().Append(dst)
		return append(dst, `"]`...)
	}
	return append(dst, "null"...)
}

// AppendJSON appends d as a <value>: a set of one element as the element.
func (d Datum) AppendJSON(dst []byte) []byte {
	if d.n == 1 && d.vt == Void {
		return d.Key(0).AppendJSON(dst)
	}
	return d.appendSetJSON(dst)
}

// appendSetJSON is AppendJSON without the short form of a set of one element.
func (d Datum) appendSetJSON(dst []byte) []byte {
	if d.vt != Void {
		dst = append(dst, `["map",[`...)
	} else {
		dst = append(dst, `["set",[`...)
	}
	for i := range d.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if d.vt == Void {
			dst = d.Key(i).AppendJSON(dst)
			continue
		}
		dst = append(dst, '[')
		dst = d.Key(i).AppendJSON(dst)
		dst = append(dst, ',')
		dst = d.Value(i).AppendJSON(dst)
		dst = append(dst, ']')
	}
	return append(dst, "]]"...)
}

// JSON returns AppendJSON's text.
func (d Datum) JSON() string { return string(d.AppendJSON(nil)) }

// Package ovsdb holds the values of an OVSDB database and what can be said
// about them without any I/O: atoms, datums, types with their constraints,
// schemas, conditions, mutations, differences between rows, and their JSON and
// text forms.  Sources: RFC 7047, ovsdb(7), ovsdb-server(7), ovs-vsctl(8).
//
// Atom, Datum and UUID are immutable and comparable with ==, so any goroutine
// may share them and they serve as keys of maps.  Schemas don't change after
// they were parsed.
package ovsdb

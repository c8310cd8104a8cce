package engine

import (
	"weir/internal/json"
	"weir/internal/ovsdb"
)

// quickInsert parses the operation at ops' current token in one pass if it is a
// plain insert without faults: "op" comes first, no member twice, and the server
// chooses the UUID. Otherwise it returns false with ops where it was, and parse,
// which knows all cases and errors, has to do it.
func (p *opParser) quickInsert() (operation, bool) {
	s := &p.ops
	if s.Kind() != json.ObjectBegin {
		return operation{}, false
	}
	mark := s.Mark()
	q := quick{p: p, from: s.Offset()}
	if q.begin(s) && q.members(s) && q.finish() {
		return operation{op: "insert", table: q.table, insert: p.packRow(q.table, q.id)}, true
	}
	s.Back(mark)
	return operation{}, false
}

// quick is a plain insert that is being parsed.
type quick struct {
	p     *opParser
	from  int  // where the operation begins
	isOp  bool // "op" was there
	table *Table
	raw   []byte // the row, where it came before the table
	read  bool   // the row is in p.row
	name  string // "uuid-name", "" where there is none
	id    ovsdb.UUID
}

// begin reads the row if all that is before it is as in the insert before: most
// transactions have many alike.
func (q *quick) begin(s *json.Scanner) bool {
	p := q.p
	if p.head == nil || !s.Enter(p.head) {
		return true
	}
	q.isOp, q.table, q.read = true, p.headTable, true
	return p.insertRow(q.table, s) == nil
}

// members reads the operation to its end; false where it isn't plain.
func (q *quick) members(s *json.Scanner) bool {
	for {
		switch s.Next() {
		case json.ObjectEnd:
			return true
		case json.Invalid:
			return false
		}
		if !q.member(s) {
			return false
		}
	}
}

func (q *quick) member(s *json.Scanner) bool {
	switch string(s.Bytes()) {
	case "op":
		ok := !q.isOp && s.Next() == json.String && string(s.Bytes()) == "insert"
		q.isOp = true
		return ok
	case "table":
		if !q.isOp || q.table != nil || s.Next() != json.String {
			return false
		}
		q.table = q.p.tableNamed(s.Bytes())
		return q.table != nil
	case "row":
		if !q.isOp || q.read || q.raw != nil || s.Next() != json.ObjectBegin {
			return false
		}
		if q.table == nil {
			var err error
			q.raw, err = s.Raw()
			return err == nil
		}
		q.read = true
		if q.name == "" {
			q.p.head, q.p.headTable = s.Data(q.from, s.End()), q.table
		}
		return q.p.insertRow(q.table, s) == nil
	case "uuid-name":
		if !q.isOp || q.name != "" || s.Next() != json.String || !ovsdb.IsID(s.View()) {
			return false
		}
		q.name = s.View()
		return !q.p.symbols.created[q.name]
	}
	return false
}

// finish reads the row, unless that is done, and gives it its UUID.
func (q *quick) finish() bool {
	p := q.p
	if !q.isOp || q.table == nil {
		return false
	}
	if !q.read && (q.raw == nil || p.insertRow(q.table, p.scanner(q.raw)) != nil) {
		return false
	}
	q.id = p.layout.newUUID()
	if q.name != "" {
		q.id, _ = p.symbols.define(q.name, q.id, false)
	}
	return true
}

// tableNamed looks a table up, the last one first.
func (p *opParser) tableNamed(name []byte) *Table {
	if p.last == nil || p.last.Name != string(name) {
		p.last = p.layout.byName[string(name)]
	}
	return p.last
}

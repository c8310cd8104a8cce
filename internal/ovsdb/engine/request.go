package engine

import (
	"time"

	"weir/internal/ovsdb"
)

// Request is a parsed transaction, ready to be executed any number of times.
type Request struct {
	layout   *Layout
	ops      []operation
	failed   *ovsdb.Error // what is wrong with the operation after ops, if any
	total    int          // operations the client sent, for the length of the reply
	inserts  int
	readOnly bool
	durable  bool
}

// operation is one parsed operation. Since a request may have thousands of
// inserts, what these don't need is elsewhere.
type operation struct {
	op      string
	table   *Table
	insert  *Row // insert: the new row
	ownUUID bool // insert: the client chose its UUID
	*details
}

// details are what operations other than inserts have. Which fields are set goes
// with the operation.
type details struct {
	where     ovsdb.Condition
	text      string                // comment, assert
	columns   []*ovsdb.ColumnSchema // select, wait: nil is all
	sort      []*ovsdb.ColumnSchema // select: an extension of Open vSwitch's
	equal     bool                  // wait: until "=="; commit: durable
	rows      map[string]bool       // wait
	timeout   time.Duration         // wait
	hasLimit  bool                  // wait: timeout is set
	row       ovsdb.Row             // update: those in set
	set       []*ovsdb.ColumnSchema // update
	mutations []ovsdb.Mutation      // mutate
}

// ReadOnly reports whether no operation writes.
func (r *Request) ReadOnly() bool { return r.readOnly }

// Durable reports whether the client asked for the commit to be on disk.
func (r *Request) Durable() bool { return r.durable }

// Comment joins the texts of the "comment" operations, for the log.
func (r *Request) Comment() string {
	s := ""
	for i := range r.ops {
		if r.ops[i].op == "comment" {
			if s != "" {
				s += "\n"
			}
			s += r.ops[i].text
		}
	}
	return s
}

// symbols are the rows that a transaction names by "uuid-name".
type symbols struct {
	newUUID func() ovsdb.UUID
	ids     map[string]ovsdb.UUID
	created map[string]bool
}

// NamedUUID implements ovsdb.Symbols.
func (s *symbols) NamedUUID(name string) ovsdb.UUID {
	id, ok := s.ids[name]
	if !ok {
		id = s.newUUID()
		if s.ids == nil {
			s.ids = map[string]ovsdb.UUID{}
		}
		s.ids[name] = id
	}
	return id
}

// define gives name to an insert. With own the row's UUID is id, else the one
// that name stands for already.
func (s *symbols) define(name string, id ovsdb.UUID, own bool) (ovsdb.UUID, bool) {
	if s.created[name] {
		return id, false
	}
	if s.created == nil {
		s.created = map[string]bool{}
	}
	s.created[name] = true
	if !own {
		return s.NamedUUID(name), true
	}
	_ = s.NamedUUID(name)
	s.ids[name] = id
	return id, true
}

// ParseRequest parses the operations of a "transact" request: the elements of
// its params after the first. What is wrong with an operation becomes part of the
// reply; the error is that of params which aren't JSON, or no array.
// The request may keep parts of params.
func ParseRequest(l *Layout, params []byte) (*Request, error) {
	p := opParser{layout: l, params: params}
	p.symbols.newUUID = l.newUUID
	p.dec = ovsdb.Decoder{Symbols: &p.symbols, Share: true}
	r := &Request{layout: l, readOnly: true, ops: make([]operation, 0, 1+len(params)/64)}
	s := &p.ops
	s.Reset(params)
	s.Next()
	err := s.Array(func(i int) error {
		if i == 0 {
			return s.Skip()
		}
		r.total++
		if r.failed != nil {
			return s.Skip()
		}
		op, ok := p.quickInsert()
		if !ok {
			p.begin(i)
			op, r.failed = p.parse()
		}
		if r.failed == nil {
			r.add(op)
		}
		return nil
	})
	if err == nil {
		err = s.Finish()
	}
	return r, err
}

func (r *Request) add(op operation) {
	switch op.op {
	case "insert":
		r.readOnly = false
		r.inserts++
	case "update", "mutate", "delete":
		r.readOnly = false
	case "commit":
		r.durable = r.durable || op.equal
	}
	r.ops = append(r.ops, op)
}

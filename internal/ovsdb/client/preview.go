package client

import "weir/internal/ovsdb"

// Empty is a snapshot of a database without rows, for work without a server.
func Empty(schema *ovsdb.DatabaseSchema) *Snapshot { return newReplica(schema, nil).snapshot() }

// Preview is the snapshot that the transaction would lead to if nothing else
// happened: inserted rows have their provisional UUIDs, and garbage collection
// and constraints, which are the server's, don't take place.
func (t *Txn) Preview() *Snapshot {
	s := &Snapshot{schema: t.snap.schema, infos: t.snap.infos, tables: map[string]*rowSet{}, seq: t.snap.seq + 1}
	edits := map[string]*rowSetEdit{}
	for _, k := range t.order {
		e := edits[k.table]
		if e == nil {
			e = editRowSet(t.snap.tables[k.table])
			edits[k.table] = e
		}
		switch r := t.rows[k]; {
		case r.cur == nil:
			e.del(k.id)
		case r.cur != r.old:
			e.put(r.cur)
		}
	}
	for name, set := range t.snap.tables {
		s.tables[name] = set
	}
	for name, e := range edits {
		s.tables[name] = e.set
	}
	return s
}

package server

import (
	"encoding/binary"
	"slices"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// txnID identifies the commit numbered seq for clients that come back and ask
// for what they have missed (monitor_cond_since, ovsdb-server(7), 4.1.15): 32 bits
// of ones, 32 that are drawn each time that the database is opened or converted,
// and seq.
func (db *Database) txnID(seq uint64) (id ovsdb.UUID) {
	binary.BigEndian.PutUint32(id[:], ones)
	binary.BigEndian.PutUint32(id[4:], db.run)
	binary.BigEndian.PutUint64(id[8:], seq)
	return id
}

const ones = 1<<32 - 1

// ours reports whether an identifier may be one of txnID's, of any database.
func ours(id ovsdb.UUID) bool { return binary.BigEndian.Uint32(id[:]) == ones }

// told returns what a monitor's client learns of a transaction's identifier. The
// original numbers only the transactions of clustered databases and tells zero
// for others, which tools and scripts show. Clients that are to learn ours ask
// with one to begin with; that it is nobody's, as all ones are, doesn't matter.
func (m *monitor) told(txn ovsdb.UUID) ovsdb.UUID {
	if m.named || !ours(txn) {
		return txn
	}
	return ovsdb.UUID{}
}

// since returns what a monitor has to learn to get from the transaction that a
// client saw last to a snapshot, and whether that transaction is remembered.
func (db *Database) since(last ovsdb.UUID, snap *engine.Snapshot, spec *monitorSpec) (update, bool) {
	if last == (ovsdb.UUID{}) {
		return nil, false
	}
	steps, ok := db.stepsFrom(last, snap)
	if !ok {
		return nil, false
	}
	if u := spec.update(fold(steps)); u != nil {
		return u, true
	}
	return update{emptyObject}, true
}

// stepsFrom returns the commits after the one identified, up to a snapshot.
// From now on, commits are remembered while no session watches, too.
func (p *publication) stepsFrom(id ovsdb.UUID, snap *engine.Snapshot) ([]step, bool) {
	p.pub.Lock()
	defer p.pub.Unlock()
	p.keeps = true
	if id == snap.TxnID {
		return nil, true
	}
	from := slices.IndexFunc(p.recent, func(st step) bool { return st.txn == id })
	to := slices.IndexFunc(p.recent, func(st step) bool { return st.seq == snap.Seq })
	if to < from || from < 0 && id != p.base {
		return nil, false
	}
	return p.recent[from+1 : to+1], true
}

// fold returns what steps did altogether, the changes of a table together.
func fold(steps []step) []engine.Change {
	if len(steps) == 1 {
		return steps[0].changes
	}
	type key struct {
		table int
		id    ovsdb.UUID
	}
	at := map[key]int{}
	var out []engine.Change
	for i := range steps {
		for _, c := range steps[i].changes {
			k := key{c.Table.Num, c.ID()}
			if n, ok := at[k]; ok {
				out[n].New = c.New
				continue
			}
			at[k] = len(out)
			out = append(out, c)
		}
	}
	out = slices.DeleteFunc(out, func(c engine.Change) bool { return c.Old == nil && c.New == nil })
	slices.SortStableFunc(out, func(a, b engine.Change) int { return a.Table.Num - b.Table.Num })
	return out
}

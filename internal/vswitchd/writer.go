package vswitchd

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
)

// writer puts status into the database: what differs from what it holds, one
// transaction at a time. The loop owns it.
type writer struct {
	s     *Switch
	rows  map[rowID]*rowState
	dirty map[rowID]bool
	busy  bool
}

type rowID struct {
	table string
	id    ovsdb.UUID
}

// rowState is what a row should hold, and what it holds as far as we know.
type rowState struct{ want, has map[string]ovsdb.Datum }

func newWriter(s *Switch) writer {
	return writer{s: s, rows: map[rowID]*rowState{}, dirty: map[rowID]bool{}}
}

// set asks for a column's value.
func (w *writer) set(table string, id ovsdb.UUID, column string, d ovsdb.Datum) {
	k := rowID{table, id}
	r := w.rows[k]
	if r == nil {
		r = &rowState{want: map[string]ovsdb.Datum{}, has: map[string]ovsdb.Datum{}}
		w.rows[k] = r
	}
	r.want[column] = d
	if has, ok := r.has[column]; !ok || has != d {
		w.dirty[k] = true
	}
}

// forgetGone forgets the rows that are in one snapshot and not in the next one.
func (w *writer) forgetGone(was, is *client.Snapshot) {
	for _, table := range []string{"Bridge", "Port", "Interface", "Controller", "Mirror"} {
		for c := range client.Diff(was, is, table) {
			if c.New == nil {
				delete(w.rows, rowID{table, c.Old.UUID()})
				delete(w.dirty, rowID{table, c.Old.UUID()})
			}
		}
	}
}

// forget takes nothing for granted any more of what the database holds.
func (w *writer) forget() {
	for k, r := range w.rows {
		clear(r.has)
		w.dirty[k] = true
	}
}

// flush sends what is to be written, unless a transaction is still under way.
func (w *writer) flush() {
	snap := w.s.db.Snapshot()
	if w.busy || len(w.dirty) == 0 || snap == nil {
		return
	}
	tx := client.NewTxn(snap)
	sent := map[rowID]map[string]ovsdb.Datum{}
	for k := range w.dirty {
		r := w.rows[k]
		if snap.Row(k.table, k.id) == nil {
			delete(w.dirty, k)
			continue
		}
		columns := map[string]ovsdb.Datum{}
		for c, d := range r.want {
			if has, ok := r.has[c]; ok && has == d {
				continue
			}
			columns[c] = d
			if err := tx.SetBlind(k.table, k.id, c, d); err != nil {
				delete(r.want, c) // an older schema lacks the column
				delete(columns, c)
			}
		}
		sent[k] = columns
	}
	clear(w.dirty)
	if !tx.Changed() {
		return
	}
	w.busy = w.s.db.Start(tx, func(_ *client.Result, err error) {
		w.s.loop.Post(func() { w.done(sent, err) })
	})
	if !w.busy {
		for k := range sent {
			w.dirty[k] = true
		}
	}
}

func (w *writer) done(sent map[rowID]map[string]ovsdb.Datum, err error) {
	w.busy = false
	var dbErr *ovsdb.Error
	switch {
	case err == nil, errors.As(err, &dbErr):
		if dbErr != nil {
			log.Warn("writing status to the database failed: %v", dbErr)
		}
		for k, columns := range sent {
			if r := w.rows[k]; r != nil {
				maps.Copy(r.has, columns)
			}
		}
	default: // the connection was lost, or the lock: everything is written anew then
		for k := range sent {
			if w.rows[k] != nil {
				w.dirty[k] = true
			}
		}
		return
	}
	w.flush()
}

func text(s string) ovsdb.Datum { return ovsdb.ScalarDatum(ovsdb.StringAtom(s)) }

// optText is an optional string, empty for "".
func optText(s string) ovsdb.Datum {
	if s == "" {
		return ovsdb.EmptyDatum(ovsdb.String, ovsdb.Void)
	}
	return text(s)
}

func number(n int64) ovsdb.Datum { return ovsdb.ScalarDatum(ovsdb.IntAtom(n)) }

// optNumber is an optional integer.
func optNumber(n int64, ok bool) ovsdb.Datum {
	if !ok {
		return ovsdb.EmptyDatum(ovsdb.Integer, ovsdb.Void)
	}
	return number(n)
}

func texts(m map[string]string) ovsdb.Datum {
	pairs := make([]ovsdb.Pair, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, ovsdb.Pair{Key: ovsdb.StringAtom(k), Value: ovsdb.StringAtom(m[k])})
	}
	return ovsdb.MapDatum(ovsdb.String, ovsdb.String, pairs)
}

func numbers(m map[string]int64) ovsdb.Datum {
	pairs := make([]ovsdb.Pair, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, ovsdb.Pair{Key: ovsdb.StringAtom(k), Value: ovsdb.IntAtom(m[k])})
	}
	return ovsdb.MapDatum(ovsdb.String, ovsdb.Integer, pairs)
}

func stringSet(list []string) ovsdb.Datum {
	atoms := make([]ovsdb.Atom, len(list))
	for i, s := range list {
		atoms[i] = ovsdb.StringAtom(s)
	}
	return ovsdb.SetDatum(ovsdb.String, atoms)
}

// curCfg says that the configuration of a next_cfg is in force.
func (w *writer) curCfg(open *OpenConf) {
	w.set("Open_vSwitch", open.UUID, "cur_cfg", number(open.NextCfg))
}

// identity says what this switch can do.
func (w *writer) identity(open *OpenConf) {
	var dps []string
	for _, t := range w.s.opts.Datapaths {
		dps = append(dps, t.Name)
	}
	w.set("Open_vSwitch", open.UUID, "datapath_types", stringSet(dps))
	w.set("Open_vSwitch", open.UUID, "iface_types", stringSet(w.s.opts.InterfaceTypes))
	w.set("Open_vSwitch", open.UUID, "dpdk_initialized", ovsdb.ScalarDatum(ovsdb.BoolAtom(false)))
	w.set("Open_vSwitch", open.UUID, "dpdk_version", text("none"))
}

func (w *writer) bridge(b *bridge) {
	id := b.conf.UUID
	w.set("Bridge", id, "datapath_id", text(fmt.Sprintf("%016x", b.dpid)))
	w.set("Bridge", id, "datapath_version", text("<built-in>"))
	var status map[string]string
	if p, ok := b.backend.Backend.(*provider); ok {
		status = p.Status()
	}
	w.set("Bridge", id, "status", texts(withNotes(b.notes, status)))
}

func (w *writer) port(p *port) {
	w.set("Port", p.conf.UUID, "status", texts(withNotes(p.conf.Notes, nil)))
}

// withNotes adds to a status what a row asks for in vain.
func withNotes(list []note, status map[string]string) map[string]string {
	out := maps.Clone(status)
	if out == nil {
		out = map[string]string{}
	}
	number := map[string]int{}
	for _, n := range list {
		number[n.kind]++
		out[fmt.Sprintf("%s_%d", n.kind, number[n.kind])] = n.text
	}
	return out
}

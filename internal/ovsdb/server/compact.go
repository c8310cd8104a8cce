package server

import (
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
)

// Compact rewrites the storage without its history, from a snapshot, while
// transactions go on.
func (db *Database) Compact() error {
	db.compacting.Lock()
	defer db.compacting.Unlock()
	var c storage.Compaction
	err := db.exclusive(func() (err error) {
		if db.broken != nil {
			return db.broken
		}
		if db.store != nil {
			snap := db.eng.Head()
			c, err = db.store.Compact(snap.Layout.Schema, rowsOf(snap), storage.Txn{Date: db.clock.Wall(), Comment: "compacting database online"})
		}
		return err
	})
	if err != nil || c == nil {
		return err
	}
	// What is committed while the rows are written is copied after them, but for
	// the last of it, for which transactions have to wait.
	for range catchUps {
		if err := c.Write(); err != nil {
			return err
		}
		err := db.exclusive(func() error { c.Progress(); return nil })
		if err != nil {
			return err
		}
	}
	err = db.exclusive(func() error {
		if db.broken != nil {
			c.Abandon()
			return db.broken
		}
		return c.Finish()
	})
	if err == nil {
		c.Release()
	}
	return err
}

// catchUps is how often what was committed meanwhile is copied while more may
// come.
const catchUps = 3

// rowsOf lists a snapshot's rows for the storage.
func rowsOf(s *engine.Snapshot) storage.Rows {
	return func(yield func(*ovsdb.TableSchema, *ovsdb.StoredRow) bool) {
		for _, t := range s.Layout.Tables {
			for row := range s.Tables[t.Num].All() {
				if !yield(t.TableSchema, row) {
					return
				}
			}
		}
	}
}

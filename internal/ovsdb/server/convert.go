package server

import (
	"fmt"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
)

// convert runs "convert" (ovsdb-server(7), 4.1.19).
func (c *session) convert(m *jsonrpc.Message) ([]byte, error) {
	db, derr := c.database(m)
	if derr != nil {
		return nil, derr
	}
	params := elements(m.Params)
	if len(params) != 2 {
		return nil, syntaxError(m, "", "array expected")
	}
	schema, err := ovsdb.ParseSchema(params[1])
	if err != nil {
		return nil, err
	}
	if db == c.srv.self || c.refusesWrites(db) {
		return nil, ovsdb.Errorf(ovsdb.TagNotAllowed, "convert operation not allowed on database %s here", db.Name)
	}
	if schema.Name != db.Name {
		return nil, ovsdb.Errorf("invalid parameters", "new schema name (%s) does not match database name (%s)", schema.Name, db.Name)
	}
	if err := c.srv.convert(db, schema); err != nil {
		return nil, err
	}
	c.replaced(m, db)
	return nil, nil
}

// replaced tells the other clients that the database was converted, and answers the
// one that had it done. Who connects after the answer isn't disturbed.
func (c *session) replaced(m *jsonrpc.Message, old *Database) {
	for _, other := range c.srv.allSessions() {
		if other != c {
			other.databaseGone(old)
		}
	}
	c.reply(m.ID, emptyObject)
	if !c.isAware() {
		// The reply must be out before the connection ends.
		stop := c.srv.clock.AfterFunc(5*time.Second, c.conn.Close)
		_ = c.conn.Flush()
		stop.Stop()
	}
	c.databaseGone(old)
}

// convert replaces a database by one of the same contents in another schema.
func (s *Server) convert(db *Database, schema *ovsdb.DatabaseSchema) error {
	var now *Database
	err := db.exclusive(func() error {
		if db.broken != nil {
			return db.broken
		}
		snap, cerr := engine.Convert(db.eng.Head(), engine.NewLayout(schema))
		if cerr != nil {
			return cerr
		}
		if db.store != nil {
			if err := db.rewrite(schema, snap); err != nil {
				return err
			}
		}
		now = newDatabase(db.Name, snap, db.store, db.clock)
		now.backup.Store(db.backup.Load())
		db.broken = errConverted
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	h := s.dbs[db.Name]
	s.dbs[db.Name] = &hosted{db: now, file: h.file, row: h.row}
	s.offer()
	s.mu.Unlock()
	db.retire()
	s.update(fmt.Sprintf(`{"op":"update","table":"Database","where":[["_uuid","==",["uuid","%s"]]],"row":{"schema":%s}}`,
		h.row, json.AppendString(nil, schema.JSON())))
	s.reconsider()
	return nil
}

// rewrite replaces what is stored by a snapshot in another schema.
func (db *Database) rewrite(schema *ovsdb.DatabaseSchema, snap *engine.Snapshot) error {
	c, err := db.store.Compact(schema, rowsOf(snap), storage.Txn{Date: db.clock.Wall(), Comment: "converted by ovsdb-server"})
	if err == nil {
		err = c.Write()
	}
	if err == nil {
		err = c.Finish()
	}
	if err == nil {
		c.Release()
		err = db.store.Commit(nil, true) // nobody may see it go away again
	}
	return err
}

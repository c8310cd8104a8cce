package ovsdbtool

import (
	"errors"
	"fmt"
	"math"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
)

func (t *tool) query(args []string) error { return t.execute(args, false) }

func (t *tool) transact(args []string) error { return t.execute(args, true) }

// execute runs a transaction on a database file and prints its results; with
// write its changes are kept.
func (t *tool) execute(args []string, write bool) error {
	name, text := defaultDB(), args[len(args)-1]
	if len(args) == 2 {
		name = args[0]
	}
	if err := json.Valid([]byte(text)); err != nil {
		return fmt.Errorf("\"%s\": %w", text, err)
	}
	mode := storage.ReadOnly
	if write {
		mode = storage.ReadWrite
	}
	f, err := storage.OpenFile(name, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	db, err := open(f)
	if err != nil {
		return err
	}
	result, err := run(db, f, []byte(text), write, t.rbacRole)
	if err != nil {
		return err
	}
	t.printf("%s\n", result)
	return nil
}

// open replays a file's transactions.
func open(f *storage.File) (*engine.DB, error) {
	b := engine.NewBuilder(engine.NewLayout(f.Schema()))
	err := f.Replay(b.Row, func(txn *storage.Txn) error {
		for i := range txn.Changes {
			c := &txn.Changes[i]
			b.Set(c.Table, c.UUID, c.New)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return engine.NewDB(b.Snapshot()), nil
}

// run executes the params of a "transact" request in a role and returns the
// results.
func run(db *engine.DB, f *storage.File, params []byte, write bool, role string) ([]byte, error) {
	if err := json.Valid(params); err != nil {
		return ovsdb.AsError(err).AppendJSON(nil), nil
	}
	if e := checkParams(params, f.Schema().Name); e != nil {
		return e.AppendJSON(nil), nil
	}
	req, err := engine.ParseRequest(db.Layout(), params)
	if err != nil {
		return ovsdb.AsError(err).AppendJSON(nil), nil
	}
	env := &engine.Env{HoldsLock: func(string) bool { return false }, Access: engine.RoleCheck(db.Head(), role, "")}
	out := req.Execute(db, env)
	if out.Blocked { // nobody else will ever satisfy the "wait"
		env.Elapsed = time.Duration(math.MaxInt64)
		if out.HasLimit {
			env.Elapsed = out.Limit
		}
		out = req.Execute(db, env)
	}
	if out.Blocked {
		return nil, errors.New("the transaction's \"wait\" has no timeout and can never be satisfied here")
	}
	if write && len(out.Changes) > 0 {
		if err := f.Commit([]storage.Txn{record(req, out.Changes)}, true); err != nil {
			return nil, err
		}
	}
	return out.Result, nil
}

// checkParams checks the name of the database in a request's params.
func checkParams(params []byte, name string) *ovsdb.Error {
	s := json.NewScanner(params)
	if s.Next() != json.ArrayBegin {
		return ovsdb.SyntaxErrorf(params, "", "array expected")
	}
	if s.Next() != json.String || s.Str() != name {
		return ovsdb.SyntaxErrorf(params, "", "database name expected as first parameter")
	}
	return nil
}

// record makes a log record of what a transaction did.
func record(req *engine.Request, changes []engine.Change) storage.Txn {
	txn := storage.Txn{Date: time.Now(), Comment: req.Comment()}
	for i := range changes {
		c := &changes[i]
		txn.Changes = append(txn.Changes, storage.Change{Table: c.Table.TableSchema, UUID: c.ID(), Old: c.Old, New: c.New})
	}
	return txn
}

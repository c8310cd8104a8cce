package engine

import (
	"slices"
	"strconv"
	"time"

	"weir/internal/ovsdb"
)

// Env is what a transaction's outcome depends on besides the database.
type Env struct {
	// HoldsLock reports whether the client holds a lock ("assert").
	HoldsLock func(name string) bool
	// Elapsed is how long the client has been waiting ("wait").
	Elapsed time.Duration
	// Refuse, where set, is asked before each operation that writes, and its
	// error is the operation's.
	Refuse func(op, table string) *ovsdb.Error
	// Room is where the result is put if it fits: it must not be in use for an
	// earlier one any more.
	Room []byte
	// Access, where set, is asked before each row that is written, and its error
	// is the operation's: role-based access control.
	Access func(a *Access) *ovsdb.Error
}

// Access is a row that an operation is about to write.
type Access struct {
	Op        string
	Table     *Table
	Row       *Row                  // as it is now; for an insert the new one
	Columns   []*ovsdb.ColumnSchema // update: those to be set
	Mutations []ovsdb.Mutation      // mutate
}

// Outcome is what became of a transaction.
type Outcome struct {
	// Result is the reply's "result": an array with one element for each
	// operation, and one more for an error that isn't an operation's.
	Result []byte
	// Changes are what a successful transaction did; they take effect by
	// DB.Apply. There are none when it failed or changed nothing.
	Changes []Change
	// Failed is the error in Result, if any.
	Failed *ovsdb.Error
	// Blocked says that a "wait" is not satisfied yet: nothing above is set,
	// and the request is to be executed again when the database changes, or
	// when Elapsed reaches Limit, where HasLimit.
	Blocked, HasLimit bool
	Limit             time.Duration
}

// Execute runs the request on db's head without changing it: see
// Outcome.Changes.
func (r *Request) Execute(db *DB, env *Env) Outcome {
	x := db.begin()
	defer x.reset()
	return r.run(x, env)
}

// Read runs a request that is ReadOnly on any snapshot.
func (r *Request) Read(s *Snapshot, env *Env) Outcome {
	return r.run(newTxn(s.Layout, s.Tables, nil), env)
}

func (r *Request) run(x *Txn, env *Env) Outcome {
	x.inserts = r.inserts
	e := &executor{x: x, env: env, out: append(slices.Grow(env.Room[:0], 64*len(r.ops)+2), '[')}
	err := r.runOps(e)
	if e.blocked {
		return Outcome{Blocked: true, HasLimit: e.hasLimit, Limit: e.limit}
	}
	var changes []Change
	if err == nil && !r.readOnly {
		changes, err = x.check()
		if err != nil {
			e.comma()
			e.out = err.AppendJSON(e.out)
		}
	}
	return Outcome{Result: append(e.out, ']'), Changes: changes, Failed: err}
}

// runOps runs the operations up to the first that fails, and fills the reply
// with null for those after it.
func (r *Request) runOps(e *executor) *ovsdb.Error {
	var err *ovsdb.Error
	done := 0
	for i := range r.ops {
		e.comma()
		if err = e.run(&r.ops[i]); err != nil || e.blocked {
			break
		}
		done++
	}
	if err == nil && done == len(r.ops) && r.failed != nil {
		e.comma()
		err = r.failed
	}
	if err == nil {
		return nil
	}
	e.out = err.AppendJSON(e.out)
	for done++; done < r.total; done++ {
		e.out = append(e.out, ",null"...)
	}
	return err
}

// executor runs operations and builds the reply.
type executor struct {
	x   *Txn
	env *Env
	out []byte

	blocked, hasLimit bool
	limit             time.Duration
}

func (e *executor) comma() {
	if len(e.out) > 1 {
		e.out = append(e.out, ',')
	}
}

func (e *executor) run(op *operation) *ovsdb.Error {
	switch op.op {
	case "insert", "update", "mutate", "delete":
		if e.env.Refuse != nil {
			if err := e.env.Refuse(op.op, op.table.Name); err != nil {
				return err
			}
		}
	}
	switch op.op {
	case "insert":
		return e.insert(op)
	case "select":
		e.selectRows(op)
		return nil
	case "update":
		return e.update(op)
	case "mutate":
		return e.mutate(op)
	case "delete":
		return e.delete(op)
	case "wait":
		return e.wait(op)
	case "abort":
		return ovsdb.Errorf(ovsdb.TagAborted, "aborted by request")
	case "assert":
		if e.env.HoldsLock == nil || !e.env.HoldsLock(op.text) {
			return ovsdb.Errorf(ovsdb.TagNotOwner, "Asserted lock %s not held.", op.text)
		}
	}
	e.out = append(e.out, "{}"...)
	return nil
}

func (e *executor) access(op *operation, row *Row) *ovsdb.Error {
	if e.env.Access == nil {
		return nil
	}
	a := Access{Op: op.op, Table: op.table, Row: row}
	if op.details != nil {
		a.Columns, a.Mutations = op.set, op.mutations
	}
	return e.env.Access(&a)
}

func (e *executor) insert(op *operation) *ovsdb.Error {
	row := op.insert
	if op.ownUUID && e.x.known(rowKey{op.table.Num, row.ID}) {
		return ovsdb.SyntaxErrorf([]byte(`"`+row.ID.String()+`"`), ovsdb.TagDuplicateUUID, "This UUID would duplicate a UUID already present within the table or deleted within the same transaction.")
	}
	if err := e.access(op, row); err != nil {
		return err
	}
	e.x.insert(op.table, row, !op.ownUUID)
	e.out = append(e.out, `{"uuid":["uuid","`...)
	e.out = row.ID.Append(e.out)
	e.out = append(e.out, `"]}`...)
	return nil
}

func (e *executor) count(n int) {
	e.out = append(e.out, `{"count":`...)
	e.out = strconv.AppendInt(e.out, int64(n), 10)
	e.out = append(e.out, '}')
}

// selectRows shows the rows that match, those with equal columns once.
func (e *executor) selectRows(op *operation) {
	e.out = append(e.out, `{"rows":[`...)
	columns := op.compared()
	distinct := !slices.ContainsFunc(columns, func(c *ovsdb.ColumnSchema) bool { return c.Index <= ovsdb.VersionColumn })
	seen := map[string]bool{}
	first := true
	rows := e.x.find(op.table, op.where)
	if len(op.sort) > 0 {
		rows = slices.Values(slices.SortedFunc(rows, func(a, b *Row) int { return compare(op.sort, a, b) }))
	}
	for row := range rows {
		if distinct {
			key := keyOf(columns, row.Get)
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		e.out = row.AppendJSON(e.out, columns)
	}
	e.out = append(e.out, "]}"...)
}

// compare orders rows by columns.
func compare(columns []*ovsdb.ColumnSchema, a, b *Row) int {
	for _, c := range columns {
		if n := a.Get(c).Compare(b.Get(c)); n != 0 {
			return n
		}
	}
	return 0
}

// matches lists the rows that op's condition selects, so that they can change.
func (e *executor) matches(op *operation) []*Row {
	return slices.Collect(e.x.find(op.table, op.where))
}

func (e *executor) update(op *operation) *ovsdb.Error {
	rows := e.matches(op)
	for _, row := range rows {
		if err := e.access(op, row); err != nil {
			return err
		}
		if !differs(row, op) {
			continue
		}
		e.x.set(op.table, row.ID, op.set, op.row)
	}
	e.count(len(rows))
	return nil
}

func differs(row *Row, op *operation) bool {
	for _, c := range op.set {
		if row.Get(c) != op.row[c.Index] {
			return true
		}
	}
	return false
}

func (e *executor) mutate(op *operation) *ovsdb.Error {
	rows := e.matches(op)
	for _, row := range rows {
		if err := e.access(op, row); err != nil {
			return err
		}
		if err := e.mutateRow(op, row); err != nil {
			return err
		}
	}
	e.count(len(rows))
	return nil
}

// mutateRow applies an operation's mutations, one after another, to one row.
func (e *executor) mutateRow(op *operation, row *Row) *ovsdb.Error {
	var cols ovsdb.Row
	var set []*ovsdb.ColumnSchema
	for i := range op.mutations {
		m := &op.mutations[i]
		old := row.Get(m.Column)
		done := slices.Contains(set, m.Column)
		if done {
			old = cols[m.Column.Index]
		}
		now, err := m.Apply(old)
		if err != nil {
			return err
		}
		if now == old {
			continue
		}
		if cols == nil {
			cols = make(ovsdb.Row, len(op.table.Columns))
		}
		if cols[m.Column.Index] = now; !done {
			set = append(set, m.Column)
		}
	}
	if set != nil {
		e.x.set(op.table, row.ID, set, cols)
	}
	return nil
}

func (e *executor) delete(op *operation) *ovsdb.Error {
	rows := e.matches(op)
	for _, row := range rows {
		if err := e.access(op, row); err != nil {
			return err
		}
		e.x.remove(rowKey{op.table.Num, row.ID})
	}
	e.count(len(rows))
	return nil
}

// wait compares the rows that match with the given ones, as sets.
func (e *executor) wait(op *operation) *ovsdb.Error {
	columns := op.compared()
	equal := true
	seen := map[string]bool{}
	for row := range e.x.find(op.table, op.where) {
		key := keyOf(columns, row.Get)
		seen[key] = true
		if !op.rows[key] {
			equal = false
			break
		}
	}
	equal = equal && len(seen) == len(op.rows)
	if equal == op.equal {
		e.out = append(e.out, "{}"...)
		return nil
	}
	if op.hasLimit && e.env.Elapsed >= op.timeout {
		if op.timeout == 0 {
			return ovsdb.Errorf(ovsdb.TagTimedOut, "\"where\" clause test failed")
		}
		return ovsdb.Errorf(ovsdb.TagTimedOut, "\"wait\" timed out after %d ms", e.env.Elapsed.Milliseconds())
	}
	e.blocked, e.hasLimit, e.limit = true, op.hasLimit, op.timeout
	return nil
}

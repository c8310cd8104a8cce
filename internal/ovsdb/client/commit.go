package client

import (
	"context"
	"errors"

	"weir/internal/coverage"
	"weir/internal/json"
	"weir/internal/ovsdb"
)

// ErrDisconnected is the error of a transaction whose outcome isn't known
// since the connection was lost.
var ErrDisconnected = errors.New("connection to the database lost before the transaction's outcome was known")

// Commit sends a transaction and waits for its outcome, for a connection first
// if need be. When it returns, the snapshot has the transaction's effects. The
// error is ErrTryAgain, ErrNotLocked, ErrDisconnected, the context's, or an
// *ovsdb.Error.
func (c *Client) Commit(ctx context.Context, t *Txn) (*Result, error) {
	type outcome struct {
		r   *Result
		err error
	}
	for {
		changed := c.Changed()
		ch := make(chan outcome, 1)
		if c.Start(t, func(r *Result, err error) { ch <- outcome{r, err} }) {
			select {
			case o := <-ch:
				return o.r, o.err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.done:
			return nil, c.failure()
		}
	}
}

// Start sends a transaction and has done called with its outcome, on the
// client's goroutine once the snapshot has its effects. It sends nothing and
// returns false while there is no connection, or while the lock asked for is
// not ours to have or to know lost.
func (c *Client) Start(t *Txn, done func(*Result, error)) bool {
	if !t.Changed() {
		coverUnchanged.Inc()
		done(&Result{Unchanged: true}, nil)
		return true
	}
	c.mu.Lock()
	defer c.unlock()
	s := c.sess
	if s == nil || !s.synced {
		return false
	}
	if c.cfg.Lock != "" && !s.locked {
		if s.contended {
			c.after = append(c.after, func() { done(nil, ErrNotLocked) })
		}
		return s.contended
	}
	params := append([]byte(`["`), s.db.schema.Name...)
	params, shape := t.operations(append(params, `",`...), c.cfg.Lock)
	s.transact(append(params, ']'), func(result, rpcErr []byte) {
		r, err := readResult(result, rpcErr, shape)
		countOutcome(err)
		done(r, err)
	})
	c.flush()
	return true
}

// Outcomes of transactions.
var (
	coverUnchanged = coverage.New("txn_unchanged")
	coverSuccess   = coverage.New("txn_success")
	coverTryAgain  = coverage.New("txn_try_again")
	coverNotLocked = coverage.New("txn_not_locked")
	coverError     = coverage.New("txn_error")
)

func countOutcome(err error) {
	switch {
	case err == nil:
		coverSuccess.Inc()
	case errors.Is(err, ErrTryAgain):
		coverTryAgain.Inc()
	case errors.Is(err, ErrNotLocked):
		coverNotLocked.Inc()
	default:
		coverError.Inc()
	}
}

// Transact runs <operation>s given as raw JSON, separated by commas, and
// returns the raw array of results.
func (c *Client) Transact(ctx context.Context, operations []byte) ([]byte, error) {
	type reply struct{ result, rpcErr []byte }
	ch := make(chan reply, 1)
	c.mu.Lock()
	if c.sess == nil || !c.sess.synced {
		c.unlock()
		return nil, ErrDisconnected
	}
	params := append([]byte(`["`+c.sess.db.schema.Name+`",`), operations...)
	c.sess.transact(append(params, ']'), func(result, rpcErr []byte) { ch <- reply{result, rpcErr} })
	c.flush()
	c.unlock()
	select {
	case r := <-ch:
		switch {
		case r.rpcErr != nil:
			return nil, replyError(r.rpcErr)
		case r.result == nil:
			return nil, ErrDisconnected
		}
		return r.result, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// replyError is the error of a reply as a value.
func replyError(raw []byte) error {
	if e := parseError(raw); e != nil {
		return e
	}
	return &ovsdb.Error{Details: string(raw)}
}

// readResult reads the reply to a transact request; both parts are nil when
// none came.
func readResult(result, rpcErr []byte, shape *txnShape) (*Result, error) {
	switch {
	case rpcErr != nil:
		return nil, replyError(rpcErr)
	case result == nil:
		return nil, ErrDisconnected
	}
	r := &Result{uuids: map[ovsdb.UUID]ovsdb.UUID{}}
	var failure error
	err := eachParam(result, func(sc *json.Scanner, i int) error {
		if sc.Kind() != json.ObjectBegin {
			return sc.Skip()
		}
		raw, err := sc.Raw()
		if err != nil {
			return err
		}
		if e := parseError(raw); e != nil {
			failure = firstError(failure, e, shape.locked && i == 0)
			return nil
		}
		return r.readOne(raw, i, shape)
	})
	if failure != nil {
		return nil, failure
	}
	return r, err
}

// firstError sorts the error of one operation in among those before.
func firstError(was error, e *ovsdb.Error, isLock bool) error {
	switch {
	case was != nil:
		return was
	case isLock && e.Tag == ovsdb.TagNotOwner:
		return ErrNotLocked
	case e.Tag == ovsdb.TagTimedOut:
		return ErrTryAgain
	}
	return e
}

// readOne reads the result of the i'th operation.
func (r *Result) readOne(raw []byte, i int, shape *txnShape) error {
	sc := json.NewScanner(raw)
	sc.Next()
	return sc.Object(func(name string) error {
		sc.Next()
		prov, inserted := shape.inserts[i]
		switch {
		case name == "uuid" && inserted:
			return sc.Array(func(j int) error {
				if id, ok := ovsdb.ParseUUID(sc.Str()); ok && j == 1 {
					r.uuids[prov] = id
				}
				return sc.Skip()
			})
		case name == "rows" && i == shape.increment:
			return sc.Array(func(int) error {
				return sc.Object(func(string) error {
					if sc.Next() == json.Integer {
						r.Increment = sc.Int()
					}
					return sc.Skip()
				})
			})
		}
		return sc.Skip()
	})
}

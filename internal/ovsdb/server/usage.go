package server

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// cost is what somebody's wishes have cost so far. Anybody may add to it.
type cost struct {
	n    atomic.Int64 // requests, updates or rows
	busy atomic.Int64 // nanoseconds of work
	size atomic.Int64 // bytes made or sent
}

func (c *cost) add(n int, busy time.Duration, size int) {
	c.n.Add(int64(n))
	c.busy.Add(int64(busy))
	c.size.Add(int64(size))
}

// costSample is of how many small transactions one is measured, for all.
const costSample = 16

// measure begins to measure a message, if it is to be measured: weight is for how
// many messages it stands, 0 for none.
func (c *session) measure(size int, small bool) (began time.Time, weight int) {
	weight = 1
	if small && size < bigMessage {
		if c.sample++; c.sample%costSample != 0 {
			return began, 0
		}
		weight = costSample
	}
	return time.Now(), weight // not the clock's time, which may stand still
}

// ClientUsage is what a client costs.
type ClientUsage struct {
	Name     string        `json:"name"`
	Remote   string        `json:"remote"` // the connection method that it came by
	Role     string        `json:"role,omitempty"`
	Requests int64         `json:"requests"`
	Busy     time.Duration `json:"busy_ns"` // in its requests; estimated for small transactions
	Received int64         `json:"received_bytes"`
	Sent     int64         `json:"sent_bytes"`
	Queued   int           `json:"queued_bytes"` // not taken by it yet
	Updates  int64         `json:"updates"`
	Monitors int           `json:"monitors"`
	Waiting  int           `json:"waiting"` // transactions that wait
}

// TableUsage is what a table costs.
type TableUsage struct {
	Database string        `json:"database"`
	Table    string        `json:"table"`
	Rows     int           `json:"rows"`
	Changes  uint64        `json:"changes"`  // of rows, by transactions
	Monitors int           `json:"monitors"` // that watch it now
	Compared int64         `json:"compared"` // rows held against the conditions of those
	Busy     time.Duration `json:"busy_ns"`  // in making their updates
	Made     int64         `json:"made_bytes"`
}

// ConditionUsage is what watching a table under one condition costs. Clients that
// ask for the same share it.
type ConditionUsage struct {
	Database  string        `json:"database"`
	Table     string        `json:"table"`
	Columns   []string      `json:"columns"`
	Condition string        `json:"condition"` // JSON as in a monitor request
	Clients   int           `json:"clients"`
	Compared  int64         `json:"compared"`
	Busy      time.Duration `json:"busy_ns"`
	Made      int64         `json:"made_bytes"`
}

// Usage is what clients, tables and conditions cost, the dearest first.
type Usage struct {
	Clients    []ClientUsage    `json:"clients"`
	Tables     []TableUsage     `json:"tables"`
	Conditions []ConditionUsage `json:"conditions"`
}

// Usage returns what everything costs. Costs of clients that have gone are in
// those of tables only as far as these were changed.
func (s *Server) Usage() *Usage {
	u := &Usage{}
	tables := map[string]*TableUsage{}
	for _, name := range s.Names() {
		if db := s.Lookup(name); db != nil {
			db.tableUsage(tables)
		}
	}
	conditions := map[string]*ConditionUsage{}
	for _, c := range s.allSessions() {
		u.Clients = append(u.Clients, c.usage(tables, conditions))
	}
	for _, t := range tables {
		u.Tables = append(u.Tables, *t)
	}
	for _, c := range conditions {
		u.Conditions = append(u.Conditions, *c)
	}
	slices.SortFunc(u.Clients, func(a, b ClientUsage) int {
		return cmp.Or(cmp.Compare(b.Busy, a.Busy), cmp.Compare(b.Sent, a.Sent), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(u.Tables, func(a, b TableUsage) int {
		return cmp.Or(cmp.Compare(b.Busy, a.Busy), cmp.Compare(b.Changes, a.Changes), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Table, b.Table))
	})
	slices.SortFunc(u.Conditions, func(a, b ConditionUsage) int {
		return cmp.Or(cmp.Compare(b.Busy, a.Busy), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Condition, b.Condition))
	})
	return u
}

// tableUsage enters a database's tables, by "DATABASE TABLE".
func (db *Database) tableUsage(tables map[string]*TableUsage) {
	snap := db.Snapshot()
	writes := db.writesByTable()
	for _, t := range snap.Layout.Tables {
		u := &TableUsage{Database: db.Name, Table: t.Name, Rows: snap.Tables[t.Num].Len()}
		if t.Num < len(writes) {
			u.Changes = writes[t.Num]
		}
		tables[db.Name+" "+t.Name] = u
	}
}

// writesByTable returns how many rows commits have changed, by Table.Num.
func (p *publication) writesByTable() []uint64 {
	p.pub.Lock()
	defer p.pub.Unlock()
	return slices.Clone(p.writes)
}

// usage returns what the client costs, and adds what its monitors cost to their
// tables and conditions.
func (c *session) usage(tables map[string]*TableUsage, conditions map[string]*ConditionUsage) ClientUsage {
	received, sent := c.conn.Counts()
	opts := c.remote.options()
	u := ClientUsage{Name: c.conn.Name, Remote: c.remote.target, Role: opts.Role, Requests: c.cost.n.Load(), Busy: time.Duration(c.cost.busy.Load()),
		Received: received, Sent: sent, Queued: c.conn.Backlog(), Updates: c.updates.n.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	u.Monitors, u.Waiting = len(c.order), len(c.waiting)
	for _, m := range c.order {
		for i := range m.spec.tables {
			t := &m.spec.tables[i]
			compared, busy, made := t.cost.n.Load(), time.Duration(t.cost.busy.Load()), t.cost.size.Load()
			if of := tables[m.db.Name+" "+t.table.Name]; of != nil {
				of.Monitors++
				of.Compared, of.Busy, of.Made = of.Compared+compared, of.Busy+busy, of.Made+made
			}
			of := t.conditionUsage(m.db.Name, conditions)
			of.Clients++
			of.Compared, of.Busy, of.Made = of.Compared+compared, of.Busy+busy, of.Made+made
		}
	}
	return u
}

// conditionUsage finds or makes the entry of a monitored table.
func (t *specTable) conditionUsage(db string, conditions map[string]*ConditionUsage) *ConditionUsage {
	columns := map[string]bool{}
	for i := range t.columns {
		columns[t.columns[i].Name] = true
	}
	u := &ConditionUsage{Database: db, Table: t.table.Name, Columns: slices.Sorted(maps.Keys(columns)), Condition: string(t.where.AppendJSON(nil))}
	key := db + " " + u.Table + " " + u.Condition + " " + strings.Join(u.Columns, ",")
	if conditions[key] == nil {
		conditions[key] = u
	}
	return conditions[key]
}

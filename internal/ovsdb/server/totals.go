package server

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Totals is what clients have cost altogether.
type Totals struct {
	Sessions int64
	Requests int64
	Updates  int64 // sent
	Received int64 // bytes
	Sent     int64 // bytes
	Busy     time.Duration
}

// addSession adds what a session has cost so far.
func (t *Totals) addSession(c *session) {
	received, sent := c.conn.Counts()
	t.Sessions++
	t.Requests += c.cost.n.Load()
	t.Busy += time.Duration(c.cost.busy.Load())
	t.Updates += c.updates.n.Load()
	t.Received += received
	t.Sent += sent
}

// Totals returns what all clients since the start have cost.
func (s *Server) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.gone
	for c := range s.sessions {
		t.addSession(c)
	}
	return t
}

// counters is what perf-counters-show shows.
type counters struct {
	Sessions int64   `json:"sessions"`
	Requests int64   `json:"requests"`
	Updates  int64   `json:"updates"`
	Received int64   `json:"received_bytes"`
	Sent     int64   `json:"sent_bytes"`
	Busy     float64 `json:"busy_ms"`
}

// String is a line each.
func (c counters) String() string {
	return fmt.Sprintf("sessions: %d\nrequests: %d\nupdates: %d\nreceived bytes: %d\nsent bytes: %d\nbusy ms: %.1f\n",
		c.Sessions, c.Requests, c.Updates, c.Received, c.Sent, c.Busy)
}

// perfCounters is what was done since perf-counters-clear.
func (s *Server) perfCounters() counters {
	now := s.Totals()
	s.mu.Lock()
	was := s.cleared
	s.mu.Unlock()
	busy := math.Round(float64(now.Busy-was.Busy)/1e5) / 10
	return counters{now.Sessions - was.Sessions, now.Requests - was.Requests, now.Updates - was.Updates, now.Received - was.Received, now.Sent - was.Sent, busy}
}

func (s *Server) clearCounters() {
	now := s.Totals()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleared = now
}

// memoryFigures are those of memory/show.
type memoryFigures struct {
	atoms, backlog, cells, monitors, weakRefs, sessions, triggers int
}

// memory counts what the server holds. Monitors that share their updates count
// as one.
func (s *Server) memory() memoryFigures {
	var f memoryFigures
	for _, name := range s.Names() {
		if db := s.Lookup(name); db != nil {
			f.addDatabase(db)
		}
	}
	seen := map[string]bool{}
	for _, c := range s.allSessions() {
		f.sessions++
		f.backlog += c.conn.Backlog()
		c.mu.Lock()
		f.triggers += len(c.waiting)
		for _, m := range c.order {
			seen[m.db.Name+"\n"+m.spec.key.Value()] = true
		}
		c.mu.Unlock()
	}
	f.monitors = len(seen)
	return f
}

func (f *memoryFigures) addDatabase(db *Database) {
	snap := db.Snapshot()
	for _, t := range snap.Layout.Tables {
		for row := range snap.Tables[t.Num].All() {
			f.cells += len(t.Columns)
			for _, c := range t.Columns {
				d := row.Get(c)
				f.atoms += d.Len()
				if d.IsMap() {
					f.atoms += d.Len()
				}
			}
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	_, weak := db.eng.Refs()
	f.weakRefs += weak
}

// figure is one of them. Those that count something in use are left out of the
// text where there is none.
type figure struct {
	key      string
	n        int
	optional bool
}

// figures are in the order of the keys.
func (f memoryFigures) figures() []figure {
	return []figure{
		{"atoms", f.atoms, false}, {"backlog", f.backlog, true}, {"cells", f.cells, false}, {"monitors", f.monitors, false},
		{"n-weak-refs", f.weakRefs, false}, {"sessions", f.sessions, true}, {"triggers", f.triggers, true},
	}
}

// Document is all figures by name.
func (f memoryFigures) Document() any {
	m := map[string]int{}
	for _, v := range f.figures() {
		m[v.key] = v.n
	}
	return m
}

// String is the text of memory/show.
func (f memoryFigures) String() string {
	out := ""
	for i, v := range slices.DeleteFunc(f.figures(), func(v figure) bool { return v.optional && v.n == 0 }) {
		if i > 0 {
			out += " "
		}
		out += fmt.Sprintf("%s:%d", v.key, v.n)
	}
	return out + "\n"
}

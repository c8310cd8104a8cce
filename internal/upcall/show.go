package upcall

import (
	"fmt"
	"strings"
	"time"
)

// State is what upcall/show tells of an engine.
type State struct {
	Datapath string `json:"datapath"`
	Flows    int64  `json:"flows"`
	Average  int64  `json:"average"`
	Highest  int64  `json:"max"`
	Limit    int64  `json:"limit"`
	Dump     int64  `json:"dump_duration_ms"`
	UFID     bool   `json:"ufid_enabled"`

	// What is in force; the text leaves it out.
	MaxIdle       int64 `json:"max_idle_ms"`
	MaxRevalidate int64 `json:"max_revalidator_ms"`
	MinPPS        int   `json:"min_revalidate_pps"`
	Megaflows     bool  `json:"megaflows_enabled"`
	Paused        bool  `json:"revalidation_paused"`
}

// State describes the engine.
func (e *Engine) State() State {
	c := e.conf.Load()
	return State{
		MaxIdle: c.MaxIdle.Milliseconds(), MaxRevalidate: c.MaxRevalidate.Milliseconds(), MinPPS: c.MinPPS,
		Megaflows: !e.noMegaflows.Load(), Paused: e.paused.Load(),
		Datapath: e.dp.Type() + "@" + e.dp.Name(), Flows: e.count.Load(), Average: e.average.Load(), Highest: e.highest.Load(),
		Limit: e.limit.Load(), Dump: time.Duration(e.duration.Load()).Milliseconds(), UFID: !e.noUFID.Load(),
	}
}

// String is the state as upcall/show prints it.
func (s *State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n", s.Datapath)
	fmt.Fprintf(&b, "  flows         : (current %d) (avg %d) (max %d) (limit %d)\n", s.Flows, s.Average, s.Highest, s.Limit)
	fmt.Fprintf(&b, "  dump duration : %dms\n", s.Dump)
	fmt.Fprintf(&b, "  ufid enabled : %t\n\n", s.UFID)
	fmt.Fprintf(&b, "  0: (keys %d)\n", s.Flows)
	return b.String()
}

// SetFlowLimit overrides the number of flows allowed.
func (e *Engine) SetFlowLimit(n int) {
	e.limit.Store(int64(n))
}

// SetMegaflows turns wildcarding of flows on or off, and removes those there.
func (e *Engine) SetMegaflows(on bool) {
	e.noMegaflows.Store(!on)
	e.Purge()
}

// SetUFID says whether flows are dumped by their id alone; it is only shown.
func (e *Engine) SetUFID(on bool) { e.noUFID.Store(!on) }

// Pause stops revalidation until Resume.
func (e *Engine) Pause() {
	e.paused.Store(true)
	e.passMu.Lock() // a pass under way ends first
	defer e.passMu.Unlock()
}

// Resume lets revalidation go on.
func (e *Engine) Resume() {
	e.paused.Store(false)
	e.poke()
}

// Len is the number of flows on record.
func (e *Engine) Len() int { return int(e.count.Load()) }

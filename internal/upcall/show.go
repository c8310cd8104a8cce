package upcall

import (
	"fmt"
	"strings"
)

// Show describes the engine as upcall/show does.
func (e *Engine) Show() string {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%s:\n", e.dp.Type(), e.dp.Name())
	fmt.Fprintf(&b, "  flows         : (current %d) (avg %d) (max %d) (limit %d)\n",
		e.count.Load(), e.average, e.highest.Load(), e.limit.Load())
	fmt.Fprintf(&b, "  dump duration : %dms\n", e.duration.Milliseconds())
	fmt.Fprintf(&b, "  ufid enabled : %t\n\n", !e.noUFID.Load())
	fmt.Fprintf(&b, "  0: (keys %d)\n", e.count.Load())
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

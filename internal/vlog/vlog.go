// Package vlog writes log messages the way Open vSwitch does: modules with one
// level per destination, the destinations console, syslog and file, patterns,
// and lines of the form DATE|SEQ|MODULE|LEVEL|MESSAGE, which scripts read
// (ovs-appctl(8), Logging Commands).
//
// The log belongs to the process, as its standard error does, so its state is
// the package's own. Levels are read without a lock; patterns, the log file and
// the writing of lines are under one mutex.
package vlog

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Module is a named source of messages. Its levels are atomics, so that asking
// Enabled costs one load.
type Module struct {
	name      string
	levels    [numDests]atomic.Uint32
	enabled   atomic.Uint32 // the least severe level that any open destination takes
	unlimited atomic.Bool   // vlog/disable-rate-limit
}

// modules are the process's modules in the order of moduleNames.
var modules = newModules()

// start is when the process began to log, for %r.
var start = time.Now()

// seq numbers the messages of the process from 1, for %N.
var seq atomic.Uint32

func newModules() []Module {
	ms := make([]Module, len(moduleNames))
	for i := range ms {
		m := &ms[i]
		m.name = moduleNames[i]
		for d := range m.levels {
			m.levels[d].Store(uint32(Info))
		}
		m.enabled.Store(uint32(Info))
	}
	return ms
}

// For returns the module of that name. The name must stand in the table in
// modules.go: another one is a programming error, and For panics.
func For(name string) *Module {
	if m := lookup(name); m != nil {
		return m
	}
	panic("vlog: module " + name + " is not in the table of modules")
}

func lookup(name string) *Module {
	i, ok := slices.BinarySearch(moduleNames[:], name)
	if !ok {
		return nil
	}
	return &modules[i]
}

// Name returns the module's name.
func (m *Module) Name() string { return m.name }

// Level returns the least severe level that the module logs to d.
func (m *Module) Level(d Dest) Level { return Level(m.levels[d].Load()) }

// Enabled says whether a message of that level would reach any destination, for
// callers whose arguments are costly to compute.
func (m *Module) Enabled(l Level) bool { return uint32(l) <= m.enabled.Load() }

// Log writes a message at the given level.
func (m *Module) Log(l Level, format string, args ...any) {
	if m.Enabled(l) {
		out.write(m, l, fmt.Sprintf(format, args...))
	}
}

// Emer logs a failure that forces the process to abort.
func (m *Module) Emer(format string, args ...any) { m.Log(Emer, format, args...) }

// Err logs the failure of a high-level operation.
func (m *Module) Err(format string, args ...any) { m.Log(Err, format, args...) }

// Warn logs a failure that higher-level parts may recover from.
func (m *Module) Warn(format string, args ...any) { m.Log(Warn, format, args...) }

// Info logs what may be useful in retrospect.
func (m *Module) Info(format string, args ...any) { m.Log(Info, format, args...) }

// Dbg logs what only someone with intricate knowledge wants; off by default.
func (m *Module) Dbg(format string, args ...any) { m.Log(Dbg, format, args...) }

// Fatal logs an emergency and ends the process with SIGABRT.
func (m *Module) Fatal(format string, args ...any) {
	m.Emer(format, args...)
	p, _ := os.FindProcess(os.Getpid())
	_ = p.Signal(abort)
	os.Exit(1)
}

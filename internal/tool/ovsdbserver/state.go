package ovsdbserver

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"weir/internal/paths"
)

// savedState is what a monitored server started again after a crash goes on
// with.
type savedState struct {
	Databases []string
	Remotes   []string

	SyncFrom, SyncExclude string
	Active                bool
}

// stateFile keeps a savedState for the life of the monitoring process, whose ID
// and start time its name holds.
type stateFile struct{ name string }

// openState returns the state file; without a monitor there is none.
func openState(monitored bool) *stateFile {
	if !monitored {
		return &stateFile{}
	}
	parent := os.Getppid()
	return &stateFile{paths.InRunDir(fmt.Sprintf(".ovsdb-server.%d.%s.state", parent, startTime(parent)))}
}

// startTime returns when a process started, proc(5)'s "starttime".
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 19 {
		return fields[19]
	}
	return ""
}

func (f *stateFile) load() (savedState, bool) {
	var s savedState
	if f.name == "" {
		return s, false
	}
	data, err := os.ReadFile(f.name)
	return s, err == nil && json.Unmarshal(data, &s) == nil
}

func (f *stateFile) save(s savedState) error {
	if f.name == "" {
		return nil
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(f.name+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(f.name+".new", f.name)
	}
	return err
}

// remove ends the state's life: the server exits in order.
func (f *stateFile) remove() {
	if f.name != "" {
		_ = os.Remove(f.name)
	}
}

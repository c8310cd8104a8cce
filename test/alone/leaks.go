package alone

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// run runs the tests, and fails where they pass but leave goroutines or descriptors
// of this process behind, after naming them.
func run(m *testing.M) int {
	before := descriptors()
	status := m.Run()
	if worker := flag.Lookup("test.fuzzworker"); status != 0 || worker != nil && worker.Value.String() == "true" {
		return status
	}
	for deadline := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		runtime.GC() // what only a finalizer closes is no leak
		left := append(goroutines(), opened(before, descriptors())...)
		if len(left) == 0 {
			return 0
		}
		if time.Now().After(deadline) {
			for _, l := range left {
				fmt.Fprintf(os.Stderr, "alone: the tests left %s\n", l)
			}
			return 1
		}
	}
}

// goroutines are the stacks of those that are neither this one nor the standard
// library's own, which last as long as the process.
func goroutines() (left []string) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for i, stack := range bytes.Split(bytes.TrimSpace(stacks), []byte("\n\n")) {
		if i > 0 && !bytes.Contains(stack, []byte("created by os/signal.")) {
			left = append(left, "a goroutine behind: "+string(stack))
		}
	}
	return left
}

// descriptors are what each of this process's descriptors refers to, by number.
func descriptors() map[string]string {
	found := map[string]string{}
	const dir = "/proc/self/fd"
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if what, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			found[e.Name()] = what
		}
	}
	return found
}

// runtimes are the descriptors that the runtime opens when it first needs them.
var runtimes = []string{"anon_inode:[eventpoll]", "anon_inode:[eventfd]"}

// opened are the descriptors of now that were not there before.
func opened(before, now map[string]string) (left []string) {
	for _, n := range slices.Sorted(maps.Keys(now)) {
		if before[n] != now[n] && !slices.Contains(runtimes, now[n]) && !strings.HasSuffix(now[n], "/fd") {
			left = append(left, fmt.Sprintf("descriptor %s open: %s", n, now[n]))
		}
	}
	return left
}

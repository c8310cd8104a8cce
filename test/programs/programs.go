// Package programs runs the programs that `make` built as users run them, for
// tests: inside a network namespace, with all that they keep in one directory.
package programs

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"weir/internal/lab"
)

// Need returns the directory of the programs, and a new one whose name begins with
// prefix for what they keep, which the caller removes. Without root there is
// nothing to test in namespaces; CI has it, so there a skip is a failure. The
// caller is a test of a package two folders below the top.
func Need(t testing.TB, prefix string) (bin, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root, and CI should have it")
		}
		t.Skip("network namespaces need root")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin + "/ovs-vswitchd"); err != nil {
		t.Fatalf("%v (run make first)", err)
	}
	// Socket paths are short, so the directory can't be t.TempDir.
	if dir, err = os.MkdirTemp("", prefix); err != nil {
		t.Fatal(err)
	}
	return bin, dir
}

// Run runs a program in a namespace, with its files in dir, and returns what it
// printed. It is killed after limit; one that asks another gives up after half of it.
func Run(limit time.Duration, space, dir, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := lab.Command(ctx, space, append([]string{program}, args...)...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_DBDIR="+dir, "OVS_LOGDIR="+dir, "OVS_SYSCONFDIR="+dir,
		"OVS_CTL_TIMEOUT="+strconv.Itoa(int(limit.Seconds()/2)), "OVS_SYSLOG_METHOD=null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Patience is how long anything may take before a test gives up: a machine may
// stand still for seconds. Nothing waits for it but a test that fails.
const Patience = time.Minute

// Wait asks again until ok holds, and returns whether it does in time.
func Wait(ok func() bool) bool {
	for end := time.Now().Add(Patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Ended reports whether a process has ended, be it that nobody has reaped it: in a
// container the first process may not do that for orphans (proc_pid_stat(5)).
func Ended(pid int) bool {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return len(state) == 0 || state[0] == 'Z'
}

// Crash returns what a log says of the end of a process that failed: the runtime's
// message with the stacks below it, cut after a few thousand bytes. It is empty where
// there is none.
func Crash(log string) string {
	at := crashed.FindStringIndex(log)
	if at == nil {
		return ""
	}
	const most = 8000
	return log[at[0]:min(at[0]+most, len(log))]
}

// crashed is how the runtime begins: a panic, a fatal error, a signal.
var crashed = regexp.MustCompile(`(?m)^(panic: |fatal error: |SIG[A-Z]+: |unexpected fault address )`)

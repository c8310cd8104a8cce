package alone

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// adopt says whether descendants whose parents have ended become children of this
// process.
func adopt(yes bool) error {
	on := uintptr(0)
	if yes {
		on = 1
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
		return fmt.Errorf("adopting orphans: %w", err)
	}
	return nil
}

// await reaps children, this process's own and adopted ones, until one has ended,
// and returns its exit status as a shell would.
func await(pid int) int {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			panic(err) // the child is there until it is reaped here
		case got == pid && ws.Exited():
			return ws.ExitStatus()
		case got == pid:
			fmt.Fprintf(os.Stderr, "alone: the tests ended by signal %v\n", ws.Signal())
			return 128 + int(ws.Signal())
		}
	}
}

// grace is how long daemons that were told to end may still take.
var grace = 30 * time.Second

// clear waits until no descendant is left. Those that are there after the grace
// are named and killed, and it is an error that there were any.
func clear() (err error) {
	for deadline := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		pid, e := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(e, unix.ECHILD) {
			return err
		}
		if pid > 0 || time.Now().Before(deadline) {
			continue
		}
		for pid, command := range children() {
			err = errors.New("processes are left")
			fmt.Fprintf(os.Stderr, "alone: the tests left a process behind: %d, %s\n", pid, command)
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// children are this process's children that have not ended, with their command
// lines.
func children() map[int]string {
	found := map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// proc_pid_stat(5): pid (comm) state ppid ...; comm may hold anything.
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(rest) < 2 || rest[0] == "Z" || rest[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		found[pid] = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
	}
	return found
}

package daemon

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"weir/internal/vlog"
)

// checkPidfile fails where the pidfile belongs to a running process, which holds
// a lock on it.
func checkPidfile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fail(path, "open", err)
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return fail(path, "fcntl", err)
	}
	if lock.Type != unix.F_UNLCK {
		return fmt.Errorf("%s: already running as pid %d, aborting", path, lock.Pid)
	}
	return nil
}

// writePidfile creates the pidfile, locked for as long as the process lives, and
// has it removed at the end. It takes its name only when complete.
func (p *Process) writePidfile(path string) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("%s: create failed (%s)", tmp, vlog.ErrText(err))
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
		return fmt.Errorf("%s: fcntl(F_SETLK) failed (%s)", tmp, vlog.ErrText(err))
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		return fmt.Errorf("%s: write failed (%s)", tmp, vlog.ErrText(err))
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("failed to rename \"%s\" to \"%s\" (%s)", tmp, path, vlog.ErrText(err))
	}
	p.pidfile = sync.OnceFunc(func() {
		// Another process may have taken the name over meanwhile; its file stays.
		ours, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, there) {
			_ = os.Remove(path)
		}
		f.Close()
	})
	p.AtExit(p.pidfile)
	return nil
}

// LeavePidfile gives the pidfile up before the end, so that another process may
// take the daemon's place at once. One that nothing depends on any more does so
// before it answers the command `exit`.
func (p *Process) LeavePidfile() {
	if p.pidfile != nil {
		p.pidfile()
	}
}

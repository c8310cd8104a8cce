package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"weir/internal/vlog"
)

var lockLog = vlog.For("lockfile")

// LockError is the error of a lock that somebody holds.
type LockError struct {
	Path string // the lock file
	PID  int    // who holds it; this process's own id if it does itself
}

// Error says who holds the lock.
func (e *LockError) Error() string {
	if e.PID == os.Getpid() {
		return fmt.Sprintf("%s: cannot lock file because this process has already locked it", e.Path)
	}
	return fmt.Sprintf("%s: cannot lock file because it is already locked by pid %d", e.Path, e.PID)
}

// Unwrap returns EAGAIN, as the C programs report it.
func (e *LockError) Unwrap() error { return unix.EAGAIN }

// Lock is an advisory lock on a file, by way of a lock file beside it whose name
// is .NAME.~lock~, as the C programs have it.
type Lock struct {
	file *os.File
	id   inode
}

type inode struct{ dev, ino uint64 }

// heldLocks are the lock files this process holds.  Locks of fcntl(2) belong to
// a process, which therefore can't find by them that it has a lock already;
// and it would lose one by closing another descriptor of the file.
var heldLocks = struct {
	sync.Mutex
	m map[inode]bool
}{m: map[inode]bool{}}

// LockName returns the name of the lock file of the file at path, following
// symbolic links, so that all names of a file have one lock.
func LockName(path string) string {
	path = FollowLinks(path)
	dir, base := filepath.Split(path)
	return dir + "." + base + ".~lock~"
}

// FollowLinks returns the name of the file that path leads to by symbolic links
// in its last component; the file need not exist.
func FollowLinks(path string) string {
	for range 10 {
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if filepath.IsAbs(target) {
			path = target
		} else {
			dir, _ := filepath.Split(path)
			path = dir + target
		}
	}
	return path
}

// LockFile locks the file at path or returns an error, a *LockError where
// somebody holds the lock.  It logs the latter.
func LockFile(path string) (*Lock, error) {
	name := LockName(path)
	heldLocks.Lock()
	defer heldLocks.Unlock()
	if id, ok := fileID(name); ok && heldLocks.m[id] {
		err := &LockError{name, os.Getpid()}
		lockLog.Warn("%v", err)
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		lockLog.Warn("%s: failed to open lock file: %s", name, errorText(err))
		lockLog.Warn("%s: failed to lock file: %s", name, errorText(err))
		return nil, err
	}
	flock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &flock); err != nil {
		defer f.Close()
		return nil, lockFailed(f, name, err)
	}
	l := &Lock{file: f}
	l.id, _ = fileID(name)
	heldLocks.m[l.id] = true
	return l, nil
}

// lockFailed finds out who holds the lock.
func lockFailed(f *os.File, name string, err error) error {
	if err != unix.EAGAIN && err != unix.EACCES {
		lockLog.Warn("%s: cannot lock file: %v", name, err)
		return err
	}
	flock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	holder := &LockError{Path: name}
	if unix.FcntlFlock(f.Fd(), unix.F_GETLK, &flock) == nil {
		holder.PID = int(flock.Pid)
	}
	lockLog.Warn("%v", holder)
	return holder
}

func fileID(name string) (inode, bool) {
	var st unix.Stat_t
	if unix.Stat(name, &st) != nil {
		return inode{}, false
	}
	return inode{uint64(st.Dev), st.Ino}, true
}

// Unlock releases the lock.  The lock file stays, since removing it could take
// it from under somebody who is about to lock it.
func (l *Lock) Unlock() {
	if l == nil || l.file == nil {
		return
	}
	heldLocks.Lock()
	delete(heldLocks.m, l.id)
	_ = l.file.Close()
	heldLocks.Unlock()
	l.file = nil
}

package ebpf

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// What must outlive the process is pinned under the bpf file system, in a
// directory of its own for each data path: DIR/weir/NAME-IDENTITY, where the
// identity comes of OVS_RUNDIR and the network namespace.

// bpfFS is where the bpf file system is mounted by custom.
const bpfFS = "/sys/fs/bpf"

// firstBPFFS is the one of the first process.
const firstBPFFS = "/proc/1/root" + bpfFS

// pinRoot is the bpf file system that outlives this process. Inside of a mount
// namespace of its own, as ip-netns(8) makes one, that is the one of the first
// process. Where nobody mounted one yet, it is mounted.
func pinRoot() (string, error) {
	for _, dir := range []string{bpfFS, firstBPFFS} {
		if isBPFFS(dir) {
			return dir, nil
		}
	}
	if err := unix.Mount("bpf", bpfFS, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return "", fmt.Errorf("mount %s: %w", bpfFS, err)
	}
	log.Info("mounted a bpf file system at %s; flows outlive this process if the mount does", bpfFS)
	return bpfFS, nil
}

func isBPFFS(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.BPF_FS_MAGIC
}

// pinDir is the directory of one data path.
type pinDir string

// newPinDir makes the directory of a data path, or finds it, and takes it for this
// process, which has it until it closes the file or ends.
func newPinDir(name, runDir string) (pinDir, *os.File, error) {
	root, err := pinRoot()
	if err != nil {
		return "", nil, err
	}
	dir, err := pinDirIn(root, name, runDir)
	if err != nil {
		return "", nil, err
	}
	lock, err := dir.take()
	if err != nil {
		return "", nil, err
	}
	return dir, lock, nil
}

// errTaken is that another process has the directory: a switch with the same
// OVS_RUNDIR, as one in another container has it, in the same network namespace.
var errTaken = errors.New("another switch whose OVS_RUNDIR has the same name keeps its flows there (give this one another OVS_RUNDIR)")

// endPatience is how long a process may take to end that had the directory.
const endPatience = 2 * time.Second

// take locks the directory, which it makes where there is none.
func (d pinDir) take() (*os.File, error) {
	for end := time.Now().Add(endPatience); ; time.Sleep(20 * time.Millisecond) {
		if err := os.MkdirAll(string(d), 0o700); err != nil {
			return nil, err
		}
		f, err := os.Open(string(d))
		if err != nil {
			return nil, err
		}
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil && d.is(f) {
			return f, nil
		}
		_ = f.Close()
		switch {
		case err != nil && err != unix.EWOULDBLOCK:
			return nil, fmt.Errorf("lock %s: %w", d, err)
		case time.Now().After(end):
			return nil, fmt.Errorf("%s: %w", d, errTaken)
		}
	}
}

// is reports whether a file is still the directory of that name, which its last
// owner may have removed.
func (d pinDir) is(f *os.File) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(string(d))
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// findPinDir is the directory of a data path if there is one.
func findPinDir(name, runDir string) (pinDir, bool) {
	for _, root := range []string{bpfFS, firstBPFFS} {
		dir, err := pinDirIn(root, name, runDir)
		if err != nil || !isBPFFS(root) {
			continue
		}
		if _, err := os.Stat(string(dir)); err == nil {
			return dir, true
		}
	}
	return "", false
}

// pinDirIn names the directory of a data path.
func pinDirIn(root, name, runDir string) (pinDir, error) {
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(runDir)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256([]byte(abs + "\x00" + ns))
	return pinDir(filepath.Join(root, "weir", fmt.Sprintf("%s-%x", name, id[:6]))), nil
}

// path of a pin.
func (d pinDir) path(name string) string { return filepath.Join(string(d), name) }

// remove takes one pin away; it is no error when there is none.
func (d pinDir) remove(name string) error {
	if d == "" {
		return nil
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clear removes the directory with all pins.
func (d pinDir) clear() error { return os.RemoveAll(string(d)) }

package ebpf

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What must outlive the process is pinned under the bpf file system, in a
// directory of its own for each data path: DIR/weir/NAME-IDENTITY, where the
// identity comes of OVS_RUNDIR and the network namespace.

// bpfFS is where the bpf file system is mounted by custom.
const bpfFS = "/sys/fs/bpf"

// errNoBPFFS says that a directory is not in a bpf file system.
var errNoBPFFS = errors.New("not in a bpf file system")

// pinRoot is the bpf file system that outlives this process. Inside of a mount
// namespace of its own, as ip-netns(8) makes one, that is the one of the first
// process. Where nobody mounted one yet, it is mounted.
func pinRoot() (string, error) {
	first := "/proc/1/root" + bpfFS
	for _, dir := range []string{bpfFS, first} {
		if isBPFFS(dir) {
			return dir, nil
		}
	}
	if err := unix.Mount("bpf", bpfFS, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return "", fmt.Errorf("mount %s: %w", bpfFS, err)
	}
	return bpfFS, nil
}

func isBPFFS(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.BPF_FS_MAGIC
}

// pinDir is the directory of one data path.
type pinDir string

// newPinDir names the directory of a data path, and makes it.
func newPinDir(name, runDir string) (pinDir, error) {
	root, err := pinRoot()
	if err != nil {
		return "", err
	}
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(runDir)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256([]byte(abs + "\x00" + ns))
	dir := filepath.Join(root, "weir", fmt.Sprintf("%s-%x", name, id[:6]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return pinDir(dir), nil
}

// path of a pin.
func (d pinDir) path(name string) string { return filepath.Join(string(d), name) }

// names of the pins that begin with a prefix.
func (d pinDir) names(prefix string) []string {
	found, _ := filepath.Glob(d.path(prefix + "*"))
	for i, f := range found {
		found[i] = filepath.Base(f)
	}
	return found
}

// remove takes one pin away; it is no error when there is none.
func (d pinDir) remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clear removes the directory with all pins.
func (d pinDir) clear() error { return os.RemoveAll(string(d)) }

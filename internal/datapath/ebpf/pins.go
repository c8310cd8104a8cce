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

// newPinDir makes the directory of a data path.
func newPinDir(name, runDir string) (pinDir, error) {
	root, err := pinRoot()
	if err != nil {
		return "", err
	}
	dir, err := pinDirIn(root, name, runDir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(string(dir), 0o700)
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

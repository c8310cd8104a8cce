package memory

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// Started is to be called when a daemon has started. It takes out of the process the
// pages of code and constants that starting touched, more than it will use from now
// on. The system still has them: what is needed again costs no reading.
func Started() {
	maps, err := os.ReadFile("/proc/self/maps") // proc_pid_maps(5)
	if err != nil {
		return
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		if from, to, ok := constants(line, exe); ok {
			// What goes wrong costs memory, nothing else.
			_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}

// constants returns the addresses of a line of /proc/PID/maps if it is about a part of
// the file exe that the process can't have changed.
func constants(line []byte, exe string) (from, to uintptr, ok bool) {
	f := bytes.Fields(line) // addresses, permissions, offset, device, inode, path
	if len(f) < 6 || f[1][1] != '-' || string(bytes.Join(f[5:], []byte(" "))) != exe {
		return 0, 0, false
	}
	a, b, _ := bytes.Cut(f[0], []byte("-"))
	x, err := strconv.ParseUint(string(a), 16, 64)
	if err != nil {
		return 0, 0, false
	}
	y, err := strconv.ParseUint(string(b), 16, 64)
	return uintptr(x), uintptr(y), err == nil
}

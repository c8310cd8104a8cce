package memory

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// resident returns how many kB of files the process has in memory. Those of a file
// system in memory, as /tmp may be, count as shared memory (proc_pid_status(5)).
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, field := range []string{"RssFile:", "RssShmem:"} {
		_, rest, _ := strings.Cut(string(status), field)
		kb, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		sum += kb
	}
	return sum
}

// bring has all pages of the program in memory: a machine short of it may have
// taken some away.
func bring() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(maps) {
		if from, to, ok := constants(line, exe); ok {
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_POPULATE_READ); errno != 0 {
				return os.NewSyscallError("madvise", errno)
			}
		}
	}
	return nil
}

// TestStarted: the program's pages go, and come again where they are needed.
func TestStarted(t *testing.T) {
	if err := bring(); err != nil {
		t.Skip(err) // before Linux 5.14
	}
	before := resident(t)
	Started()
	if after := resident(t); after > before*9/10 {
		t.Errorf("%d kB of the program in memory, %d before", after, before)
	}
}

func TestConstants(t *testing.T) {
	const exe = "/usr/bin/a b"
	for line, want := range map[string]bool{
		"00400000-00cb6000 r-xp 00000000 fe:00 10256865  /usr/bin/a b\n":           true,
		"00cb6000-01583000 r--p 008b6000 fe:00 10256865  /usr/bin/a b\n":           true,
		"01583000-01600000 rw-p 01183000 fe:00 10256865  /usr/bin/a b\n":           false,
		"00cb6000-01583000 r--p 008b6000 fe:00 10256865  /usr/bin/other\n":         false,
		"00cb6000-01583000 r--p 008b6000 fe:00 10256865  /usr/bin/a b (deleted)\n": false,
		"7f8208c3a000-7f8208c9a000 r--p 00000000 00:00 0 \n":                       false,
	} {
		from, to, ok := constants([]byte(line), exe)
		if ok != want {
			t.Errorf("%s: %v", line, ok)
		}
		if ok && (from >= to || from != 0x400000 && from != 0xcb6000) {
			t.Errorf("%s: %x to %x", line, from, to)
		}
	}
}

package reliability

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk is a file system of its own, of size bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("a file system that can fill needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A disk that fills fails transactions with an I/O error that says so; reads
// go on, what was acknowledged stays, and with room again writes go on.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t, 2<<20)
	s := newServer(t, disk)
	s.mustStart()
	c := s.client()
	acked := map[string]int{}
	text := strings.Repeat("z", 50_000)
	insert := func(i int) error {
		name := fmt.Sprint("row", i)
		err := c.insert(name, i, text)
		if err == nil {
			acked[name] = i
		}
		return err
	}
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var failure error
	next := 0
	for ; failure == nil && next < 100; next++ {
		failure = insert(next)
	}
	if failure == nil {
		t.Fatal("the disk did not fill")
	}
	if !strings.Contains(failure.Error(), "No space left on device") {
		t.Errorf("the error does not name the cause: %v", failure)
	}
	same := func(when string) {
		t.Helper()
		rows, err := s.client().rows()
		if err != nil || !maps.Equal(rows, acked) {
			t.Errorf("%s: %d rows, want %d (%v)", when, len(rows), len(acked), err)
		}
	}
	same("with the disk full")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	c = s.client()
	for range 3 {
		if err := insert(next); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		next++
	}
	same("with room again")
	s.kill()
	s.mustStart()
	same("started again")
}

// A byte gone wrong anywhere in the file, or a tail torn off, gives a file that
// is refused by name, or the transactions before the place: never anything else.
func TestDamagedFile(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	c := s.client()
	const rows = 8
	for i := range rows {
		if err := c.insert(fmt.Sprint("row", i), i, "text"); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	whole, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	step := max(1, len(whole)/60)
	if long() {
		step = 1
	}
	damage := func(t *testing.T, name string, contents []byte) {
		t.Helper()
		if err := os.WriteFile(s.file, contents, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.start(); err != nil {
			if !strings.Contains(err.Error(), s.file) {
				t.Errorf("%s: refused without naming the file: %v", name, err)
			}
			return
		}
		defer s.kill()
		got, err := s.client().rows()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		for i := range len(got) {
			if n, ok := got[fmt.Sprint("row", i)]; !ok || n != i {
				t.Errorf("%s: the rows %v are no beginning of what was written", name, got)
				return
			}
		}
		// What was cut off is gone, but the file takes new transactions.
		if err := s.client().insert("new", 1, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for at := 0; at < len(whole); at += step {
		flipped := append([]byte(nil), whole...)
		flipped[at] ^= 1 << (at % 8)
		damage(t, fmt.Sprintf("bit flipped in byte %d", at), flipped)
		damage(t, fmt.Sprintf("torn at byte %d", at), whole[:at])
	}
}

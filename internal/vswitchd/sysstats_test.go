package vswitchd

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestSystemStatistics(t *testing.T) {
	run := t.TempDir()
	for name, pid := range map[string]string{"ovs-vswitchd": "12\n", "gone": "99\n", "rubbish": "x\n"} {
		if err := os.WriteFile(filepath.Join(run, name+".pid"), []byte(pid), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	s := &system{
		runDir: run,
		size:   func(dir string) (uint64, uint64, bool) { return 10 << 20, 4 << 20, dir == "/var/a b" },
		proc: fstest.MapFS{
			"stat":        text("cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n"),
			"loadavg":     text("0.50 0.25 0.10 2/345 6789\n"),
			"meminfo":     text("MemTotal: 1000 kB\nMemFree: 300 kB\nBuffers: 50 kB\nCached: 150 kB\nSwapTotal: 80 kB\nSwapFree: 70 kB\n"),
			"filesystems": text("nodev\tproc\n\text4\n"),
			"mounts": text("proc /proc proc rw 0 0\n/dev/a /var/a\\040b ext4 rw,noatime 0 0\n/dev/b /ro ext4 ro 0 0\n" +
				"/dev/a /again ext4 rw 0 0\n"),
			"uptime":     text("100.00 50.00\n"),
			"11/stat":    text("11 (ovs-vswitchd) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 2000 4096 1 0\n"),
			"11/cmdline": text("ovs-vswitchd: monitoring pid 12 (2 crashes: pid 10 died)\x00"),
			"12/stat":    text("12 (ovs-vswitchd) S 11 1 1 0 -1 0 0 0 0 0 50 25 0 0 20 0 1 0 4000 2097152 2 0\n"),
		},
	}
	// 2 pages of 4096 bytes are 8 kB, on machines with such pages.
	want := map[string]string{
		"cpu": "2", "load_average": "0.50,0.25,0.10", "memory": "1000,700,200,80,10",
		"file_systems":         "/var/a_b,10240,6144",
		"process_ovs-vswitchd": "2048,8,750,2,80000,60000",
	}
	if os.Getpagesize() != 4096 {
		t.Skip("pages of another size")
	}
	if d := cmp.Diff(want, s.statistics()); d != "" {
		t.Error(d)
	}
}

// The real system has them all.
func TestThisSystem(t *testing.T) {
	got := thisSystem(t.TempDir()).statistics()
	for _, key := range []string{"cpu", "load_average", "memory"} {
		if got[key] == "" {
			t.Errorf("no %s", key)
		}
	}
}

package vswitchd

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// system is where the statistics of the system are read (ovs-vswitchd.conf.db(5),
// Open_vSwitch, statistics).
type system struct {
	proc   fs.FS // /proc (proc(5))
	runDir string
	size   func(mountPoint string) (total, free uint64, ok bool) // in bytes
}

// thisSystem is the system that the process runs on.
func thisSystem(runDir string) *system {
	return &system{proc: os.DirFS("/proc"), runDir: runDir, size: func(dir string) (total, free uint64, ok bool) {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return 0, 0, false
		}
		return st.Blocks * uint64(st.Frsize), st.Bfree * uint64(st.Frsize), true
	}}
}

// statistics are all keys of the column. What can't be read is left out.
func (s *system) statistics() map[string]string {
	m := map[string]string{}
	set := func(key, value string) {
		if value != "" {
			m[key] = value
		}
	}
	set("cpu", s.cpus())
	set("load_average", s.load())
	set("memory", s.memory())
	set("file_systems", s.fileSystems())
	for name, pid := range s.daemons() {
		set("process_"+name, s.process(pid))
	}
	return m
}

func (s *system) read(name string) string {
	b, err := fs.ReadFile(s.proc, name)
	if err != nil {
		return ""
	}
	return string(b)
}

// cpus counts the processors that are online.
func (s *system) cpus() string {
	n := 0
	for line := range strings.Lines(s.read("stat")) {
		if rest, ok := strings.CutPrefix(line, "cpu"); ok && rest[0] >= '0' && rest[0] <= '9' {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (s *system) load() string {
	f := strings.Fields(s.read("loadavg"))
	if len(f) < 3 {
		return ""
	}
	return strings.Join(f[:3], ",")
}

// memory is the memory that there is, is used, and could be freed, and the swap
// space that there is and is used, in kilobytes.
func (s *system) memory() string {
	kb := map[string]int64{}
	for line := range strings.Lines(s.read("meminfo")) {
		f := strings.Fields(line)
		if len(f) >= 2 {
			kb[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	if kb["MemTotal"] == 0 {
		return ""
	}
	return fmt.Sprintf("%d,%d,%d,%d,%d", kb["MemTotal"], kb["MemTotal"]-kb["MemFree"], kb["Buffers"]+kb["Cached"],
		kb["SwapTotal"], kb["SwapTotal"]-kb["SwapFree"])
}

// daemons are the processes that the pidfiles in the run directory name.
func (s *system) daemons() map[string]int {
	out := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(s.runDir, "*.pid"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 0 {
			out[strings.TrimSuffix(filepath.Base(f), ".pid")] = pid
		}
	}
	return out
}

// process tells of one process: its memory and its resident memory in kilobytes,
// its time on processors in milliseconds, how often the monitor started it again,
// and for how many milliseconds it and its monitor have been running.
func (s *system) process(pid int) string {
	p, ok := s.stat(pid)
	if !ok {
		return ""
	}
	booted := p.age
	// A monitor is the parent and has the daemon's name in its title.
	if m, ok := s.stat(p.parent); ok && p.parent > 1 && m.comm == p.comm {
		booted = m.age
	}
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", p.vsize/1024, p.rss/1024, p.cpu.Milliseconds(), s.restarts(p.parent),
		booted.Milliseconds(), p.age.Milliseconds())
}

// restarts reads from a monitor's title how often it started its daemon again:
// "monitoring pid N (2 crashes: ...)" (daemon(8), --monitor).
func (s *system) restarts(monitor int) int {
	title := strings.ReplaceAll(s.read(path.Join(strconv.Itoa(monitor), "cmdline")), "\x00", " ")
	_, crashes, found := strings.Cut(title, "(")
	if !found || !strings.Contains(title, "monitoring pid") {
		return 0
	}
	n, _ := strconv.Atoi(strings.Fields(crashes)[0])
	return n
}

// processStat is what /proc/PID/stat says (proc(5)).
type processStat struct {
	comm       string
	parent     int
	cpu, age   time.Duration
	vsize, rss uint64 // bytes
}

// clockTick is what times in /proc are counted in: sysconf(_SC_CLK_TCK), which is
// 100 on every architecture that Go knows.
const clockTick = 10 * time.Millisecond

func (s *system) stat(pid int) (p processStat, ok bool) {
	text := s.read(path.Join(strconv.Itoa(pid), "stat"))
	// The name may hold spaces and parentheses.
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	p.comm = text[open+1 : end]
	f := strings.Fields(text[end+1:])
	if len(f) < 22 {
		return p, false
	}
	number := func(field int) uint64 { // numbered from 1, as in the manual
		n, _ := strconv.ParseUint(f[field-3], 10, 64)
		return n
	}
	p.parent = int(number(4))
	p.cpu = time.Duration(number(14)+number(15)) * clockTick
	p.vsize, p.rss = number(23), number(24)*uint64(os.Getpagesize())
	if up := strings.Fields(s.read("uptime")); len(up) > 0 {
		seconds, _ := strconv.ParseFloat(up[0], 64)
		p.age = max(0, time.Duration(seconds*float64(time.Second))-time.Duration(number(22))*clockTick)
	}
	return p, true
}

// fileSystems tells the size and use, in kilobytes, of the local file systems that
// can be written.
func (s *system) fileSystems() string {
	local := map[string]bool{} // types on block devices
	for line := range strings.Lines(s.read("filesystems")) {
		if !strings.HasPrefix(line, "nodev") {
			local[strings.TrimSpace(line)] = true
		}
	}
	var out []string
	seen := map[string]bool{}
	for line := range strings.Lines(s.read("mounts")) {
		f := strings.Fields(line)
		if len(f) < 4 || !local[f[2]] || slices.Contains(strings.Split(f[3], ","), "ro") || seen[f[0]] {
			continue
		}
		seen[f[0]] = true
		dir := strings.ReplaceAll(f[1], `\040`, " ")
		if total, free, ok := s.size(dir); ok && total > 0 {
			name := strings.NewReplacer(" ", "_", ",", "_").Replace(dir)
			out = append(out, fmt.Sprintf("%s,%d,%d", name, total/1024, (total-free)/1024))
		}
	}
	return strings.Join(out, " ")
}

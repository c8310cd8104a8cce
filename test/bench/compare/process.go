package compare

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is the CPU time that a running process has used, in seconds (proc(5), stat).
func CPU(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) / 100
}

// Peak is the peak resident memory of a running process in MB.
func Peak(pid int) float64 { return memory(pid, "VmHWM:") }

// Resident is the resident memory of a running process in MB.
func Resident(pid int) float64 { return memory(pid, "VmRSS:") }

// memory reads a line of proc(5), status.
func memory(pid int, line string) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for l := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(l, line); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

// Settled waits until the process is idle and its resident memory has stopped
// to change, at most limit, and returns that memory in MB.
func Settled(pid int, limit time.Duration) float64 {
	const step, calm = 250 * time.Millisecond, 12
	last, lastCPU, quiet := Resident(pid), CPU(pid), 0
	for end := time.Now().Add(limit); time.Now().Before(end) && quiet < calm; {
		time.Sleep(step)
		mem, cpu := Resident(pid), CPU(pid)
		if mem > last-0.5 && mem < last+0.5 && cpu-lastCPU < 0.1 {
			quiet++
		} else {
			quiet = 0
		}
		last, lastCPU = mem, cpu
	}
	return last
}

// Used is what a command that ended has used: CPU seconds and peak memory in MB.
func Used(cmd *exec.Cmd) (cpu, peakMB float64) {
	st := cmd.ProcessState
	cpu = (st.UserTime() + st.SystemTime()).Seconds()
	if ru, ok := st.SysUsage().(*syscall.Rusage); ok {
		peakMB = float64(ru.Maxrss) / 1024
	}
	return cpu, peakMB
}

func waitOrKill(cmd *exec.Cmd) {
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		<-done
	}
}

package ctl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/paths"
)

// running returns the pid of a daemon by its pidfile, 0 where it doesn't run. A
// pidfile outlives a crash, and its pid may be another program's by then, so the
// process's name must agree.
func running(name string) int {
	data, err := os.ReadFile(paths.InRunDir(name + ".pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 || syscall.Kill(pid, 0) == syscall.ESRCH {
		return 0
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if got := strings.TrimSpace(string(comm)); err == nil && got != name && got != "weir" { // weir up
		return 0
	}
	return pid
}

// program is a command for another program of this same binary.
func (c *control) program(name string, args []string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(c.ctx, self, args...)
	cmd.Args[0] = name
	return cmd, nil
}

// output runs a program and returns what it prints; the error holds what it
// printed on standard error.
func (c *control) output(name string, args ...string) (string, error) {
	return c.outputOf(nil, name, args...)
}

// outputOf is output of a program that reads input.
func (c *control) outputOf(input io.Reader, name string, args ...string) (string, error) {
	cmd, err := c.program(name, args)
	if err != nil {
		return "", err
	}
	cmd.Stdin = input
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// dbOption is ovs-vsctl's option that names the database's socket.
func (c *control) dbOption() string { return "--db=unix:" + c.opts.dbSock }

// vsctl runs ovs-vsctl for its effect.
func (c *control) vsctl(args ...string) error {
	_, err := c.output("ovs-vsctl", append([]string{c.dbOption()}, args...)...)
	return err
}

// daemon runs a daemon that detaches by itself, at its niceness where that is
// allowed.
func (c *control) daemon(name string, args []string) error {
	cmd, err := c.program(name, args)
	if err != nil {
		return err
	}
	cmd.Dir = c.opts.daemonCwd
	cmd.Stdout, cmd.Stderr = c.env.Stdout, c.env.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	if nice, err := strconv.Atoi(c.opts.priority[name]); err == nil {
		err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, nice)
		if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ESRCH) {
			fmt.Fprintf(c.env.Stderr, "%s: setting the niceness of %s to %d: %v\n", c.env.Name, name, nice, err)
		}
	}
	return cmd.Wait()
}

// How long a daemon gets for each way of ending it.
const (
	graceExit = 5 * time.Second
	graceTerm = 5 * time.Second
	graceKill = 5 * time.Second
)

// stop ends the daemons, ovs-vswitchd first. Unless forwarding is to go on until
// they are there again, nothing of the switch is left in the kernel.
func (c *control) stop(goOn bool) error {
	names := c.daemons()
	for i := len(names) - 1; i >= 0; i-- {
		exit := []string{"exit"}
		if names[i] == "ovs-vswitchd" && !goOn {
			exit = append(exit, "--cleanup")
		}
		if err := c.stopDaemon(names[i], exit); err != nil {
			return err
		}
	}
	return nil
}

// stopDaemon asks the daemon by a command to exit, then terminates, then kills it.
func (c *control) stopDaemon(name string, exit []string) error {
	pid := running(name)
	if pid == 0 {
		c.say("%s is not running", name)
		return nil
	}
	c.say("Exiting %s (%d)", name, pid)
	ask := append([]string{"-T", "5", "-t", paths.InRunDir(fmt.Sprintf("%s.%d.ctl", name, pid))}, exit...)
	if _, err := c.output("ovs-appctl", ask...); err == nil && gone(pid, graceExit) {
		return nil
	}
	for _, try := range []struct {
		sig   syscall.Signal
		verb  string
		grace time.Duration
	}{{syscall.SIGTERM, "Killing", graceTerm}, {syscall.SIGKILL, "Killing with SIGKILL", graceKill}} {
		c.say("%s %s (%d)", try.verb, name, pid)
		if err := syscall.Kill(pid, try.sig); errors.Is(err, syscall.ESRCH) || gone(pid, try.grace) {
			return nil
		}
	}
	return fmt.Errorf("%s (%d) does not end", name, pid)
}

// gone waits until a process has ended.
func gone(pid int, patience time.Duration) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return true
		}
	}
	return false
}

// zombie reports whether a process has ended and only waits for its parent.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	return ok && strings.HasPrefix(rest, "Z")
}

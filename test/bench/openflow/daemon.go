package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/test/bench/compare"
)

// daemon is a running switch with its database, in a directory of its own.
type daemon struct {
	side side
	dir  string
	pid  int // of ovs-vswitchd
}

// newDaemon starts a switch with a bridge br0 of three dummy ports.
func newDaemon(s side) (*daemon, error) {
	d, err := startDaemon(s)
	if err != nil {
		return nil, err
	}
	args := []string{"add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail-mode=secure"}
	for i := 1; i <= 3; i++ {
		args = append(args, "--", "add-port", "br0", fmt.Sprintf("p%d", i), "--",
			"set", "interface", fmt.Sprintf("p%d", i), "type=dummy", fmt.Sprintf("ofport_request=%d", i))
	}
	if _, err := d.tool("ovs-vsctl", args...); err != nil {
		d.remove()
		return nil, err
	}
	return d, nil
}

// startDaemon starts a switch without a bridge.
func startDaemon(s side) (*daemon, error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	d := &daemon{side: s, dir: dir}
	for _, args := range [][]string{
		{"ovsdb-tool", "create", d.path("conf.db"), "schema/vswitch.ovsschema"},
		{"ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--log-file", "--remote=punix:" + d.path("db.sock"), d.path("conf.db")},
		{"ovs-vsctl", "--no-wait", "init"},
		{"ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "--enable-dummy", "--disable-system", "--disable-system-route"},
	} {
		if _, err := d.tool(args[0], args[1:]...); err != nil {
			d.remove()
			return nil, err
		}
	}
	d.pid, err = d.pidOf("ovs-vswitchd")
	if err != nil {
		d.remove()
		return nil, err
	}
	return d, nil
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

func (d *daemon) pidOf(program string) (int, error) {
	text, err := os.ReadFile(d.path(program + ".pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// command prepares one of the side's programs. A daemon keeps the standard
// files of who starts it, so its output goes to a file, not to a pipe.
func (d *daemon) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(d.side.Program(name), args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+d.dir, "OVS_DBDIR="+d.dir, "OVS_LOGDIR="+d.dir,
		"OVS_SYSCONFDIR="+d.dir, "OVS_SYSLOG_METHOD=null")
	return cmd
}

// tool runs one of the side's programs to its end.
func (d *daemon) tool(name string, args ...string) (*exec.Cmd, error) {
	cmd := d.command(name, args...)
	out, err := os.CreateTemp(d.dir, "out-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(out.Name()); _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return cmd, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said[:min(len(said), 2000)])
	}
	return cmd, nil
}

// measured runs a command and says how long it took and what it and the switch
// used.
func (d *daemon) measured(name string, args ...string) (took time.Duration, f figure, err error) {
	before := compare.CPU(d.pid)
	start := time.Now()
	cmd, err := d.tool(name, args...)
	took = time.Since(start)
	if err != nil {
		return took, f, err
	}
	cpu, peak := compare.Used(cmd)
	return took, figure{CPU: cpu + compare.CPU(d.pid) - before, PeakMB: compare.Peak(d.pid), ToolMB: peak}, nil
}

// remove ends the daemons and removes their files.
func (d *daemon) remove() {
	for _, program := range []string{"ovs-vswitchd", "ovsdb-server"} {
		pid, err := d.pidOf(program)
		if err != nil {
			continue
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Signal(os.Interrupt)
			for end := time.Now().Add(5 * time.Second); p.Signal(nil) == nil && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			_ = p.Kill()
		}
	}
	_ = os.RemoveAll(d.dir)
}

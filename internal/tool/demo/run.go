package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/lab"
)

// environ points the programs at the directories of this run.
func (d *demo) environ() []string {
	return append(os.Environ(), "OVS_RUNDIR="+d.dir, "OVS_DBDIR="+d.dir, "OVS_LOGDIR="+d.dir, "OVS_SYSCONFDIR="+d.dir)
}

// output runs a command and returns what it printed; its error holds what it
// printed on standard error.
func (d *demo) output(cmd *exec.Cmd) (string, error) {
	cmd.Env = d.environ()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// tool runs one of the programs; "weir" is this one itself.
func (d *demo) tool(name string, args ...string) (string, error) {
	if name != "weir" {
		args = append([]string{name}, args...)
	}
	return d.output(exec.CommandContext(d.ctx, d.self, args...))
}

// inSpace runs a command inside a network namespace.
func (d *demo) inSpace(space string, args ...string) (string, error) {
	return d.output(lab.Command(d.ctx, space, args...))
}

// sayTool shows the command, as a user would type it, and what it prints.
func (d *demo) sayTool(name string, args ...string) error {
	shown := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, " ()*") {
			a = "'" + a + "'"
		}
		shown[i] = a
	}
	fmt.Fprintf(d.env.Stdout, "  $ %s %s\n", name, strings.Join(shown, " "))
	out, err := d.tool(name, args...)
	d.show(out)
	return err
}

// show prints a program's output, indented.
func (d *demo) show(out string) {
	for line := range strings.Lines(out) {
		fmt.Fprint(d.env.Stdout, "    ", line)
	}
	if out != "" && !strings.HasSuffix(out, "\n") {
		fmt.Fprintln(d.env.Stdout)
	}
}

// expectPing pings and compares the outcome with what should be. A first
// packet may be lost to a neighbour that isn't resolved yet, so that reaching
// needs one answer of several; not reaching means none at all.
func (d *demo) expectPing(from, to host, reach bool) error {
	start := time.Now()
	_, err := d.inSpace(namespace(from.name), "ping", "-n", "-q", "-i", "0.2", "-W", "1", "-c", "3", to.ip)
	if d.ctx.Err() != nil {
		return errInterrupted
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	verdict := "reached"
	if err != nil {
		verdict = "no answer"
	}
	fmt.Fprintf(d.env.Stdout, "  %s pings %s (%s): %s (%.1f s)\n", from.name, to.name, to.ip, verdict, time.Since(start).Seconds())
	if (err == nil) != reach {
		return fmt.Errorf("%s pings %s: %s, which should not be; the end of the switch's log:\n%s", from.name, to.name, verdict, d.logTail())
	}
	return nil
}

// logTail is the end of the switch's log.
func (d *demo) logTail() string {
	data, err := os.ReadFile(filepath.Join(d.dir, "ovs-vswitchd.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

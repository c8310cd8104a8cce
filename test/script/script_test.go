// Package script tests the programs from the outside, as their users meet them:
// each *.txtar file here is a script (rogpeppe/go-internal/testscript) that runs
// programs of ../../bin with directories of its own.
package script

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

func TestScript(t *testing.T) {
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "ovs-appctl")); err != nil {
		t.Fatalf("%v (run make first)", err)
	}
	schemas, err := filepath.Abs("../../schema")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: ".",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
			for _, name := range []string{"OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"} {
				env.Setenv(name, env.WorkDir)
			}
			env.Setenv("OVS_PKGDATADIR", schemas)
			env.Setenv("OVS_SYSLOG_METHOD", "null")
			env.Setenv("OVS_CTL_TIMEOUT", "60")
			env.Defer(func() { endDaemons(env.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"eventually": eventually,
			"status":     exitStatus,
			"waitfile":   waitFile,
			"warnings":   warnings,
		},
	})
}

// endDaemons kills the daemons whose pidfiles a script has left.
func endDaemons(dir string) {
	pidfiles, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
	for _, name := range pidfiles {
		b, _ := os.ReadFile(name)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// exitStatus is the command `status N PROGRAM ARG...`: it runs the program and
// requires that exit status. What it printed goes to the script's log.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ends with status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// patience is how long anything may take before a script fails.
const patience = time.Minute

// eventually is the command `eventually PATTERN PROGRAM ARG...`: it runs the
// program again until it succeeds and its output has a match of the pattern.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN PROGRAM ARG...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("no match of %s within %v", args[0], patience)
}

// waitFile is the command `[!] waitfile NAME`: it waits until the file is there,
// or is gone.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] waitfile NAME")
	}
	name := ts.MkAbs(args[0])
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(name); (err != nil) == neg {
			return
		}
	}
	ts.Fatalf("%s: not within %v", args[0], patience)
}

// warnings is the command `! warnings LOG...`: no line of the logs is of level
// WARN or above.
func warnings(ts *testscript.TestScript, neg bool, args []string) {
	if !neg {
		ts.Fatalf("usage: ! warnings LOG...")
	}
	for _, name := range args {
		for line := range strings.Lines(ts.ReadFile(name)) {
			for _, level := range []string{"|WARN|", "|ERR|", "|EMER|"} {
				if strings.Contains(line, level) {
					ts.Fatalf("%s: %s", name, line)
				}
			}
		}
	}
}

// Package alone runs the tests of a package in network and mount namespaces of
// their own, so that several runs on one machine don't meet: each has its own
// devices, network namespaces by name, addresses and TCP ports, /sys and bpf file
// system. A package whose tests make any of these says
//
//	func TestMain(m *testing.M) { alone.Main(m) }
//
// The test binary then starts itself again inside. The process outside keeps
// watch: it adopts daemons whose parents have ended, and after the tests it fails
// where one is left that doesn't end by itself, names it and kills it. The process
// inside fails where goroutines or descriptors of its own are left, and names them.
//
// It takes root. Without root the tests run where they are, and decide for
// themselves what they can do there. Where root may not make namespaces, as in a
// container without CAP_SYS_ADMIN, they run where they are as well, after a line
// on standard error that says so.
package alone

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
)

// stage is the environment variable that tells the process inside what it is:
// entering until it has mounted what it needs, inside from then on. Processes that
// fuzzing starts are inside.
const (
	stage    = "WEIR_TEST_ALONE"
	entering = "entering"
	inside   = "inside"
)

// cantEnter is the exit status of a process whose namespaces could not be
// furnished; no test has run then.
const cantEnter = 125

// Main runs the tests and ends the process with their status.
func Main(m *testing.M) {
	switch {
	case os.Getenv(stage) == entering:
		if err := furnish(); err != nil {
			fmt.Fprintf(os.Stderr, "alone: %v\n", err)
			os.Exit(cantEnter)
		}
		must(os.Setenv(stage, inside))
	case os.Getenv(stage) == inside || os.Geteuid() != 0:
	default:
		status, err := keep()
		if err == nil {
			os.Exit(status)
		}
		fmt.Fprintf(os.Stderr, "alone: no namespaces of their own for these tests (%v): a second run beside this one can disturb both\n", err)
	}
	os.Exit(run(m))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// errFurnish is that the process inside could not mount what it needs.
var errFurnish = errors.New("their file systems can't be mounted")

// keep runs this program again in new namespaces, with the same arguments and
// files, and returns its exit status when nothing of it is left. An error means
// that no test has run.
func keep() (status int, err error) {
	// Orphans become children of this process, wherever they moved meanwhile.
	if err := adopt(true); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			must(adopt(false)) // the tests run in this process, which reaps nobody
		}
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	// In the environment itself, where it is once: of two the first would count,
	// and a process inside that took itself for one outside would start another.
	must(os.Setenv(stage, entering))
	defer os.Unsetenv(stage)
	// By its name: /proc/self/exe would stay in the old mount namespace, where its name
	// isn't that in a chroot(2).
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			_ = p.Signal(s)
		}
	}()
	switch status = await(p.Pid); status {
	case cantEnter:
		return 0, errFurnish
	case 0:
		if clear() != nil {
			return 1, nil
		}
	default:
		_ = clear()
	}
	return status, nil
}

package cli

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/vlog"
)

var fatalSignal = vlog.For("fatal_signal")

// DieBySignal ends the process by that signal's default action, so that its
// parent sees it so. The runtime's own handling of the signal is taken away
// first: it ignores some, such as SIGALRM.
func DieBySignal(sig syscall.Signal) {
	signal.Reset(sig)
	runtime.LockOSThread()
	var action [4]uint64 // struct sigaction of the kernel: handler 0 is SIG_DFL
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(time.Second) // delivery is immediate; this is for a blocked signal
	os.Exit(128 + int(sig))
}

// Signal numbers have names in messages as strsignal(3) gives them.
func signalText(sig syscall.Signal) string {
	switch sig {
	case unix.SIGALRM:
		return "Alarm clock"
	case unix.SIGTERM:
		return "Terminated"
	case unix.SIGINT:
		return "Interrupt"
	case unix.SIGHUP:
		return "Hangup"
	case unix.SIGSEGV:
		return "Segmentation fault"
	case unix.SIGABRT:
		return "Aborted"
	case unix.SIGKILL:
		return "Killed"
	default:
		return sig.String()
	}
}

// SignalName describes a signal in messages: "signal 14 (Alarm clock)".
func SignalName(sig syscall.Signal) string {
	return fmt.Sprintf("signal %d (%s)", int(sig), signalText(sig))
}

// Alarm makes the process die by SIGALRM after the given number of seconds, as
// --timeout does. 0 means never.
func Alarm(seconds uint) {
	if seconds == 0 {
		return
	}
	time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		fatalSignal.Warn("terminating with %s", SignalName(unix.SIGALRM))
		DieBySignal(unix.SIGALRM)
	})
}

// ParseTimeout parses the argument of -t, -T or --timeout, which flag names in
// the error as the program's users know it ("-T or --timeout"). It is in
// seconds, at least 1.
func ParseTimeout(flag, value string) (uint, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(value, "+"), 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("value %s on %s is invalid", value, flag)
	}
	return uint(n), nil
}

// AlarmOr starts the alarm for the --timeout given, or else that of the
// environment variable OVS_CTL_TIMEOUT.
func (e *Env) AlarmOr(seconds uint) {
	if seconds == 0 {
		n, _ := strconv.ParseUint(e.Getenv("OVS_CTL_TIMEOUT"), 10, 31)
		seconds = uint(n)
	}
	Alarm(seconds)
}

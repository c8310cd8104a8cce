package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/cli"
	"weir/internal/vlog"
)

var fatalSignal = vlog.For("fatal_signal")

// Process is the daemon's working process. Its mutex owns the clean-up functions.
type Process struct {
	options *Options
	role    role
	pidfile func() // removes the pidfile, once; nil without one
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	cleanup []func()
	ready   bool

	closing sync.Mutex // held while clean-up functions run
}

// Start makes this process play its part. Where it is the one that shall work, it
// returns it; otherwise, once the part is over, nil and the exit status. It is to
// be called after the command line has been parsed and before anything else is
// done, since it runs the program anew.
func (o *Options) Start(env *cli.Env) (*Process, int) {
	if g, ok := env.Host.(*guest); ok {
		p, err := o.startGuest(g, o.pidfilePath(env.Name))
		if err != nil {
			return nil, env.Exit(err)
		}
		return p, 0
	}
	r := takeRole()
	setComm(env.Program)
	vlog.SetProgram(env.Name)
	path := o.pidfilePath(env.Name)
	if path != "" && !o.OverwritePidfile && r.part != worker {
		if err := checkPidfile(path); err != nil {
			return nil, env.Fatal("%v", err)
		}
	}
	switch {
	case r.part == invoked && o.Detach:
		return nil, o.launchDetached(env)
	case r.part != worker && o.Monitor:
		return nil, o.monitor(env, r)
	}
	p, err := o.startWorker(env, r, path)
	if err != nil {
		return nil, env.Exit(err)
	}
	return p, 0
}

func (o *Options) startWorker(env *cli.Env, r role, pidfile string) (*Process, error) {
	for _, option := range o.logging {
		if err := option.apply(option.value); err != nil {
			return nil, err
		}
	}
	if o.User != "" {
		if err := becomeUser(o.User, o.Network); err != nil {
			return nil, err
		}
	}
	p := &Process{options: o, role: r}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.watchSignals()
	if pidfile != "" {
		if err := p.writePidfile(pidfile); err != nil {
			return nil, err
		}
	}
	// A crash must end the process by a signal, since that is how a monitor tells
	// it from an exit.
	debug.SetTraceback("crash")
	if name := vlog.LogFile(); name != "" {
		if f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			_ = debug.SetCrashOutput(f, debug.CrashOptions{})
			f.Close()
		}
	}
	return p, nil
}

// Context ends when the daemon shall exit in order (Stop).
func (p *Process) Context() context.Context { return p.ctx }

// Stop asks the daemon to exit in order, as the `exit` command does.
func (p *Process) Stop() { p.cancel() }

// AtExit has fn called when the process ends, be it by Close or by a signal; the
// last registered first.
func (p *Process) AtExit(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanup = append(p.cleanup, fn)
}

// Close runs the clean-up functions, or waits for those that run already. The
// program exits after it; where a signal ends it, Close doesn't return, lest the
// exit comes before the death by the signal.
func (p *Process) Close() {
	p.cancel()
	p.closing.Lock()
	defer p.closing.Unlock()
	p.cleanUp()
}

func (p *Process) cleanUp() {
	for {
		p.mu.Lock()
		n := len(p.cleanup)
		if n == 0 {
			p.mu.Unlock()
			return
		}
		fn := p.cleanup[n-1]
		p.cleanup = p.cleanup[:n-1]
		p.mu.Unlock()
		fn()
	}
}

// Ready tells the waiting parent that the daemon serves, and leaves the terminal
// and the directory behind where it is detached. It may be called again without
// effect.
func (p *Process) Ready() {
	p.mu.Lock()
	done := p.ready
	p.ready = true
	p.mu.Unlock()
	if done {
		return
	}
	if p.options.Detach {
		p.options.leaveTerminal()
	}
	p.role.notify()
}

// leaveTerminal turns the standard streams to /dev/null and goes to the root
// directory.
func (o *Options) leaveTerminal() {
	if !o.NoChdir {
		_ = os.Chdir("/")
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	for fd, keep := range []bool{false, o.KeepStdout, o.KeepStderr} {
		if !keep {
			_ = unix.Dup3(int(null.Fd()), fd, 0)
		}
	}
	vlog.SetLevel(nil, vlog.Console, vlog.Off)
}

// signalPatience is how long what is to be done at the end may take after a signal:
// then the process dies all the same, since whoever sent it counts on that. A variable
// for tests.
var signalPatience = 10 * time.Second

// watchSignals ends the process in order on the signals that ask for it.
func (p *Process) watchSignals() {
	signal.Ignore(syscall.SIGPIPE)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGALRM)
	go func() {
		sig := (<-ch).(syscall.Signal)
		fatalSignal.Warn("terminating with %s", cli.SignalName(sig))
		time.AfterFunc(signalPatience, func() {
			fatalSignal.Err("not ended in order after %v: something does not end", signalPatience)
			cli.DieBySignal(sig)
		})
		p.closing.Lock() // and never unlocked: see Close
		p.cancel()
		p.cleanUp()
		cli.DieBySignal(sig)
	}()
}

// setComm names the process in /proc/PID/comm, which a process executed through
// /proc/self/exe would lack. Writing there names the main thread, whichever
// thread writes.
func setComm(program string) {
	_ = os.WriteFile("/proc/self/comm", []byte(program), 0)
}

// argv0 is what the process's child shall have as argv[0]: ours, unless another
// name chose the program.
func argv0(env *cli.Env) string {
	if len(os.Args) > 0 && filepath.Base(os.Args[0]) == env.Name {
		return os.Args[0]
	}
	return env.Name
}

// fail wraps an error of a system call on a file as the programs print it.
func fail(path, what string, err error) error {
	return fmt.Errorf("%s: %s failed (%s)", path, what, vlog.ErrText(err))
}

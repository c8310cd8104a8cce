package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"weir/internal/cli"
	"weir/internal/vlog"
)

// restartInterval is the least time between two restarts of a worker that
// crashes again and again.
const restartInterval = 10 * time.Second

// monitor runs the worker as its child and starts it again when it dies of a
// programming error (ovs-vswitchd(8), --monitor). It returns the exit status.
func (o *Options) monitor(env *cli.Env, r role) int {
	vlog.SetSubprogram("monitor")
	logFile := o.monitorLog()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var lastRestart time.Time
	for crashes := 0; ; {
		cmd, started, err := launch(env, worker, false)
		if err != nil {
			return env.Fatal("could not initiate process monitoring (%v)", err)
		}
		setTitle(fmt.Sprintf("%s: monitoring pid %d (%s)", env.Name, cmd.Process.Pid, health(crashes, "")))
		if started && r.part == background {
			o.leaveTerminal()
			r.notify() // last: the caller goes on, and may look at us
		}
		status := wait(cmd, signals)
		what := fmt.Sprintf("pid %d died, %s", cmd.Process.Pid, describe(status))
		if !crashed(status) || (!started && crashes == 0) {
			if started {
				logTo(logFile, func() { log.Info("%s, exiting", what) })
			}
			return exitStatus(status)
		}
		crashes++
		logTo(logFile, func() { log.Err("%d crashes: %s, restarting", crashes, what) })
		setTitle(fmt.Sprintf("%s: monitoring dead pid %d (%s)", env.Name, cmd.Process.Pid, health(crashes, what)))
		if wait := restartInterval - time.Since(lastRestart); wait > 0 && crashes > 1 {
			time.Sleep(wait)
		}
		lastRestart = time.Now()
	}
}

// monitorLog applies the logging options for the monitor, which opens the log
// file only while it writes, and returns the log file's name.
func (o *Options) monitorLog() string {
	name := ""
	for _, option := range o.logging {
		if option.name == "log-file" {
			name = vlog.FileName(option.value)
		} else {
			_ = option.apply(option.value) // the worker tells of errors
		}
	}
	return name
}

func logTo(name string, write func()) {
	if name != "" {
		_ = vlog.OpenQuietly(name)
		defer vlog.CloseFile()
	}
	write()
}

// wait waits for the worker, and passes on signals that ask for the end.
func wait(cmd *exec.Cmd, signals <-chan os.Signal) syscall.WaitStatus {
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig)
		case <-done:
			return cmd.ProcessState.Sys().(syscall.WaitStatus)
		}
	}
}

// crashed says whether the end speaks of a programming error.
func crashed(status syscall.WaitStatus) bool {
	if !status.Signaled() {
		return false
	}
	switch status.Signal() {
	case syscall.SIGABRT, syscall.SIGALRM, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL,
		syscall.SIGPIPE, syscall.SIGSEGV, syscall.SIGXCPU, syscall.SIGXFSZ:
		return true
	}
	return false
}

func exitStatus(status syscall.WaitStatus) int {
	if status.Exited() {
		return status.ExitStatus()
	}
	return 128 + int(status.Signal())
}

func health(crashes int, what string) string {
	if crashes == 0 {
		return "healthy"
	}
	_, what, _ = strings.Cut(what, "died, ")
	if what == "" {
		return fmt.Sprintf("%d crashes", crashes)
	}
	return fmt.Sprintf("%d crashes: last %s", crashes, what)
}

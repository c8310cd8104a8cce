package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"weir/internal/cli"
)

// roleVariable tells an executed child its part.
const roleVariable = "WEIR_DAEMON"

// notifyFD is the child's end of the start-up pipe.
const notifyFD = 3

// part is what a process does in a daemon's life.
type part string

const (
	invoked    part = ""           // started by the user
	background part = "background" // the first process of a new session
	worker     part = "worker"     // monitored
)

// role is a process's part and, in a child, its end of the start-up pipe.
type role struct {
	part  part
	pipe  *os.File
	guest *guest // in a guest: its host to be told
}

// takeRole reads the process's part and takes it out of the environment, so that
// programs run by the daemon don't inherit it.
func takeRole() role {
	r := role{part: part(os.Getenv(roleVariable))}
	os.Unsetenv(roleVariable)
	os.Unsetenv(cli.ProgramVariable)
	if r.part != invoked {
		unix.CloseOnExec(notifyFD)
		r.pipe = os.NewFile(notifyFD, "startup pipe")
	}
	return r
}

// notify tells the parent that start-up has succeeded.
func (r *role) notify() {
	if r.guest != nil {
		close(r.guest.ready)
	}
	if r.pipe != nil {
		_, _ = r.pipe.Write([]byte{0})
		r.pipe.Close()
		r.pipe = nil
	}
}

// launch executes the program anew with the given part. started returns once the
// child is ready (true) or has ended before (false).
func launch(env *cli.Env, p part, newSession bool) (cmd *exec.Cmd, started bool, err error) {
	// Descriptors inherited from the caller, such as a pipe that it reads to the
	// end, must not live on in the daemon.
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, false, err
	}
	defer reader.Close()
	cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{argv0(env)}, env.Args...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{writer},
		Env:         append(os.Environ(), roleVariable+"="+string(p), cli.ProgramVariable+"="+env.Program),
		SysProcAttr: &syscall.SysProcAttr{Setsid: newSession},
	}
	if err := cmd.Start(); err != nil {
		writer.Close()
		return nil, false, err
	}
	writer.Close()
	var buf [1]byte
	n, _ := reader.Read(buf[:])
	return cmd, n == 1, nil
}

// launchDetached starts the daemon in the background and waits until it is ready
// or has failed; then its exit status is ours.
func (o *Options) launchDetached(env *cli.Env) int {
	cmd, started, err := launch(env, background, true)
	if err != nil {
		return env.Fatal("could not detach from foreground session (%v)", err)
	}
	if started {
		return 0
	}
	_ = cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Exited() {
		return status.ExitStatus()
	}
	log.Err("fork child died before signaling startup (%s)", describe(status))
	return env.Fatal("could not detach from foreground session")
}

// describe tells of a child's end: "exit status 1", "killed (Terminated)".
func describe(status syscall.WaitStatus) string {
	if status.Exited() {
		return fmt.Sprintf("exit status %d", status.ExitStatus())
	}
	_, name, _ := strings.Cut(cli.SignalName(status.Signal()), "(")
	s := "killed (" + name
	if status.CoreDump() {
		s += ", core dumped"
	}
	return s
}

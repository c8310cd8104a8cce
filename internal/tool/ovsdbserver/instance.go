package ovsdbserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"weir/internal/cli"
	"weir/internal/clock"
	"weir/internal/daemon"
	"weir/internal/memory"
	"weir/internal/ovsdb/server"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/unixctl"
	"weir/internal/version"
)

// instance is a running server and what its start-up made.
type instance struct {
	*settings
	process *daemon.Process
	srv     *server.Server
	tlsConf *stream.TLS
	state   *stateFile
}

// serve starts the server, serves until the process is to end, and returns the exit
// status.
func (s *settings) serve(env *cli.Env, process *daemon.Process, databases []string) int {
	clk := clock.New()
	in := &instance{settings: s, process: process, tlsConf: &stream.TLS{}}
	if !process.IsGuest() {
		keeper := memory.Keep(clk, memory.Database)
		defer keeper.Stop()
	}
	in.srv = server.New(clk, paths.RunDir(), in.tlsConf)
	process.AtExit(in.srv.Close)
	if err := in.open(databases); err != nil {
		return env.Exit(err)
	}
	if err := in.control(env, clk); err != nil {
		return env.Exit(err)
	}
	if err := in.startMetrics(); err != nil {
		return env.Exit(err)
	}
	child, err := in.startChild(env)
	if err != nil {
		return env.Exit(err)
	}
	in.save()
	if !process.IsGuest() {
		memory.Started()
	}
	process.Ready()
	if child == nil { // not on the terminal of a detached server
		log.Info("%s", version.Line(env.Name))
	}
	if !s.active {
		in.srv.StartSync()
	}
	in.srv.Run(process.Context())
	return in.childStatus(env, child)
}

// open gives the server its databases, remotes and sources: those of the
// configuration file, of the process that crashed, or of the command line.
func (in *instance) open(databases []string) error {
	if in.noDiff {
		in.srv.DisableColumnDiff()
	}
	in.state = openState(in.daemon.Monitor && in.config == "") // a configuration file is read again
	in.process.AtExit(in.state.remove)
	remotes := in.remotes
	if saved, ok := in.state.load(); ok {
		databases, remotes = saved.Databases, saved.Remotes
		in.syncFrom, in.syncExclude, in.active = saved.SyncFrom, saved.SyncExclude, saved.Active
	}
	in.srv.OnReconfigure(in.updateTLS)
	if in.config != "" {
		if err := in.reload(); err != nil {
			return err
		}
	}
	for _, name := range databases {
		if err := in.srv.AddDB(name); err != nil {
			return err
		}
	}
	for _, name := range remotes {
		if err := in.srv.AddRemote(name); err != nil {
			return err
		}
	}
	return in.srv.SetSync(in.syncFrom, in.syncExclude)
}

// control opens the control socket and serves it.
func (in *instance) control(env *cli.Env, clk *clock.Clock) error {
	control, err := in.process.Control(env.Name, in.unixctl)
	if err != nil {
		return err
	}
	unixctl.FollowClock(clk)
	control.RegisterTime(clk)
	in.srv.Register(control, in.save)
	control.Register("ovsdb-server/reload", "", 0, 0, func(*unixctl.Request) (string, error) { return "", in.srv.Change(in.reload) })
	go control.Serve()
	return nil
}

// startMetrics offers metrics where --metrics asks for them.
func (in *instance) startMetrics() error {
	if in.metrics == "" {
		return nil
	}
	stop, addr, err := serveMetrics(in.metrics, in.srv)
	if err != nil {
		return fmt.Errorf("--metrics=%s: %w", in.metrics, err)
	}
	log.Info("metrics at http://%s/metrics", addr)
	in.process.AtExit(stop)
	return nil
}

// reload reads the configuration file and does what it says.
func (in *instance) reload() error {
	if in.settings.config == "" {
		return errors.New("there is no configuration file: start the server with --config-file")
	}
	c, err := server.ReadConfig(in.settings.config)
	if err == nil {
		err = in.srv.Configure(c)
	}
	if err != nil {
		log.Err("%v", err)
	}
	return err
}

// save records the databases and remotes for a restart after a crash.
func (in *instance) save() {
	s := savedState{Databases: in.srv.Files(), Remotes: in.srv.Remotes()}
	s.SyncFrom, s.SyncExclude, s.Active = in.srv.Sync()
	if err := in.state.save(s); err != nil {
		log.Warn("saving the configuration for a restart failed: %v", err)
	}
}

// startChild runs the command of --run, whose end is the server's; nil without one.
func (in *instance) startChild(env *cli.Env) (*exec.Cmd, error) {
	if in.run == "" {
		return nil, nil
	}
	cmd := exec.Command("/bin/sh", "-c", in.run)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, env.Stdout, env.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: process failed to start (%w)", in.run, err)
	}
	go func() {
		_ = cmd.Wait()
		in.process.Stop()
	}()
	return cmd, nil
}

// childStatus is the server's exit status after the command of --run, if there was
// one: its failure is the server's.
func (in *instance) childStatus(env *cli.Env, child *exec.Cmd) int {
	// Without a state, the server was told to exit before the command ended.
	if child == nil || child.ProcessState == nil || child.ProcessState.Success() {
		return 0
	}
	return env.Fatal("%s: child exited, %s", in.run, child.ProcessState)
}

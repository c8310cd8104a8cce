// Package ovsdbserver is ovsdb-server: the database server's command line,
// start-up and end (ovsdb-server(1)).
package ovsdbserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"weir/internal/cli"
	"weir/internal/clock"
	"weir/internal/daemon"
	"weir/internal/memory"
	"weir/internal/ovsdb/server"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
	"weir/internal/unixctl"
	"weir/internal/version"
	"weir/internal/vlog"
)

var log = vlog.For("ovsdb_server")

// settings are the options given.
type settings struct {
	daemon  daemon.Options
	remotes []string
	unixctl string
	run     string
	noDBs   bool
	config  string // --config-file
	metrics string // --metrics, an address to listen at
	noDiff  bool
	tls     stream.TLSFiles

	syncFrom, syncExclude string
	active                bool
}

// Main runs ovsdb-server until it is told to exit.
func Main(ctx context.Context, env *cli.Env) int {
	vlog.SetProgram(env.Name)
	s := &settings{}
	return s.parser().Start(env, func(_ []cli.Parsed, databases []string) int { return s.start(ctx, env, databases) })
}

// start becomes a daemon, if asked to, and serves.
func (s *settings) start(ctx context.Context, env *cli.Env, databases []string) int {
	if s.config != "" {
		if err := s.configAlone(databases); err != nil {
			return env.Exit(err)
		}
	} else if len(databases) == 0 && !s.noDBs {
		databases = []string{paths.InDBDir("conf.db")}
	}
	process, status := s.daemon.Start(env)
	if process == nil {
		return status
	}
	defer process.Close()
	stop := context.AfterFunc(ctx, process.Stop)
	defer stop()
	return s.serve(env, process, databases)
}

// instance is a running server and what its start-up made.
type instance struct {
	*settings
	process *daemon.Process
	srv     *server.Server
	tlsConf *stream.TLS
	state   *stateFile
}

func (s *settings) serve(env *cli.Env, process *daemon.Process, databases []string) int {
	clk := clock.New()
	in := &instance{settings: s, process: process, tlsConf: &stream.TLS{}}
	if !process.IsGuest() {
		keeper := memory.Keep(clk, memory.Database)
		defer keeper.Stop()
	}
	in.srv = server.New(clk, paths.RunDir(), in.tlsConf)
	process.AtExit(in.srv.Close)
	if s.noDiff {
		in.srv.DisableColumnDiff()
	}
	in.state = openState(s.daemon.Monitor && s.config == "") // a configuration file is read again
	process.AtExit(in.state.remove)
	remotes := s.remotes
	if saved, ok := in.state.load(); ok {
		databases, remotes = saved.Databases, saved.Remotes
		s.syncFrom, s.syncExclude, s.active = saved.SyncFrom, saved.SyncExclude, saved.Active
	}
	in.srv.OnReconfigure(in.updateTLS)
	if s.config != "" {
		if err := in.reload(); err != nil {
			return env.Fatal("%v", err)
		}
	}
	for _, name := range databases {
		if err := in.srv.AddDB(name); err != nil {
			return env.Fatal("%v", err)
		}
	}
	for _, name := range remotes {
		if err := in.srv.AddRemote(name); err != nil {
			return env.Fatal("%v", err)
		}
	}
	if err := in.srv.SetSync(s.syncFrom, s.syncExclude); err != nil {
		return env.Fatal("%v", err)
	}
	control, err := in.control(env, clk)
	if err != nil {
		return env.Exit(err)
	}
	if s.metrics != "" {
		stop, addr, err := serveMetrics(s.metrics, in.srv)
		if err != nil {
			return env.Fatal("--metrics=%s: %v", s.metrics, err)
		}
		log.Info("metrics at http://%s/metrics", addr)
		process.AtExit(stop)
	}
	var child *exec.Cmd
	if s.run != "" {
		if child, err = in.startChild(env); err != nil {
			return env.Fatal("%s: process failed to start (%v)", s.run, err)
		}
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
	if control != nil {
		control.Close()
	}
	if child != nil && (child.ProcessState == nil || !child.ProcessState.Success()) {
		return in.childStatus(env, child)
	}
	return 0
}

// control opens the control socket; nil with --unixctl=none.
func (in *instance) control(env *cli.Env, clk *clock.Clock) (*unixctl.Server, error) {
	if in.unixctl == "none" {
		return nil, nil
	}
	control, err := unixctl.NewServer(unixctl.SocketPath(env.Name, in.unixctl))
	if err != nil {
		return nil, err
	}
	in.process.AtExit(control.Close)
	control.SetProgram(env.Name)
	unixctl.FollowClock(clk)
	control.RegisterTime(clk)
	control.Register("exit", "", 0, 0, func(*unixctl.Request) (string, error) { in.process.Stop(); return "", nil })
	in.srv.Register(control, in.save)
	control.Register("ovsdb-server/reload", "", 0, 0, func(*unixctl.Request) (string, error) { return "", in.reload() })
	go control.Serve()
	return control, nil
}

// configAlone refuses what a configuration file says otherwise.
func (s *settings) configAlone(databases []string) error {
	switch {
	case len(databases) > 0:
		return fmt.Errorf("--config-file and databases on the command line exclude each other: name them in \"%s\"", s.config)
	case len(s.remotes) > 0:
		return fmt.Errorf("--config-file and --remote exclude each other: name the remotes in \"%s\"", s.config)
	case s.syncFrom != "" || s.syncExclude != "" || s.active:
		return fmt.Errorf("--config-file and the active-backup options exclude each other: name the sources in \"%s\"", s.config)
	}
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

// startChild runs the command of --run; its end is the server's.
func (in *instance) startChild(env *cli.Env) (*exec.Cmd, error) {
	cmd := exec.Command("/bin/sh", "-c", in.run)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, env.Stdout, env.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		in.process.Stop()
	}()
	return cmd, nil
}

func (in *instance) childStatus(env *cli.Env, child *exec.Cmd) int {
	if child.ProcessState == nil {
		return 0 // told to exit before the command ended
	}
	return env.Fatal("%s: child exited, %s", in.run, child.ProcessState)
}

func (s *settings) parser() *cli.Parser {
	set := func(p *string) func(string) error { return func(v string) error { *p = v; return nil } }
	flag := func(p *bool) func(string) error { return func(string) error { *p = true; return nil } }
	missing := func(what string) func(string) error {
		return func(string) error { return fmt.Errorf("%s is not available yet", what) }
	}
	p := &cli.Parser{Options: []cli.Option{
		{Long: "remote", Arg: cli.RequiredArg, Set: func(v string) error { s.remotes = append(s.remotes, v); return nil }},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: set(&s.unixctl)},
		{Long: "run", Arg: cli.RequiredArg, Set: set(&s.run)},
		{Long: "no-dbs", Set: flag(&s.noDBs)},
		{Long: "config-file", Arg: cli.RequiredArg, Set: set(&s.config)},
		{Long: "metrics", Arg: cli.RequiredArg, Set: set(&s.metrics)},
		{Long: "sync-from", Arg: cli.RequiredArg, Set: set(&s.syncFrom)},
		{Long: "sync-exclude-tables", Arg: cli.RequiredArg, Set: set(&s.syncExclude)},
		{Long: "active", Set: flag(&s.active)},
		{Long: "record", Arg: cli.OptionalArg, Set: missing("--record")},
		{Long: "replay", Arg: cli.OptionalArg, Set: missing("--replay")},
		{Long: "disable-file-column-diff", Set: flag(&s.noDiff)},
		{Long: "disable-file-no-data-conversion", Set: func(string) error { return nil }}, // conversions always write the data
		cli.Help(func(env *cli.Env) {
			fmt.Fprintf(env.Stdout, usage, env.Name, env.Name, paths.InDBDir("conf.db"), daemon.Usage(env.Name), tlsopt.Usage, cli.LogUsage(env.Name))
		}),
		cli.List("option", 0),
		cli.Version(),
	}}
	p.Options = append(p.Options, tlsopt.Options(&s.tls, nil)...)
	p.Options = append(p.Options, s.daemon.CLI()...)
	return p
}

// source reports whether an option's value is to be read from a database.
func source(v string) bool { return strings.HasPrefix(v, "db:") }

const usage = `%s: Open vSwitch database server
usage: %s [OPTIONS] [DATABASE...]
where each DATABASE is a database file in ovsdb format
or relay:DB_NAME:REMOTE for databases replicated from another server
or the default, %s, where none is given and --no-dbs is not.

JSON-RPC options (may be specified any number of times):
  --remote=REMOTE         connect or listen to REMOTE
%sActive-backup options:
  --sync-from=SERVER      sync DATABASE from active SERVER and start in
                          backup mode (except with --active)
  --sync-exclude-tables=DB:TABLE,...
                          exclude the TABLE in DB from syncing
  --active                with --sync-from, start in active mode
%s%s
Other options:
  --run COMMAND           run COMMAND as subprocess then exit
  --config-file FILE      read remotes and databases from FILE, a JSON object;
                          again at ovs-appctl ovsdb-server/reload
  --metrics=ADDR:PORT     offer metrics for OpenMetrics at http://ADDR:PORT/metrics
  --unixctl=SOCKET        override default control socket name
  --no-dbs                serve no database but _Server at first
  --disable-file-column-diff
                          don't use column diffs in database file
  -h, --help              display this help message
  -V, --version           display version information
`

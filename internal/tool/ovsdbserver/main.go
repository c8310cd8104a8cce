// Package ovsdbserver is ovsdb-server: the database server's command line,
// start-up and end (ovsdb-server(1)).
package ovsdbserver

import (
	"context"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
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

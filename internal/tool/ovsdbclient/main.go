// Package ovsdbclient is ovsdb-client: it talks to a database server as the
// user says (ovsdb-client(1)).
package ovsdbclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/ovsdb"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
	"weir/internal/tool/table"
	"weir/internal/vlog"
)

// settings are the options given.
type settings struct {
	daemon    daemon.Options
	style     table.Style
	timeout   uint
	timestamp bool
	force     bool
	aware     bool // tell the server that we follow changes of its databases
	unixctl   string
	tls       stream.TLSFiles
}

// need says what a command wants before its own arguments.
type need uint8

const (
	needRPC      need = iota // a server
	needDatabase             // a server and a database
)

// command is one of the program's commands.
type command struct {
	name     string
	need     need
	min, max int // arguments after server and database; max -1 is any number
	daemon   bool
	run      func(*call) error
}

// call is a command being run.
type call struct {
	*settings
	env     *cli.Env
	ctx     context.Context
	process *daemon.Process
	rpc     *rpc
	server  string // where rpc leads
	db      string
	args    []string
}

var commands = []command{
	{"list-dbs", needRPC, 0, 0, false, (*call).listDBs},
	{"get-schema", needDatabase, 0, 0, false, (*call).getSchema},
	{"get-schema-version", needDatabase, 0, 0, false, (*call).schemaVersion},
	{"get-schema-cksum", needDatabase, 0, 0, false, (*call).schemaCksum},
	{"list-tables", needDatabase, 0, 0, false, (*call).listTables},
	{"list-columns", needDatabase, 0, 1, false, (*call).listColumns},
	{"transact", needRPC, 1, 1, true, (*call).transact},
	{"query", needRPC, 1, 1, false, (*call).query},
	{"monitor", needDatabase, 1, -1, true, (*call).monitor},
	{"monitor-cond", needDatabase, 2, -1, true, (*call).monitorCond},
	{"monitor-cond-since", needDatabase, 2, -1, true, (*call).monitorCondSince},
	{"wait", needRPC, 2, 2, false, (*call).wait},
	{"convert", needRPC, 1, 1, false, (*call).convert},
	{"needs-conversion", needRPC, 1, 1, false, (*call).needsConversion},
	{"dump", needDatabase, 0, -1, false, (*call).dump},
	{"backup", needDatabase, 0, 0, false, (*call).backup},
	{"restore", needDatabase, 0, 0, false, (*call).restore},
	{"lock", needRPC, 1, 1, true, func(c *call) error { return c.lock("lock") }},
	{"steal", needRPC, 1, 1, true, func(c *call) error { return c.lock("steal") }},
	{"unlock", needRPC, 1, 1, true, func(c *call) error { return c.lock("unlock") }},
}

// Main runs ovsdb-client.
func Main(ctx context.Context, env *cli.Env) int {
	vlog.SetProgram(env.Name)
	s := &settings{style: table.Style{Format: table.FormatTable, Data: table.DataString}}
	return s.parser().Start(env, func(_ []cli.Parsed, words []string) int { return s.dispatch(ctx, env, words) })
}

// dispatch runs the command in words.
func (s *settings) dispatch(ctx context.Context, env *cli.Env, words []string) int {
	if len(words) == 0 {
		return env.Fatal("missing command name; use --help for help")
	}
	if words[0] == "help" {
		s.help(env)
		return 0
	}
	for i := range commands {
		if commands[i].name == words[0] {
			return s.start(ctx, env, &commands[i], words[1:])
		}
	}
	return env.Fatal("unknown command '%s'; use --help for help", words[0])
}

func defaultServer() string { return "unix:" + paths.InRunDir("db.sock") }

// start connects to the server, if need be as a daemon, and runs a command there.
func (s *settings) start(ctx context.Context, env *cli.Env, cmd *command, args []string) int {
	if !cmd.daemon {
		// Only commands that go on for long can become daemons.
		s.daemon.Detach, s.daemon.Monitor, s.daemon.Pidfile = false, false, false
	}
	s.daemon.KeepStdout, s.daemon.KeepStderr = true, true
	process, status := s.daemon.Start(env)
	if process == nil {
		return status
	}
	defer process.Close()
	env.AlarmOr(s.timeout)
	c := &call{settings: s, env: env, ctx: ctx, process: process, args: args}
	server := defaultServer()
	if len(args) > cmd.min && isServer(cmd, args) {
		server, c.args = args[0], args[1:]
	}
	var err error
	if c.rpc, err = connect(ctx, server, &s.tls); err != nil {
		return env.Fatal("failed to connect to \"%s\" (%s)", server, stream.ErrText(err))
	}
	c.server = server
	defer func() { c.rpc.close() }() // wait may have made another
	if s.aware {
		if _, err := c.rpc.call("set_db_change_aware", []byte("[true]")); err != nil {
			return env.Fatal("%v", err)
		}
	}
	if cmd.need == needDatabase {
		if err := c.chooseDatabase(cmd); err != nil {
			return env.Fatal("%v", err)
		}
	}
	if n := len(c.args); n < cmd.min || cmd.max >= 0 && n > cmd.max {
		return env.Fatal("invalid syntax for '%s' (use --help for help)", cmd.name)
	}
	if err := cmd.run(c); err != nil {
		return env.Exit(err)
	}
	return 0
}

// isServer reports whether the first argument is a server's: a connection method,
// or what can be nothing else.
func isServer(cmd *command, args []string) bool {
	return stream.IsActive(args[0]) || stream.IsPassive(args[0]) ||
		cmd.need == needRPC && cmd.max >= 0 && len(args) > cmd.max && strings.Contains(args[0], ":")
}

// chooseDatabase takes the database's name off the arguments, or finds the one
// that is meant without.
func (c *call) chooseDatabase(cmd *command) error {
	names, err := c.databases()
	if err != nil {
		return err
	}
	has := func(name string) bool {
		for _, n := range names {
			if n == name {
				return true
			}
		}
		return false
	}
	if len(c.args) > cmd.min && has(c.args[0]) {
		c.db, c.args = c.args[0], c.args[1:]
		return nil
	}
	if has("Open_vSwitch") {
		c.db = "Open_vSwitch"
		return nil
	}
	var own []string
	for _, n := range names {
		if !strings.HasPrefix(n, "_") {
			own = append(own, n)
		}
	}
	if len(own) == 1 {
		c.db = own[0]
		return nil
	}
	return errors.New("no default database for this server (use list-dbs to see its databases, and name one)")
}

func (s *settings) parser() *cli.Parser {
	set := func(p *string) func(string) error { return func(v string) error { *p = v; return nil } }
	none := func(string) error { return nil }
	missing := func(what string) func(string) error {
		return func(string) error { return fmt.Errorf("%s is not available yet", what) }
	}
	p := &cli.Parser{Options: []cli.Option{
		{Long: "timeout", Short: 't', Arg: cli.RequiredArg, Set: func(v string) (err error) {
			s.timeout, err = cli.ParseTimeout("-t or --timeout", v)
			return err
		}},
		{Long: "timestamp", Set: func(string) error { s.timestamp = true; return nil }},
		{Long: "force", Set: func(string) error { s.force = true; return nil }},
		{Long: "leader-only", Set: none}, // a standalone database's server is always its leader
		{Long: "no-leader-only", Set: none},
		{Long: "db-change-aware", Set: func(string) error { s.aware = true; return nil }},
		{Long: "no-db-change-aware", Set: func(string) error { s.aware = false; return nil }},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: set(&s.unixctl)},
		{Long: "record", Arg: cli.OptionalArg, Set: missing("--record")},
		{Long: "replay", Arg: cli.OptionalArg, Set: missing("--replay")},
		cli.Help(s.help),
		cli.List("option", 0),
		cli.Version(),
	}}
	p.Options = append(p.Options, tlsopt.Options(&s.tls, nil)...)
	p.Options = append(p.Options, table.Options(&s.style)...)
	p.Options = append(p.Options, s.daemon.CLI()...)
	return p
}

// help prints what --help does.
func (s *settings) help(env *cli.Env) {
	fmt.Fprintf(env.Stdout, usage, env.Name, env.Name, defaultServer(), table.Usage, tlsopt.Usage, daemon.Usage(env.Name), cli.LogUsage(env.Name))
}

// asText returns a database error's text, for messages.
func asText(err error) string {
	var e *ovsdb.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return err.Error()
}

const usage = `%s: Open vSwitch database JSON-RPC client
usage: %s [OPTIONS] COMMAND [ARG...]

Commands:

  list-dbs [SERVER]
    list databases available on SERVER

  get-schema [SERVER] [DATABASE]
    retrieve schema for DATABASE from SERVER

  get-schema-version [SERVER] [DATABASE]
    retrieve schema for DATABASE from SERVER and report only its
    version number on stdout

  get-schema-cksum [SERVER] [DATABASE]
    retrieve schema for DATABASE from SERVER and report only its
    checksum on stdout

  list-tables [SERVER] [DATABASE]
    list tables for DATABASE on SERVER

  list-columns [SERVER] [DATABASE] [TABLE]
    list columns in TABLE (or all tables) in DATABASE on SERVER

  transact [SERVER] TRANSACTION
    run TRANSACTION (params for "transact" request) on SERVER
    and print the results as JSON on stdout

  query [SERVER] TRANSACTION
    run TRANSACTION (params for "transact" request) on SERVER,
    as read-only, and print the results as JSON on stdout

  monitor [SERVER] [DATABASE] TABLE [COLUMN,...]...
    monitor contents of COLUMNs in TABLE in DATABASE on SERVER
    COLUMNs may include !initial, !insert, !delete, !modify
    to avoid seeing the specified kinds of changes

  monitor-cond [SERVER] [DATABASE] CONDITION TABLE [COLUMN,...]...
    monitor contents that match CONDITION of COLUMNs in TABLE in
    DATABASE on SERVER

  monitor-cond-since [SERVER] [DATABASE] [LASTID] CONDITION TABLE [COLUMN,...]...
    monitor contents that match CONDITION since change after LASTID

  monitor [SERVER] [DATABASE] ALL
    monitor all changes to all columns in all tables

  wait [SERVER] DATABASE STATE
    wait until DATABASE reaches STATE ("added" or "connected" or
    "removed") in DATABASE on SERVER

  dump [SERVER] [DATABASE]
    dump contents of DATABASE on SERVER to stdout

  backup [SERVER] [DATABASE]
    dump database contents in the form of a database file

  [--force] restore [SERVER] [DATABASE]
    restore database contents from a database file

  convert [SERVER] SCHEMA
    convert database on SERVER named in SCHEMA to SCHEMA

  needs-conversion [SERVER] SCHEMA
    tell whether SCHEMA on SERVER differs from SCHEMA

  lock|steal [SERVER] LOCK
    create or wait for LOCK in SERVER

The default SERVER is %s.
The default DATABASE is Open_vSwitch.
%s
%s%s%s
Other options:
  -t, --timeout=SECS          wait at most SECS seconds for a response
  --timestamp                 add a timestamp to each update of "monitor"
  --leader-only, --no-leader-only
                              no effect: a standalone database's server leads
  --db-change-aware, --no-db-change-aware
                              stay connected where databases come and go, or not
  --unixctl=SOCKET            override default control socket name of monitors
  --force                     restore despite differing schemas
  -h, --help                  display this help message
  -V, --version               display version information
`

// Package ovsdbtool is ovsdb-tool: it creates, inspects and changes database
// files without a server (ovsdb-tool(1)).
package ovsdbtool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/ovsdb/storage"
	"weir/internal/paths"
	"weir/internal/vlog"
)

// command is one of ovsdb-tool's commands.
type command struct {
	name     string
	usage    string // of its arguments, for list-commands
	min, max int    // number of arguments
	run      func(t *tool, args []string) error
}

// unlimited is the max of a command that takes any number of arguments.
const unlimited = 1 << 20

// tool is one run of ovsdb-tool.
type tool struct {
	env      *cli.Env
	more     int    // -m: how much show-log says
	json     bool   // -f json: show-log prints records as they are
	rbacRole string // --rbac-role
	cid      string // --cid
	election string // --election-timer
	status   int    // exit status
}

// commandTable returns the commands in the order of list-commands.
func commandTable() []command {
	return []command{
		{"create", "[db [schema]]", 0, 2, (*tool).create},
		{"create-cluster", "db contents local", 3, 3, (*tool).createCluster},
		{"join-cluster", "db name local remote...", 4, unlimited, (*tool).joinCluster},
		{"compact", "[db [dst]]", 0, 2, (*tool).compact},
		{"convert", "[db [schema [dst]]]", 0, 3, (*tool).convert},
		{"needs-conversion", "", 0, 2, (*tool).needsConversion},
		{"db-name", "[db]", 0, 1, (*tool).dbName},
		{"db-version", "[db]", 0, 1, (*tool).dbVersion},
		{"db-cksum", "[db]", 0, 1, (*tool).dbCksum},
		{"db-cid", "db", 1, 1, (*tool).dbCID},
		{"db-sid", "db", 1, 1, (*tool).dbSID},
		{"db-local-address", "db", 1, 1, (*tool).dbLocalAddress},
		{"db-is-clustered", "db", 1, 1, (*tool).dbIsClustered},
		{"db-is-standalone", "db", 1, 1, (*tool).dbIsStandalone},
		{"schema-name", "[schema]", 0, 1, (*tool).schemaName},
		{"schema-version", "[schema]", 0, 1, (*tool).schemaVersion},
		{"schema-cksum", "[schema]", 0, 1, (*tool).schemaCksum},
		{"query", "[db] trns", 1, 2, (*tool).query},
		{"transact", "[db] trns", 1, 2, (*tool).transact},
		{"show-log", "[db]", 0, 1, (*tool).showLog},
		{"check-cluster", "db...", 1, unlimited, (*tool).checkCluster},
		{"compare-versions", "a op b", 3, 3, (*tool).compareVersions},
		{"help", "", 0, unlimited, (*tool).help},
		{"list-commands", "", 0, unlimited, (*tool).listCommands},
		{"cluster-to-standalone", "db clusterdb", 2, 2, (*tool).clusterToStandalone},
	}
}

// Main runs ovsdb-tool.
func Main(_ context.Context, env *cli.Env) int {
	vlog.SetProgram(env.Name)
	t := &tool{env: env}
	set := func(to *string) func(string) error {
		return func(v string) error { *to = v; return nil }
	}
	p := &cli.Parser{Options: []cli.Option{
		{Long: "more", Short: 'm', Set: func(string) error { t.more++; return nil }},
		{Long: "format", Short: 'f', Arg: cli.RequiredArg, Set: t.setFormat},
		{Long: "rbac-role", Arg: cli.RequiredArg, Set: set(&t.rbacRole)},
		{Long: "cid", Arg: cli.RequiredArg, Set: set(&t.cid)},
		{Long: "election-timer", Arg: cli.RequiredArg, Set: set(&t.election)},
		cli.Help(func(*cli.Env) { _ = t.help(nil) }),
		cli.List("option", 'o'),
		cli.Version(),
	}}
	p.Options = append(p.Options, cli.LogOptions()...)
	return p.Start(env, func(_ []cli.Parsed, args []string) int {
		if err := t.run(args); err != nil {
			return env.Exit(err)
		}
		return t.status
	})
}

func (t *tool) run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("missing command name; use --help for help")
	}
	for _, c := range commandTable() {
		if c.name != args[0] {
			continue
		}
		args = args[1:]
		switch {
		case len(args) < c.min:
			return fmt.Errorf("'%s' command requires at least %d arguments", c.name, c.min)
		case len(args) > c.max:
			return fmt.Errorf("'%s' command takes at most %d arguments", c.name, c.max)
		}
		err := c.run(t, args)
		if errors.Is(err, storage.ErrClustered) {
			return errClusterFile(arg(args, 0, defaultDB()))
		}
		return err
	}
	return fmt.Errorf("unknown command '%s'; use --help for help", args[0])
}

// setFormat is -f, which only show-log heeds: what the other commands print is
// JSON already, or one word.
func (t *tool) setFormat(v string) error {
	switch v {
	case "text", "json":
		t.json = v == "json"
		return nil
	}
	return fmt.Errorf("value %s on -f or --format is invalid", v)
}

func (t *tool) printf(format string, args ...any) { fmt.Fprintf(t.env.Stdout, format, args...) }

// arg returns the i'th argument, or fallback.
func arg(args []string, i int, fallback string) string {
	if i < len(args) {
		return args[i]
	}
	return fallback
}

func defaultDB() string { return paths.InDBDir("conf.db") }

func defaultSchema() string { return paths.PkgDataDir() + "/vswitch.ovsschema" }

func (t *tool) listCommands([]string) error {
	t.printf("The available commands are:\n")
	for _, c := range commandTable() {
		t.printf("  %-23s %s\n", c.name, c.usage)
	}
	return nil
}

func (t *tool) help([]string) error {
	t.printf(usage, t.env.Name, t.env.Name, defaultDB(), defaultSchema())
	t.printf("%s", cli.LogUsage(t.env.Name))
	t.printf("\nOther options:\n")
	for _, line := range []string{
		"  -m, --more                  increase show-log verbosity",
		"  -f, --format=text|json      output of show-log",
		"  --rbac-role=ROLE            RBAC role for transact and query commands",
		"  -h, --help                  display this help message",
		"  -V, --version               display version information",
	} {
		t.printf("%s\n", line)
	}
	return nil
}

var usage = strings.TrimPrefix(`
%s: Open vSwitch database management utility
usage: %s [OPTIONS] COMMAND [ARG...]

Commands:
  create [DB [SCHEMA]]    create DB with the given SCHEMA
  [--election-timer=ms] create-cluster DB CONTENTS LOCAL
    create clustered DB with given CONTENTS and LOCAL address
  [--cid=UUID] join-cluster DB NAME LOCAL REMOTE...
    join clustered DB with given NAME and LOCAL and REMOTE addrs
  compact [DB [DST]]      compact DB in-place (or to DST)
  convert [DB [SCHEMA [DST]]]   convert DB to SCHEMA (to DST)
  db-name [DB]            report name of schema used by DB
  db-version [DB]         report version of schema used by DB
  db-cksum [DB]           report checksum of schema used by DB
  db-cid DB               report cluster ID of clustered DB
  db-sid DB               report server ID of clustered DB
  db-local-address DB     report local address of clustered DB
  db-is-clustered DB      test whether DB is clustered
  db-is-standalone DB     test whether DB is standalone
  schema-name [SCHEMA]    report SCHEMA's name
  schema-version [SCHEMA]  report SCHEMA's schema version
  schema-cksum [SCHEMA]   report SCHEMA's checksum
  compare-versions A OP B  compare OVSDB schema version numbers
  query [DB] TRNS         execute read-only transaction on DB
  transact [DB] TRNS      execute read/write transaction on DB
  cluster-to-standalone DB CLUSTERDB
    make standalone DB of CLUSTERDB, of a cluster that is down and
    cannot be revived
  [-m]... show-log [DB]   print DB's log entries
The default DB is %s.
The default SCHEMA is %s.
`, "\n")

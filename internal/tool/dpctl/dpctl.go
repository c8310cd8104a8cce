// Package dpctl is ovs-dpctl: it looks at and changes the data paths of the
// running switch, through the switch's control socket (ovs-dpctl(8)).
package dpctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/dpctl"
	"weir/internal/unixctl"
	"weir/internal/vlog"
)

const daemon = "ovs-vswitchd"

// settings are the options given; those of the commands are passed on.
type settings struct {
	timeout uint
	pass    []string
	json    bool
	pretty  bool
}

// Main runs ovs-dpctl.
func Main(_ context.Context, env *cli.Env) int {
	vlog.SetProgram(env.Name)
	s := &settings{}
	return s.parser().Start(env, func(_ []cli.Parsed, words []string) int {
		if len(words) == 0 {
			return env.Fatal("missing command name; use --help for help")
		}
		env.AlarmOr(s.timeout)
		return s.run(env, words[0], append(s.pass, words[1:]...))
	})
}

func (s *settings) parser() *cli.Parser {
	pass := func(o string) func(string) error {
		return func(string) error { s.pass = append(s.pass, o); return nil }
	}
	return &cli.Parser{Options: append([]cli.Option{
		{Long: "statistics", Short: 's', Set: pass("-s")},
		{Long: "clear", Set: pass("--clear")},
		{Long: "may-create", Set: pass("--may-create")},
		{Long: "read-only", Set: pass("--read-only")},
		{Long: "more", Short: 'm', Set: pass("-m")},
		{Long: "names", Set: pass("--names")},
		{Long: "no-names", Set: pass("--no-names")},
		{Long: "timeout", Short: 't', Arg: cli.RequiredArg, Set: func(v string) (err error) {
			s.timeout, err = cli.ParseTimeout("-t or --timeout", v)
			return err
		}},
		{Long: "format", Short: 'f', Arg: cli.RequiredArg, Set: s.setFormat},
		{Long: "pretty", Set: func(string) error { s.pretty = true; return nil }},
		cli.Help(func(env *cli.Env) { fmt.Fprintf(env.Stdout, usage, env.Name, env.Name, cli.LogUsage(env.Name)) }),
		cli.List("option", 'o'),
		cli.Version(),
	}, cli.LogOptions()...)}
}

// run runs a command: on texts alone here, on data paths in the switch.
func (s *settings) run(env *cli.Env, name string, args []string) int {
	if s.pretty && !s.json {
		return env.Fatal("--pretty is supported with --format json only")
	}
	if name == "parse-actions" || name == "normalize-actions" || name == "list-commands" {
		out, _, err := (&dpctl.Commands{Program: env.Name}).Run(name, args, s.json)
		s.print(env, strings.ReplaceAll(strings.ReplaceAll(out, "  dpctl/", "  "), "\"dpctl/", "\""))
		if err != nil {
			return env.Fatal("%s", strings.TrimPrefix(err.Error(), env.Name+": "))
		}
		return 0
	}
	c, err := unixctl.Dial(daemon)
	if err != nil {
		return env.Fatal("%v", err)
	}
	defer c.Close()
	if s.json {
		if remote, err := c.SetJSON(); remote != nil || err != nil {
			return env.Fatal("%s: no answers in JSON (%v)", daemon, errors.Join(remote, err))
		}
	}
	out, remote, err := c.Transact("dpctl/"+name, args)
	if err != nil {
		return env.Fatal("%s: transaction error (%v)", daemon, err)
	}
	if remote != nil {
		return env.Fatal("%s", s.remoteError(env, name, remote.Error()))
	}
	s.print(env, out)
	return 0
}

// setFormat is -f, which the original doesn't have.
func (s *settings) setFormat(v string) error {
	switch v {
	case "text", "json":
		s.json = v == "json"
		return nil
	}
	return fmt.Errorf("value %s on -f or --format is invalid", v)
}

// print gives an answer in JSON its newline and, with --pretty, its indentation.
func (s *settings) print(env *cli.Env, out string) {
	if s.json && out != "" {
		out = cli.JSONText(out, s.pretty)
	}
	fmt.Fprint(env.Stdout, out)
}

// remoteError puts an error of the switch into this program's words.
func (s *settings) remoteError(env *cli.Env, name, text string) string {
	if strings.Contains(text, "is not a valid command") {
		return fmt.Sprintf("unknown command '%s'; use --help for help", name)
	}
	text = strings.ReplaceAll(text, "\""+"dpctl/"+name+"\"", "'"+name+"'")
	text = strings.ReplaceAll(text, daemon+": ", env.Name+": ")
	return strings.TrimPrefix(text, env.Name+": ")
}

const usage = `%s: Open vSwitch datapath management utility
usage: %s [OPTIONS] COMMAND [ARG...]

Commands:
  add-dp DP [IFACE...]     add new datapath DP (with IFACEs)
  del-dp DP                delete local datapath DP
  add-if DP IFACE...       add each IFACE as a port on DP
  set-if DP IFACE...       reconfigure each IFACE within DP
  del-if DP IFACE...       delete each IFACE from DP
  dump-dps                 display names of all datapaths
  show                     show basic info on all datapaths
  show DP...               show basic info on each DP
  dump-flows [DP]          display flows in DP
  add-flow [DP] FLOW ACTIONS  add FLOW with ACTIONS to DP
  add-flows [DP] FILE      add flows from FILE
  mod-flow [DP] FLOW ACTIONS  change FLOW actions to ACTIONS in DP
  mod-flows [DP] FILE      change flows from FILE
  get-flow [DP] ufid:UFID  fetch flow corresponding to UFID
  del-flow [DP] FLOW       delete FLOW from DP
  del-flows [DP] [FILE]    delete all or specified flows from DP
Each IFACE on add-dp, add-if, and set-if may be followed by
comma-separated options: type=TYPE, port_no=N, and KEY=VALUE as
in the column options of the Interface table of
ovs-vswitchd.conf.db(5).
For COMMAND dump-flows, add-flow, add-flows, mod-flow,
mod-flows, del-flow and del-flows, DP is optional if there is
only one datapath.
%s
Options for show and mod-flow:
  -s, --statistics            print statistics for port or flow

Options for dump-flows:
  -m, --more                  increase verbosity of output
  --names                     use port names in output
  --no-names                  use port numbers in output

Options for all that show something:
  -f, --format=text|json      format of the output
  --pretty                    indent JSON

Options for mod-flow:
  --may-create                create flow if it doesn't exist
  --read-only                 do not run read/write commands
  --clear                     reset existing stats to zero

Other options:
  -t, --timeout=SECS          give up after SECS seconds
  -h, --help                  display this help message
  -V, --version               display version information
`

// Package appctl is ovs-appctl: it sends one command to a daemon's control socket
// and prints the answer (ovs-appctl(8)).
package appctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/cli"
	"weir/internal/unixctl"
	"weir/internal/vlog"
)

// settings are the options given.
type settings struct {
	target  string
	timeout uint
	json    bool
	pretty  bool
}

// Main runs ovs-appctl. Its exit status is 2 where the daemon answers with an
// error, 1 for other failures.
func Main(_ context.Context, env *cli.Env) int {
	vlog.SetProgram(env.Name)
	s := settings{target: "ovs-vswitchd"}
	return s.parser().Start(env, func(_ []cli.Parsed, words []string) int { return s.start(env, words) })
}

// start sends the command in words to the target.
func (s *settings) start(env *cli.Env, words []string) int {
	if s.pretty && !s.json {
		return env.Fatal("--pretty is supported with --format json only")
	}
	if len(words) == 0 {
		return env.Fatal("at least one non-option argument is required (use --help for help)")
	}
	env.AlarmOr(s.timeout)
	return s.run(env, words)
}

func (s *settings) parser() *cli.Parser {
	p := &cli.Parser{InOrder: true, Options: []cli.Option{
		{Long: "target", Short: 't', Arg: cli.RequiredArg, Set: func(v string) error { s.target = v; return nil }},
		{Long: "execute", Short: 'e'}, // historical; has no effect
		{Long: "format", Short: 'f', Arg: cli.RequiredArg, Set: s.setFormat},
		cli.Help(func(env *cli.Env) {
			fmt.Fprintf(env.Stdout, usage, env.Name, env.Name, env.Name, cli.LogUsage(env.Name))
		}),
		{Long: "option", Short: 'o', Answer: func(env *cli.Env, p *cli.Parser) { p.PrintOptions(optionWriter{env.Stdout}) }},
		{Long: "pretty", Set: func(string) error { s.pretty = true; return nil }},
		cli.Version(),
		{Long: "timeout", Short: 'T', Arg: cli.RequiredArg, Set: func(v string) (err error) {
			s.timeout, err = cli.ParseTimeout("-T or --timeout", v)
			return err
		}},
	}}
	p.Options = append(p.Options, cli.LogOptions()...)
	return p
}

func (s *settings) setFormat(v string) error {
	switch strings.ToLower(v) {
	case "text":
		s.json = false
	case "json":
		s.json = true
	default:
		return fmt.Errorf("value %s on -f or --format is invalid", v)
	}
	return nil
}

func (s *settings) run(env *cli.Env, words []string) int {
	c, err := unixctl.Dial(s.target)
	if err != nil {
		return env.Fatal("%v", err)
	}
	defer c.Close()
	if s.json {
		remote, err := c.SetJSON()
		if err != nil {
			return env.Fatal("%s: transaction error (%v)", s.target, err)
		}
		if remote != nil {
			fmt.Fprint(env.Stderr, line(remote.Error()))
			return env.FatalStatus(2, "%s: server returned an error", s.target)
		}
	}
	if f, ok := env.Stderr.(*os.File); ok && isTerminal(f) {
		c.Progress = func(text string) { fmt.Fprintln(f, text) }
	}
	result, remote, err := c.Transact(words[0], words[1:])
	if err != nil {
		return env.Fatal("%s: transaction error (%v)", s.target, err)
	}
	if remote != nil {
		fmt.Fprint(env.Stderr, line(remote.Error()))
		return env.FatalStatus(2, "%s: server returned an error", s.target)
	}
	fmt.Fprint(env.Stdout, s.format(result))
	return 0
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// format gives a JSON answer its newline and, with --pretty, its indentation.
func (s *settings) format(result string) string {
	if !s.json {
		return line(result)
	}
	return cli.JSONText(result, s.pretty)
}

// line ends a text with a newline: servers of release 3.5 and later leave it to the
// client.
func line(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// optionWriter puts the space after a letter without argument that shell
// completion of ovs-appctl knows.
type optionWriter struct{ w io.Writer }

// Write writes one line of the list of options.
func (o optionWriter) Write(line []byte) (int, error) {
	if len(line) == 3 {
		line = append(line[:2:2], ' ', '\n')
	}
	return o.w.Write(line)
}

const usage = `%s, for querying and controlling Open vSwitch daemon
usage: %s [TARGET] COMMAND [ARG...]
Targets:
  -t, --target=TARGET  pidfile or socket to contact
Common commands:
  list-commands      List commands supported by the target
  version            Print version of the target
  vlog/list          List current logging levels
  vlog/list-pattern  List logging patterns for each destination.
  vlog/set [SPEC]
      Set log levels as detailed in SPEC, which may include:
      a valid module name (all modules, by default),
      'syslog', 'console', 'file' (all destinations, by default),
      'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', by default).
  vlog/reopen        Make the program reopen its log file
Other options:
  -T, --timeout=SECS  wait at most SECS seconds for a response
  -f, --format=FMT   Output format. One of: 'json', or 'text'
                     ('text', by default)
  --pretty           By default, JSON in output is printed as
                     compactly as possible. This option causes JSON
                     in output to be printed in a more readable
                     fashion.
  -h, --help         Print this helpful information
  -V, --version      Display %s version information
%s
Exit status:
  0                  the command was done
  1                  an error on the way to the target
  2                  the target answered with an error
`

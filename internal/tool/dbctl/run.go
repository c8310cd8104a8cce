package dbctl

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"weir/internal/cli"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
	"weir/internal/tool/table"
	"weir/internal/vlog"
)

var idlLog = vlog.For("ovsdb_idl")

// Runner is one run of a tool: its options and what it does after a commit.
type Runner struct {
	Prog    *Program
	Env     *cli.Env
	Log     *vlog.Module // the tool's own
	DB      string       // --db
	Style   table.Style
	DryRun  bool
	Oneline bool
	Retry   bool
	NoWait  bool // --no-wait
	Follow  bool // --no-leader-only
	InOrder bool // --no-shuffle-remotes
	Basic   bool // without the options that only ovs-vsctl has
	Timeout uint
	Help    func() // prints --help
	// Committed, if not nil, is called after a commit, before the output is
	// printed, when the tool is to wait for its effects.
	Committed func(ctx context.Context, c *client.Client, result *client.Result) error

	tls     stream.TLS
	tlsUsed bool
}

// Options returns the options that the tools share.
func (r *Runner) Options() []cli.Option {
	set := func(b *bool, v bool) func(string) error {
		return func(string) error { *b = v; return nil }
	}
	all := []cli.Option{
		{Long: "db", Arg: cli.RequiredArg, Set: func(v string) error { r.DB = v; return nil }},
		{Long: "no-syslog", Set: func(string) error { return vlog.Set(r.Prog.module() + ":syslog:warn") }},
		{Long: "no-wait", Set: set(&r.NoWait, true)},
		{Long: "dry-run", Set: set(&r.DryRun, true)},
		{Long: "oneline", Set: set(&r.Oneline, true)},
		{Long: "timeout", Short: 't', Arg: cli.RequiredArg, Set: func(v string) (err error) {
			r.Timeout, err = cli.ParseTimeout("-t or --timeout", v)
			return err
		}},
		{Long: "retry", Set: set(&r.Retry, true)},
		cli.Help(func(*cli.Env) { r.Help() }),
		{Long: "commands", Answer: func(env *cli.Env, _ *cli.Parser) { r.Prog.PrintCommands(env) }},
		cli.List("options", 0),
		{Long: "leader-only", Set: set(&r.Follow, false)},
		{Long: "no-leader-only", Set: set(&r.Follow, true)},
		{Long: "shuffle-remotes", Set: set(&r.InOrder, false)},
		{Long: "no-shuffle-remotes", Set: set(&r.InOrder, true)},
		cli.Version("DB Schema " + r.Prog.Schema.Version),
	}
	if r.Basic {
		all = slices.DeleteFunc(all, func(o cli.Option) bool {
			return !slices.Contains([]string{"db", "no-syslog", "dry-run", "oneline", "timeout", "help", "version"}, o.Long)
		})
	}
	return all
}

// module is the log module of the tool.
func (p *Program) module() string {
	if p.Schema.Name == "hardware_vtep" {
		return "vtep_ctl"
	}
	return "vsctl"
}

// DefaultDB is where the database server listens by default.
func DefaultDB() string { return "unix:" + paths.InRunDir("db.sock") }

// Main parses the command line and runs the commands.
func (r *Runner) Main(ctx context.Context) int {
	vlog.SetProgram(r.Env.Name)
	_ = vlog.Set("console:warn")
	r.DB = DefaultDB()
	r.Style.Format, r.Style.Data = table.FormatList, table.DataString
	options := append(r.Options(), cli.LogOptions()...)
	options = append(options, table.Options(&r.Style)...)
	options = append(options, tlsopt.Options(&r.tls.TLSFiles, &r.tlsUsed)...)
	all := append(options, r.Prog.localOptions(options)...)
	p := &cli.Parser{InOrder: true, ListPlain: true, Options: all}
	return p.Start(r.Env, func(parsed []cli.Parsed, words []string) int { return r.start(ctx, parsed, words) })
}

// start runs the commands in words.
func (r *Runner) start(ctx context.Context, parsed []cli.Parsed, words []string) int {
	r.Env.AlarmOr(r.Timeout)
	var local []cli.Parsed
	for _, o := range parsed {
		if o.Hidden {
			local = append(local, o)
		}
	}
	if err := r.run(ctx, words, local); err != nil {
		return r.Env.Exit(err)
	}
	return 0
}

func (r *Runner) run(ctx context.Context, words []string, local []cli.Parsed) error {
	commands, err := r.Prog.ParseCommands(words, local)
	if err != nil {
		return err
	}
	line := escapeArgs(append([]string{r.Env.Name}, r.Env.Args...))
	level := r.Log.Dbg
	for _, c := range commands {
		if !c.ReadOnly {
			level = r.Log.Info
		}
	}
	level("Called as %s", line)
	// Most commands end before a collection would be worth its while.
	debug.SetGCPercent(800)
	if err = r.attempt(ctx, commands, line, false); errors.Is(err, ErrWhole) {
		err = r.attempt(ctx, commands, line, true)
	}
	return err
}

// attempt runs the commands on a replica of what they need, of whole tables if
// whole is set.
func (r *Runner) attempt(ctx context.Context, commands []*Command, line string, whole bool) error {
	needs := newNeeds(r.Prog, whole)
	if r.Prog.Prerequisites != nil {
		r.Prog.Prerequisites(needs)
	}
	for _, c := range commands {
		if c.Needs != nil {
			if err := c.Needs(needs, c); err != nil {
				return err
			}
		}
	}
	opt := stream.Options{RunDir: paths.RunDir()}
	if r.tlsUsed {
		opt.TLS = &r.tls
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tables, where := needs.config()
	cl := client.New(client.Config{
		Remote: r.DB, Database: r.Prog.Schema.Name, Tables: tables, Where: where, LeaderOnly: !r.Follow, Once: !r.Retry,
		Known: r.Prog.Schema, Shuffle: !r.InOrder, Quiet: true, Stream: opt,
	})
	failed := make(chan error, 1)
	go func() { failed <- cl.Run(ctx) }()
	return r.loop(ctx, cl, commands, line)
}

// loop runs the commands as one transaction on newer and newer snapshots until
// it is committed.
func (r *Runner) loop(ctx context.Context, cl *client.Client, commands []*Command, line string) error {
	seen := -1
	overtaken := 0
	for {
		snap, err := cl.WaitFor(ctx, func(s *client.Snapshot) bool { return int(s.Seq()) != seen })
		if err != nil {
			return fmt.Errorf("%s: database connection failed (%s)", r.DB, stream.ErrText(err))
		}
		seen = int(snap.Seq())
		txn := client.NewTxn(snap)
		contexts, again, err := r.execute(txn, commands)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		txn.Comment(r.Env.Name + ": " + line)
		if r.DryRun {
			return r.finish(contexts, &client.Result{Unchanged: true})
		}
		result, err := cl.Commit(ctx, txn)
		if errors.Is(err, client.ErrTryAgain) {
			continue
		}
		if raced(err) && int(cl.Snapshot().Seq()) != seen && overtaken < maxRaces {
			overtaken++
			continue
		}
		if err != nil {
			return commitError(err)
		}
		if err := r.finish(contexts, result); err != nil || r.Committed == nil || r.NoWait {
			return err
		}
		return r.Committed(ctx, cl, result)
	}
}

// finish tells the commands what came of the transaction, and prints what they say.
func (r *Runner) finish(contexts []*Context, result *client.Result) error {
	for _, c := range contexts {
		c.Result = result
		if c.Post != nil {
			if err := c.Post(c); err != nil {
				return err
			}
		}
	}
	r.print(contexts)
	return nil
}

// maxRaces is how often a transaction is built anew because another client's
// got in its way.
const maxRaces = 5

// raced reports whether a transaction may have failed only because another
// client changed the database meanwhile, as when both add a bridge of one name.
// Sets are sent as changes rather than guarded as a whole, so that it is the
// server's constraints that tell.
func raced(err error) bool {
	var e *ovsdb.Error
	return errors.As(err, &e) && (e.Tag == ovsdb.TagConstraint || e.Tag == ovsdb.TagReferentialIntegrity)
}

func commitError(err error) error {
	var e *ovsdb.Error
	if errors.As(err, &e) {
		text := string(e.AppendJSON(nil))
		idlLog.Warn("transaction error: %s", text)
		return fmt.Errorf("transaction error: %s", text)
	}
	return fmt.Errorf("transaction error: %w", err)
}

// execute runs the commands on txn.
func (r *Runner) execute(txn *client.Txn, commands []*Command) (contexts []*Context, again bool, err error) {
	symbols := &Symbols{}
	var data any
	for i, cmd := range commands {
		c := &Context{Command: cmd, Prog: r.Prog, Txn: txn, Wait: !r.NoWait, Last: i == len(commands)-1, Symbols: symbols, Data: &data,
			JSON: r.Style.Format == table.FormatJSON}
		if i == 0 && r.Prog.Begin != nil {
			if err := r.Prog.Begin(c); err != nil {
				return nil, false, err
			}
		}
		if err := c.Run(c); err != nil {
			return nil, false, err
		}
		if stale, ok := data.(interface{ Stale() }); ok && cmd.writesAny {
			stale.Stale()
		}
		if c.TryAgain {
			return nil, true, nil
		}
		contexts = append(contexts, c)
		if i == len(commands)-1 && r.Prog.End != nil {
			if err := r.Prog.End(c); err != nil {
				return nil, false, err
			}
		}
	}
	return contexts, false, symbols.check(r.Prog.Schema, r.Log)
}

// print prints the output of the commands.
func (r *Runner) print(contexts []*Context) {
	for _, c := range contexts {
		text := c.Out.String()
		if c.Table != nil {
			text = string(r.Style.Append(nil, c.Table))
		} else if c.Document != nil {
			text = cli.JSONText(string(c.Document), r.Style.Pretty)
		} else if r.Oneline {
			text = strings.TrimSuffix(text, "\n")
			text = strings.NewReplacer("\\", "\\\\", "\n", "\\n").Replace(text) + "\n"
		}
		fmt.Fprint(r.Env.Stdout, text)
	}
}

// escapeArgs joins words to a command line, quoted where a shell would need it.
func escapeArgs(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if w != "" && !strings.ContainsAny(w, " \t\n\\\"'$`&;|<>(){}[]*?~#!") {
			out[i] = w
			continue
		}
		out[i] = "\"" + strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "$", "\\$", "`", "\\`").Replace(w) + "\""
	}
	return strings.Join(out, " ")
}

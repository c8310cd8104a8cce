// Package daemon makes a program a daemon: --detach, --no-chdir, --pidfile,
// --overwrite-pidfile, --monitor and --user (ovs-vswitchd(8), Daemon Options).
//
// A Go program can't fork, so the process that detaches, or monitors, executes
// the program anew and tells it by an environment variable which part it plays:
//
//	invoked --detach--> monitor (with --monitor) --> worker
//
// A pipe on descriptor 3 tells the parent that the child is ready; end of file on
// it that the child has failed, and then the child's exit status is the parent's.
package daemon

import (
	"fmt"

	"weir/internal/cli"
	"weir/internal/paths"
	"weir/internal/vlog"
)

var log = vlog.For("daemon_unix")

// Options are the daemon options of a command line. The exported fields that are
// no options are the program's to set before Start.
type Options struct {
	Detach           bool
	Monitor          bool
	NoChdir          bool
	Pidfile          bool
	PidfileName      string // empty: the default
	OverwritePidfile bool
	User             string // user, user:group or :group

	// KeepStdout and KeepStderr leave the stream open when detached, for programs
	// that go on printing.
	KeepStdout, KeepStderr bool
	// Network asks for the capabilities of a daemon that drives a data path, to be
	// kept with --user.
	Network bool

	logging []logOption // to be applied by the worker
}

// logOption is a logging option as met.
type logOption struct {
	name, value string
	apply       func(string) error
}

// CLI returns the daemon options and the logging options. The latter take effect
// in Start, in the process that does the work, so that a log is opened once.
func (o *Options) CLI() []cli.Option {
	flag := func(p *bool) func(string) error {
		return func(string) error { *p = true; return nil }
	}
	options := []cli.Option{
		{Long: "detach", Set: flag(&o.Detach)},
		{Long: "no-chdir", Set: flag(&o.NoChdir)},
		{Long: "pidfile", Arg: cli.OptionalArg, Set: func(v string) error {
			o.Pidfile, o.PidfileName = true, v
			return nil
		}},
		{Long: "overwrite-pidfile", Set: flag(&o.OverwritePidfile)},
		{Long: "monitor", Set: flag(&o.Monitor)},
		{Long: "no-self-confinement", Set: func(string) error { return nil }}, // we never confine
		{Long: "user", Arg: cli.RequiredArg, Set: func(v string) error { o.User = v; return nil }},
	}
	for _, opt := range cli.LogOptions() {
		apply := opt.Set
		opt.Set = func(v string) error {
			o.logging = append(o.logging, logOption{opt.Long, v, apply})
			return nil
		}
		options = append(options, opt)
	}
	return options
}

// pidfilePath returns the pidfile's name for the program, or an empty string
// where none was asked for.
func (o *Options) pidfilePath(program string) string {
	switch {
	case !o.Pidfile:
		return ""
	case o.PidfileName == "":
		return paths.InRunDir(program + ".pid")
	default:
		return paths.InRunDir(o.PidfileName)
	}
}

// Usage returns the part of --help on the daemon options.
func Usage(program string) string {
	return fmt.Sprintf(`
Daemon options:
  --detach                run in background as daemon
  --monitor               creates a process to monitor this daemon
  --user=username[:group]  changes the effective daemon user:group
  --no-chdir              do not chdir to '/'
  --no-self-confinement   use sockets outside the run directory, too
  --pidfile[=FILE]        create pidfile (default: %s)
  --overwrite-pidfile     with --pidfile, start even if already running
`, paths.InRunDir(program+".pid"))
}

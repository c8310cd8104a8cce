// Package vswitchd is ovs-vswitchd: it reads the command line, becomes a
// daemon, and runs the switch of package internal/vswitchd until told to exit
// (ovs-vswitchd(8)).
package vswitchd

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/cli"
	"weir/internal/clock"
	"weir/internal/coverage"
	"weir/internal/daemon"
	"weir/internal/loop"
	"weir/internal/memory"
	"weir/internal/numa"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
	"weir/internal/unixctl"
	"weir/internal/version"
	"weir/internal/vlog"
	"weir/internal/vswitchd"
)

// settings are the options given.
type settings struct {
	daemon  daemon.Options
	unixctl string
	mlock   bool
	tls     stream.TLSFiles
	types   vswitchd.Providers
}

// Main runs ovs-vswitchd.
func Main(_ context.Context, env *cli.Env) int {
	s := &settings{daemon: daemon.Options{Network: true}}
	return s.parser().Start(env, func(_ []cli.Parsed, words []string) int { return s.start(env, words) })
}

// start becomes a daemon, if asked to, and runs the switch.
func (s *settings) start(env *cli.Env, words []string) int {
	database := "unix:" + paths.InRunDir("db.sock")
	switch len(words) {
	case 0:
	case 1:
		database = words[0]
	default:
		return env.Fatal("at most one non-option argument accepted; use --help for usage")
	}
	process, status := s.daemon.Start(env)
	if process == nil {
		return status
	}
	defer process.Close()
	if err := s.run(env, process, database); err != nil {
		return env.Exit(err)
	}
	return 0
}

func (s *settings) parser() *cli.Parser {
	set := func(p *string) func(string) error {
		return func(v string) error { *p = v; return nil }
	}
	flag := func(p *bool) func(string) error {
		return func(string) error { *p = true; return nil }
	}
	nothing := func(string) error { return nil }
	options := []cli.Option{
		cli.Help(s.usage),
		cli.Version(),
		cli.List("option", 'o'),
		{Long: "mlockall", Set: flag(&s.mlock)},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: set(&s.unixctl)},
		{Long: "enable-dummy", Arg: cli.OptionalArg, Set: s.enableDummy},
		{Long: "disable-system", Set: flag(&s.types.NoSystem)},
		{Long: "disable-system-route", Set: flag(&s.types.NoRoutes)},
		{Long: "dummy-numa", Arg: cli.RequiredArg, Set: s.dummyNUMA},
		{Long: "hw-rawio-access", Set: nothing}, // a capability for DPDK's drivers
		{Long: "dpdk", Arg: cli.OptionalArg, Set: func(string) error {
			return fmt.Errorf("Using --dpdk to configure DPDK is not supported.") //nolint:staticcheck // the peer's text
		}},
	}
	options = append(options, tlsopt.Options(&s.tls, nil)...)
	return &cli.Parser{Options: append(options, s.daemon.CLI()...)}
}

// dummyNUMA makes up cores and their memory nodes (--dummy-numa).
func (s *settings) dummyNUMA(v string) (err error) {
	s.types.Topology, err = numa.ParseDummy(v)
	return err
}

// enableDummy sets up the dummy data path and devices (--enable-dummy).
func (s *settings) enableDummy(v string) error {
	switch v {
	case "override":
		s.types.Dummy = vswitchd.DummyOverride
	case "system":
		s.types.Dummy = vswitchd.DummySystem
	default:
		s.types.Dummy = vswitchd.DummyEnabled
	}
	return nil
}

// lockMemory keeps the process's memory from being paged out (--mlockall).
func (s *settings) lockMemory() {
	if !s.mlock {
		return
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil {
		vlog.For("vswitchd").Err("mlockall failed: %s", vlog.ErrText(err))
	}
}

// runLoop runs a loop until the returned function is called.
func runLoop(l *loop.Loop) (stop func()) {
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { l.Run(ctx); close(ended) }()
	return func() { cancel(); <-ended }
}

// run runs the switch until the process is to end.
func (s *settings) run(env *cli.Env, p *daemon.Process, database string) error {
	s.lockMemory()
	control, err := p.Control(env.Name, s.unixctl)
	if err != nil {
		return err
	}
	c := clock.New()
	vlog.SetNow(c.Now)
	l := loop.New(c)
	defer runLoop(l)()
	tls := new(stream.TLS)
	tls.Set(s.tls)
	sw := vswitchd.Compose(s.types, vswitchd.Options{
		Database: database, Clock: c, Loop: l, RunDir: paths.RunDir(),
		Stream: stream.Options{RunDir: paths.RunDir(), TLS: tls},
		Ready: func() {
			p.Ready() // first, since nothing but the connection may show on a terminal until then
			vlog.For("bridge").Info("%s", version.Line(env.Name))
		},
	})
	p.AtExit(sw.Unlisten)
	var cleanup atomic.Bool
	sw.Register(control)
	control.RegisterTime(c)
	control.Register("exit", "[--cleanup]", 0, 1, func(r *unixctl.Request) (string, error) {
		cleanup.Store(len(r.Args) == 1 && r.Args[0] == "--cleanup")
		p.Stop()
		return "", nil
	})
	go control.Serve()
	ticker := c.Every(coverage.Interval, coverage.Tick)
	defer ticker.Stop()
	if !p.IsGuest() {
		keeper := memory.Keep(c, memory.Switch)
		defer keeper.Stop()
	}
	err = sw.Run(p.Context())
	control.Close() // commands under way end on a whole switch, and none begins on a closed one
	// A switch that somebody else's process runs is not to be taken over.
	sw.Close(cleanup.Load() || p.IsGuest())
	return err
}

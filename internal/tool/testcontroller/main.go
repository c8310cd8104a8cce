// Package testcontroller is ovs-testcontroller: a controller that makes OpenFlow
// switches learn MAC addresses, for tests of networks and of switches
// (ovs-testcontroller(8)).
package testcontroller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/openflow"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/tlsopt"
	"weir/internal/vlog"
)

// settings are the options given.
type settings struct {
	policy
	mute     bool // answer nothing
	versions openflow.VersionSet
	flows    []*openflow.FlowMod // --with-flows
	usable   openflow.Protocol   // that can say the flows

	daemon   daemon.Options
	unixctl  string
	tlsFiles stream.TLSFiles
}

// defaultIdle is the idle timeout of flows in seconds.
const defaultIdle = 60

// defaultWildcards is what -w without an argument wildcards: all but the
// Ethernet header.
const defaultWildcards = 0x2820f0

// Main runs ovs-testcontroller.
func Main(_ context.Context, env *cli.Env) int {
	s := &settings{
		policy:   policy{maxIdle: defaultIdle, queue: noQueue, portQueues: map[string]uint32{}},
		versions: openflow.AllVersions, usable: openflow.PAny,
	}
	p := &cli.Parser{Options: s.options()}
	return p.Start(env, func(_ []cli.Parsed, methods []string) int { return s.start(env, methods) })
}

// start becomes a daemon, if asked to, and serves the switches at methods.
func (s *settings) start(env *cli.Env, methods []string) int {
	if len(methods) == 0 {
		return env.Fatal("need at least one vconn argument; use --help for usage")
	}
	process, status := s.daemon.Start(env)
	if process == nil {
		return status
	}
	defer process.Close()
	if err := s.run(env, process, methods); err != nil {
		return env.Exit(err)
	}
	return 0
}

func (s *settings) options() []cli.Option {
	flag := func(p *bool) func(string) error {
		return func(string) error { *p = true; return nil }
	}
	o := []cli.Option{
		{Long: "hub", Short: 'H', Set: flag(&s.hub)},
		{Long: "noflow", Short: 'n', Set: flag(&s.noFlow)},
		{Long: "normal", Short: 'N', Set: flag(&s.normal)},
		{Long: "wildcards", Short: 'w', Arg: cli.OptionalArg, Set: s.setWildcards},
		{Long: "max-idle", Arg: cli.RequiredArg, Set: s.setMaxIdle},
		{Long: "mute", Set: flag(&s.mute)},
		{Long: "queue", Short: 'q', Arg: cli.RequiredArg, Set: s.setQueue},
		{Long: "port-queue", Short: 'Q', Arg: cli.RequiredArg, Set: s.addPortQueue},
		{Long: "with-flows", Arg: cli.RequiredArg, Set: s.addFlows},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: func(v string) error { s.unixctl = v; return nil }},
		{Long: "protocols", Short: 'O', Arg: cli.RequiredArg, Set: s.setVersions},
		cli.Help(func(env *cli.Env) { fmt.Fprint(env.Stdout, usage(env.Name)) }),
		cli.List("option", 'o'),
		cli.Version("OpenFlow versions 0x1:0x6"),
	}
	o = append(o, tlsopt.Options(&s.tlsFiles, nil)...)
	return append(o, s.daemon.CLI()...)
}

func (s *settings) setWildcards(v string) error {
	s.wildcards = defaultWildcards
	if v == "" {
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(v, "0x"), 16, 32)
	if err != nil {
		return fmt.Errorf("%s: not a bit-mask in hexadecimal (-w)", v)
	}
	s.wildcards = uint32(n)
	return nil
}

func (s *settings) setMaxIdle(v string) error {
	if v == "permanent" {
		s.maxIdle = 0
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n < 1 {
		return errors.New("--max-idle argument must be between 1 and 65535 or the word 'permanent'")
	}
	s.maxIdle = uint16(n)
	return nil
}

func (s *settings) setQueue(v string) error {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return fmt.Errorf("%s: not a queue (-q)", v)
	}
	s.queue = int64(n)
	return nil
}

func (s *settings) addPortQueue(v string) error {
	port, queue, ok := strings.Cut(v, ":")
	n, err := strconv.ParseUint(queue, 10, 32)
	switch {
	case !ok || port == "" || err != nil:
		return fmt.Errorf("argument to -Q or --port-queue should take the form \"<port-name>:<queue-id>\", not \"%s\"", v)
	case s.hasPortQueue(port):
		return fmt.Errorf("<port-name> arguments for -Q or --port-queue must be unique: %s", port)
	}
	s.portQueues[port] = uint32(n)
	return nil
}

func (s *settings) hasPortQueue(port string) bool { _, ok := s.portQueues[port]; return ok }

// addFlows reads the flows of a file.
func (s *settings) addFlows(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(b), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		fm, usable, err := openflow.ParseFlowMod(line, int(openflow.FlowAdd)-1, openflow.ParseOptions{})
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		s.flows, s.usable = append(s.flows, fm), s.usable&usable
	}
	return nil
}

func (s *settings) setVersions(v string) (err error) {
	s.versions, err = openflow.ParseVersions(v)
	return err
}

// run serves switches until the process is told to stop.
func (s *settings) run(env *cli.Env, p *daemon.Process, methods []string) error {
	tls := new(stream.TLS)
	tls.Set(s.tlsFiles)
	opt := stream.Options{DefaultPort: stream.OpenFlowPort, RunDir: paths.RunDir(), TLS: tls}
	listeners, active, err := listen(p, methods, opt)
	if err != nil {
		return err
	}
	control, err := p.Control(env.Name, s.unixctl)
	if err != nil {
		return err
	}
	go control.Serve()
	p.Ready()
	var all sync.WaitGroup
	for _, ln := range listeners {
		all.Go(func() { s.accept(p.Context(), ln) })
	}
	for _, m := range active {
		all.Go(func() { s.connect(p.Context(), m, opt) })
	}
	all.Wait()
	return nil
}

// listen listens at those of the methods that are passive, until the process ends,
// and returns the others beside the listeners.
func listen(p *daemon.Process, methods []string, opt stream.Options) (listeners []*stream.Listener, active []string, err error) {
	for _, m := range methods {
		t, err := stream.Parse(m, opt.DefaultPort, opt.RunDir)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", m, err)
		}
		if !t.Passive {
			active = append(active, m)
			continue
		}
		ln, err := stream.Listen(m, opt)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: listen failed (%s)", m, stream.ErrText(err))
		}
		p.AtExit(func() { _ = ln.Close() }) // takes the socket's file away
		listeners = append(listeners, ln)
	}
	return listeners, active, nil
}

// acceptPause is how long no switch is accepted after that failed.
const acceptPause = 100 * time.Millisecond

var acceptRL vlog.RateLimit

// accept serves the switches that connect to a listener.
func (s *settings) accept(ctx context.Context, ln *stream.Listener) {
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	for {
		c, err := ln.Accept()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.WarnRL(&acceptRL, "accept failed: %s", stream.ErrText(err))
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(acceptPause) // a shortage of descriptors passes, and keys are mended
			continue
		}
		go s.serve(ctx, c)
	}
}

// connect keeps a connection to a switch, with longer and longer waits between
// the attempts that fail.
func (s *settings) connect(ctx context.Context, method string, opt stream.Options) {
	rconn := vlog.For("rconn")
	for wait := stream.MinBackoff; ; wait = min(2*wait, stream.MaxBackoff) {
		rconn.Info("%s: connecting...", method)
		c, err := stream.Dial(ctx, method, opt)
		if err == nil {
			rconn.Info("%s: connected", method)
			s.serve(ctx, c)
			wait = stream.MinBackoff
		} else if ctx.Err() == nil {
			rconn.Warn("%s: connection failed (%s)", method, stream.ErrText(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (s *settings) serve(ctx context.Context, c *stream.Conn) {
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	x := &session{c: c, in: openflow.NewReader(c), s: s}
	err := x.run()
	switch {
	case ctx.Err() != nil:
	case err == nil || errors.Is(err, io.EOF):
		log.Info("%s: connection closed by peer", c.Name)
	default:
		log.Warn("%s: connection dropped (%s)", c.Name, stream.ErrText(err))
	}
}

func usage(name string) string {
	return fmt.Sprintf(`%s: OpenFlow controller
usage: %s [OPTIONS] METHOD
where METHOD is any OpenFlow connection method.

Active OpenFlow connection methods:
  tcp:HOST[:PORT]         PORT (default: 6653) at remote HOST
  ssl:HOST[:PORT]         SSL PORT (default: 6653) at remote HOST
  unix:FILE               Unix domain socket named FILE
Passive OpenFlow connection methods:
  ptcp:[PORT][:IP]        listen to TCP PORT (default: 6653) on IP
  pssl:[PORT][:IP]        listen for SSL on PORT (default: 6653) on IP
  punix:FILE              listen on Unix domain socket FILE
`, name, name) + tlsopt.Usage + daemon.Usage(name) + `
OpenFlow version options:
  -O, --protocols         set allowed OpenFlow versions
                          (default: OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15)
` + cli.LogUsage(name) + `
Other options:
  -H, --hub               act as hub instead of learning switch
  -n, --noflow            pass traffic, but don't add flows
  --max-idle=SECS         max idle time for new flows
  -N, --normal            use OFPP_NORMAL action
  -w, --wildcards[=MASK]  wildcard (specified) bits in flows
  -q, --queue=QUEUE-ID    OpenFlow queue ID to use for output
  -Q, --port-queue=PORT-NAME:QUEUE-ID
                          use QUEUE-ID for frames from PORT-NAME
  --mute                  answer no message of a switch
  --with-flows FILE       use the flows from FILE
  --unixctl=SOCKET        override default control socket name
  -h, --help              display this help message
  -V, --version           display version information
`
}

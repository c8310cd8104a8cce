// Package ofctl is ovs-ofctl: it administers OpenFlow switches, and prints and
// parses OpenFlow messages and flows (ovs-ofctl(8)).
package ofctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/stream"
	"weir/internal/vlog"
)

// tool is one run of the program. Its goroutine owns it.
type tool struct {
	env *cli.Env
	ctx context.Context
	out io.Writer
	xid uint32 // of the last message sent

	versions openflow.VersionSet
	// versionsGiven: by -O.
	versionsGiven bool
	allowed       openflow.Protocol // by -F
	timeout       uint
	verbosity     int // by -m
	timestamp     bool
	strict        bool
	readd         bool
	bundle        bool
	mayCreate     bool
	readOnly      bool
	noStats       bool
	names         int         // -1: when standard output is a terminal
	json          *jsonOutput // nil: text
	pretty        bool
	colors        palette // nil: no colours
	colorAuto     bool    // colours if standard output is a terminal
	packetOutput  packetOutput
	// packetIn is the format that -P asks for, -1 for the default.
	packetIn int
	sort     []criterion
	unixctl  string
	daemon   daemon.Options
	tls      *stream.TLS
	tlsFiles stream.TLSFiles

	limits map[string]*vlog.RateLimit
}

// command is a subcommand: its arguments beyond its name, max -1 for any number.
type command struct {
	name string
	args string // as list-commands shows them
	// The help text: the section of it, empty for commands that it leaves out,
	// the synopsis where it isn't name and arguments, and what the command does.
	section  string
	synopsis string
	does     string
	min, max int
	run      func(*tool, []string) error
	// writes: it changes the switch, so --read-only refuses it.
	writes bool
}

// Main runs ovs-ofctl.
func Main(ctx context.Context, env *cli.Env) int {
	// What a run reads stays until it ends; collecting it again and again is waste.
	debug.SetGCPercent(400)
	vlog.SetProgram(env.Name)
	flow.SetVLANLimit(flow.MaxVLANs) // packets are shown with all their tags
	t := &tool{
		env: env, ctx: ctx, out: env.Stdout, versions: openflow.Versions(openflow.V10), allowed: openflow.PAny,
		names: -1, packetIn: -1, tls: new(stream.TLS), limits: map[string]*vlog.RateLimit{},
	}
	t.daemon.KeepStderr = true
	p := &cli.Parser{Options: t.options(), InOrder: false}
	return p.Start(env, func(_ []cli.Parsed, words []string) int {
		if err := t.finishOptions(); err != nil {
			return env.Exit(err)
		}
		return t.dispatch(words)
	})
}

// finishOptions settles what the options mean together.
func (t *tool) finishOptions() error {
	t.tls.Set(t.tlsFiles)
	switch {
	case t.json != nil:
		t.json.pretty = t.pretty
	case t.pretty:
		return fmt.Errorf("--pretty is supported with --format json only")
	}
	bundles := openflow.Versions(openflow.V13, openflow.V14, openflow.V15)
	if t.bundle && (!t.versionsGiven || t.versions&bundles == 0) {
		t.versions = openflow.Versions(openflow.V14)
	}
	var protocols openflow.Protocol
	for v := openflow.V10; v <= openflow.V15; v++ {
		if t.versions.Has(v) {
			protocols |= v.Protocols()
		}
	}
	if t.allowed&protocols == 0 {
		return fmt.Errorf("None of the enabled OpenFlow versions (%s) supports any of the enabled flow formats (%s).  (Use -O to enable additional OpenFlow versions or -F to enable additional flow formats.)",
			versionNames(t.versions), openflow.ProtocolsText(t.allowed))
	}
	t.allowed &= protocols
	for v := openflow.V10; v <= openflow.V15; v++ {
		if t.allowed&v.Protocols() == 0 {
			t.versions &^= 1 << v
		}
	}
	return nil
}

func versionNames(s openflow.VersionSet) string {
	var out []string
	for v := openflow.V10; v <= openflow.V15; v++ {
		if s.Has(v) {
			out = append(out, v.String())
		}
	}
	return strings.Join(out, ", ")
}

// exitStatus is an error whose text has been printed.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func (t *tool) dispatch(words []string) int {
	if len(words) == 0 {
		return t.env.Fatal("missing command name; use --help for help")
	}
	var cmd *command
	for i := range commands() {
		if c := &commands()[i]; c.name == words[0] {
			cmd = c
		}
	}
	args := words[1:]
	switch {
	case cmd == nil:
		return t.env.Fatal("unknown command '%s'; use --help for help", words[0])
	case len(args) < cmd.min:
		return t.env.Fatal("'%s' command requires at least %d arguments", cmd.name, cmd.min)
	case cmd.max >= 0 && len(args) > cmd.max:
		return t.env.Fatal("'%s' command takes at most %d arguments", cmd.name, cmd.max)
	case cmd.writes && t.readOnly:
		return t.env.Fatal("'%s' command does not work in read only mode", cmd.name)
	}
	// Commands that may become daemons start logging in the process that works.
	if cmd.name != "monitor" && cmd.name != "snoop" {
		if status := t.startLogging(); status >= 0 {
			return status
		}
	}
	t.env.AlarmOr(t.timeout)
	err := cmd.run(t, args)
	if err == nil && t.json != nil {
		err = t.json.flush(t)
	}
	return t.status(err)
}

// startLogging applies the logging options; -1 when all is well.
func (t *tool) startLogging() int {
	d := t.daemon
	d.Detach, d.Pidfile, d.Monitor = false, false, false
	p, status := d.Start(t.env)
	if p == nil {
		return status
	}
	return -1
}

func (t *tool) status(err error) int {
	var e exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return int(e)
	}
	var port *flow.PortError
	if errors.As(err, &port) && port.Range() != "" {
		t.log("ofp_port", "", true, port.Range())
	}
	return t.env.Exit(err)
}

func (t *tool) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// log passes what decoding and parsing log on to vlog, limited like the C
// program's: messages of one place share a limit.
func (t *tool) log(module, site string, warn bool, text string) {
	key := module + "/" + site
	if site == "" {
		key = module + "/" + text
	}
	rl := t.limits[key]
	if rl == nil {
		rl = new(vlog.RateLimit)
		if site == "normalize" {
			rl.Burst = 15 // five changes of three lines
		}
		t.limits[key] = rl
	}
	if warn {
		vlog.For(module).WarnRL(rl, "%s", text)
	} else {
		vlog.For(module).InfoRL(rl, "%s", text)
	}
}

func (t *tool) parseOptions(names *openflow.Names) openflow.ParseOptions {
	return openflow.ParseOptions{Names: names, Log: t.log}
}

func (t *tool) decodeOptions() openflow.DecodeOptions {
	return openflow.DecodeOptions{TableID: true, Log: t.log}
}

// packetOutput is how compose-packet prints packets.
type packetOutput uint8

const (
	outputHex packetOutput = iota
	outputPcap
	outputRaw
)

// showNames reports whether to print ports by name.
func (t *tool) showNames() bool {
	if t.names >= 0 {
		return t.names == 1
	}
	return t.terminal()
}

// terminal reports whether standard output is one.
func (t *tool) terminal() bool {
	f, ok := t.out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// stamp is the time that --timestamp puts before messages.
func stamp() string { return time.Now().UTC().Format(stampLayout) }

const stampLayout = "2006-01-02 15:04:05.000: "

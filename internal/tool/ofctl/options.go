package ofctl

import (
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/openflow"
	"weir/internal/tlsopt"
)

func (t *tool) options() []cli.Option {
	flag := func(p *bool) func(string) error {
		return func(string) error { *p = true; return nil }
	}
	act := func(c byte) func(string) error {
		return func(string) error {
			if t.action == 0 {
				t.action = c
			}
			return nil
		}
	}
	o := []cli.Option{
		{Long: "timeout", Short: 't', Arg: cli.RequiredArg, Set: func(v string) (err error) {
			t.timeout, err = cli.ParseTimeout("-t or --timeout", v)
			return err
		}},
		{Long: "strict", Set: flag(&t.strict)},
		{Long: "readd", Set: flag(&t.readd)},
		{Long: "flow-format", Short: 'F', Arg: cli.RequiredArg, Set: t.setFlowFormat},
		{Long: "packet-in-format", Short: 'P', Arg: cli.RequiredArg, Set: t.setPacketIn},
		{Long: "more", Short: 'm', Set: func(string) error { t.verbosity++; return nil }},
		{Long: "timestamp", Set: flag(&t.timestamp)},
		{Long: "sort", Arg: cli.OptionalArg, Set: func(v string) error { return t.addCriterion(v, false) }},
		{Long: "rsort", Arg: cli.OptionalArg, Set: func(v string) error { return t.addCriterion(v, true) }},
		{Long: "names", Set: func(string) error { t.names = 1; return nil }},
		{Long: "no-names", Set: func(string) error { t.names = 0; return nil }},
		{Long: "stats", Set: func(string) error { t.noStats = false; return nil }},
		{Long: "no-stats", Set: flag(&t.noStats)},
		{Long: "bundle", Set: flag(&t.bundle)},
		{Long: "color", Arg: cli.OptionalArg, Set: setColor},
		{Long: "may-create", Set: flag(&t.mayCreate)},
		{Long: "read-only", Set: flag(&t.readOnly)},
		{Long: "protocols", Short: 'O', Arg: cli.RequiredArg, Set: t.setVersions},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: func(v string) error { t.unixctl = v; return nil }},
		{Long: "help", Short: 'h', Set: act('h')},
		{Long: "option", Short: 'o', Set: act('o')},
		{Long: "version", Short: 'V', Set: act('V')},
	}
	o = append(o, tlsopt.Options(&t.tlsFiles, nil)...)
	return append(o, t.daemon.CLI()...)
}

func setColor(v string) error {
	switch v {
	case "", "always", "yes", "force", "never", "no", "none", "auto", "tty", "if-tty":
		return nil // never coloured
	}
	return fmt.Errorf("incorrect value `%s'", v)
}

func (t *tool) setFlowFormat(v string) error {
	p, err := openflow.ParseProtocols(v)
	if err != nil {
		return err
	}
	t.allowed = p
	return nil
}

func (t *tool) setPacketIn(v string) error {
	for i, n := range []string{"standard", "nxt_packet_in", "nxt_packet_in2"} {
		if v == n || v == "openflow10" && i == 0 || v == "nxm" && i == 1 {
			t.packetIn = i
			return nil
		}
	}
	return fmt.Errorf("unknown packet-in format `%s'", v)
}

func (t *tool) setVersions(v string) error {
	t.versions, t.versionsGiven = 0, true
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		ver, ok := openflow.ParseVersion(w)
		if !ok {
			return fmt.Errorf("Unknown OpenFlow version: \"%s\"", w)
		}
		t.versions |= openflow.Versions(ver)
	}
	if t.versions == 0 {
		return fmt.Errorf("No OpenFlow versions specified")
	}
	return nil
}

func usageText(name string) string {
	return fmt.Sprintf(`%s: OpenFlow switch management utility
usage: %s [OPTIONS] COMMAND [ARG...]

For OpenFlow switches:
`, name, name) + commandUsage() + `
where SWITCH or TARGET is an active OpenFlow connection method.

Other options:
  --strict                    use strict match for flow commands
  --read-only                 do not execute read/write commands
  --readd                     replace flows that haven't changed
  -F, --flow-format=FORMAT    force particular flow format
  -P, --packet-in-format=FRMT force particular packet in format
  -m, --more                  be more verbose printing OpenFlow
  --timestamp                 (monitor, snoop) print timestamps
  -t, --timeout=SECS          give up after SECS seconds
  --sort[=field]              sort in ascending order
  --rsort[=field]             sort in descending order
  --names                     show port names instead of numbers
  --no-stats                  (dump-flows) don't show statistics
  --unixctl=SOCKET            set control socket name
  -h, --help                  display this help message
  -V, --version               display version information
` + daemon.Usage("ovs-ofctl") + cli.LogUsage("ovs-ofctl")
}

func commandUsage() string {
	var b strings.Builder
	for _, c := range commands() {
		if c.usage != "hidden" {
			fmt.Fprintf(&b, "  %s %s\n", c.name, c.usage)
		}
	}
	return b.String()
}

package ofctl

import (
	"fmt"

	"weir/internal/cli"
	"weir/internal/openflow"
	"weir/internal/tlsopt"
)

func (t *tool) options() []cli.Option {
	flag := func(p *bool) func(string) error {
		return func(string) error { *p = true; return nil }
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
		{Long: "color", Arg: cli.OptionalArg, Set: t.setColor},
		{Long: "pcap", Set: func(string) error { t.packetOutput = outputPcap; return nil }},
		{Long: "raw", Set: func(string) error { t.packetOutput = outputRaw; return nil }},
		{Long: "may-create", Set: flag(&t.mayCreate)},
		{Long: "read-only", Set: flag(&t.readOnly)},
		{Long: "protocols", Short: 'O', Arg: cli.RequiredArg, Set: t.setVersions},
		{Long: "unixctl", Arg: cli.RequiredArg, Set: func(v string) error { t.unixctl = v; return nil }},
		{Long: "format", Short: 'f', Arg: cli.RequiredArg, Set: t.setFormat},
		{Long: "pretty", Set: flag(&t.pretty)},
		cli.Help(func(env *cli.Env) { fmt.Fprint(env.Stdout, usageText(env.Name)) }),
		cli.List("option", 'o'),
		cli.Version("OpenFlow versions 0x1:0x6"),
	}
	o = append(o, tlsopt.Options(&t.tlsFiles, nil)...)
	return append(o, t.daemon.CLI()...)
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

func (t *tool) setVersions(v string) (err error) {
	t.versionsGiven = true
	t.versions, err = openflow.ParseVersions(v)
	return err
}

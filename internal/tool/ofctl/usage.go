package ofctl

import (
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/daemon"
	"weir/internal/tlsopt"
)

// helpSections are the parts of the help text that list commands, in its order.
var helpSections = []struct{ section, title, after string }{
	{"switch", "Commands for OpenFlow switches:", ""},
	{"both", "Commands for OpenFlow switches and controllers:", "SWITCH or TARGET is an active OpenFlow connection method.\n"},
	{"other", "Other commands:", ""},
}

func usageText(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: OpenFlow switch management utility\nusage: %s [OPTIONS] COMMAND [ARG...]\n", name, name)
	for _, s := range helpSections {
		fmt.Fprintf(&b, "\n%s\n", s.title)
		for _, c := range commands() {
			if c.section == s.section {
				b.WriteString(c.help())
			}
		}
		b.WriteString(s.after)
	}
	b.WriteString(`
Active OpenFlow connection methods:
  tcp:HOST[:PORT]         PORT (default: 6653) at remote HOST
  ssl:HOST[:PORT]         SSL PORT (default: 6653) at remote HOST
  unix:FILE               Unix domain socket named FILE
`)
	b.WriteString(tlsopt.Usage)
	b.WriteString(daemon.Usage("ovs-ofctl"))
	b.WriteString(`OpenFlow version options:
  -O, --protocols         set allowed OpenFlow versions
                          (default: OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15)
`)
	b.WriteString(cli.LogUsage("ovs-ofctl"))
	b.WriteString(`
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
  --no-names                  show port numbers, but not names
  --stats, --no-stats         (dump-flows) show statistics or don't
  --bundle                    change flows and groups as one transaction
  --may-create                (mod-group) create a group that isn't there
  --unixctl=SOCKET            set control socket name
  --color[=always|never|auto]  control use of color in output
  -f, --format=FMT            output of dump and show commands: json or text
  --pretty                    print JSON with indentation
  -h, --help                  display this help message
  -V, --version               display version information
`)
	return b.String()
}

// help is the command's line in the help text; a synopsis that is too long for
// its column has the description on the next line.
func (c *command) help() string {
	synopsis := strings.TrimSpace(c.name + " " + strings.ToUpper(c.args))
	if c.synopsis != "" {
		synopsis = c.synopsis
	}
	if len(synopsis) > 26 {
		return fmt.Sprintf("  %s\n                              %s\n", synopsis, c.does)
	}
	return fmt.Sprintf("  %-27s %s\n", synopsis, c.does)
}

// listCommands prints the commands and their arguments as shell completion
// reads them.
func listCommands(t *tool, _ []string) error {
	fmt.Fprintln(t.out, "The available commands are:")
	for _, c := range commands() {
		fmt.Fprintf(t.out, "  %-23s %s\n", c.name, c.args)
	}
	return nil
}

func help(t *tool, _ []string) error {
	fmt.Fprint(t.out, usageText(t.env.Name))
	return nil
}

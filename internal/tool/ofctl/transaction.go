package ofctl

import (
	"fmt"
	"io"
	"os"
	"strings"

	"weir/internal/openflow"
)

// openFile is the file of a name, or standard input for "-".
func (t *tool) openFile(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(t.env.Stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: open failed (%s)", name, errText(err))
	}
	return f, nil
}

// bundleFile executes the flow mods, group mods and packet-outs of a file as
// one transaction.
func bundleFile(t *tool, args []string) error {
	var names *openflow.Names
	in, err := t.openFile(args[1])
	if err != nil {
		return err
	}
	defer in.Close()
	usable := openflow.P13 | openflow.P14 | openflow.P15
	var ms []openflow.Message
	err = eachLine(in, func(n int, line string) error {
		m, u, err := t.parseBundled(line, names)
		if err != nil && names == nil {
			// It may name a port of the switch.
			names = t.namesFor2(args[0])
			m, u, err = t.parseBundled(line, names)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", args[1], n, err)
		}
		usable &= u
		ms = append(ms, m)
		return nil
	})
	if err != nil {
		return err
	}
	if !t.versionsGiven {
		t.versions = openflow.Versions(openflow.V14)
		t.allowed = openflow.V14.Protocols()
	}
	v, err := t.openForFlows(args[0], usable)
	if err != nil {
		return err
	}
	defer v.close()
	return v.bundle(ms)
}

func (t *tool) parseBundled(line string, names *openflow.Names) (openflow.Message, openflow.Protocol, error) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	o := t.parseOptions(names)
	switch word {
	case "flow":
		return bundled(openflow.ParseFlowMod(rest, int(openflow.FlowAdd)-1, o))
	case "group":
		return bundled(openflow.ParseGroupMod(rest, -1, o))
	case "packet-out":
		return bundled(openflow.ParsePacketOut(rest, o))
	}
	return nil, 0, fmt.Errorf("Unsupported bundle message type: %s", strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' })[0])
}

func bundled[M openflow.Message](m M, usable openflow.Protocol, err error) (openflow.Message, openflow.Protocol, error) {
	return m, usable, err
}

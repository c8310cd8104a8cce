package ctl

import (
	"fmt"
	"strings"
)

// savedBridge is the OpenFlow state of a bridge, kept over a restart.
type savedBridge struct {
	name    string
	version string   // for ovs-ofctl -O
	options string   // tunnel options for ovs-ofctl add-tlv-map; empty without
	meters  []string // for ovs-ofctl add-meter
	groups  string   // lines for ovs-ofctl add-groups; empty without groups
	flows   string   // lines for ovs-ofctl add-flows
}

// saveFlows reads the OpenFlow state of bridges.
func (c *control) saveFlows(bridges []string) ([]savedBridge, error) {
	var saved []savedBridge
	for _, name := range bridges {
		b := savedBridge{name: name, version: c.version(name)}
		out, err := c.output("ovs-ofctl", "-O", b.version, "--no-names", "--no-stats", "dump-flows", name)
		if err != nil {
			return nil, err
		}
		b.flows = flowLines(out)
		if b.groups, err = c.saveGroups(name, b.version); err != nil {
			return nil, err
		}
		if b.meters, err = c.saveMeters(name, b.version); err != nil {
			return nil, err
		}
		if out, err = c.output("ovs-ofctl", "-O", b.version, "dump-tlv-map", name); err != nil {
			return nil, err
		}
		b.options = tunnelOptions(out)
		saved = append(saved, b)
	}
	return saved, nil
}

// saveGroups returns the groups of a bridge, a line each; OpenFlow 1.0 has none.
func (c *control) saveGroups(bridge, version string) (string, error) {
	if version == "OpenFlow10" {
		return "", nil
	}
	out, err := c.output("ovs-ofctl", "-O", version, "--no-names", "dump-groups", bridge)
	if err != nil {
		return "", err
	}
	var groups strings.Builder
	for line := range strings.Lines(out) {
		if strings.Contains(line, "group_id=") {
			groups.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return groups.String(), nil
}

// saveMeters returns the meters of a bridge as ovs-ofctl add-meter wants them,
// none where its OpenFlow version has none.
func (c *control) saveMeters(bridge, version string) ([]string, error) {
	if version < "OpenFlow13" {
		return nil, nil
	}
	out, err := c.output("ovs-ofctl", "-O", version, "dump-meters", bridge)
	return meterLines(out), err
}

// meterLines joins the lines that a dump has for each meter.
func meterLines(dump string) []string {
	var meters []string
	for line := range strings.Lines(dump) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "meter="):
			meters = append(meters, line)
		case strings.HasPrefix(line, "type=") && len(meters) > 0:
			meters[len(meters)-1] += " " + line
		}
	}
	return meters
}

// tunnelOptions turns the table of a bridge's tunnel options into an argument of
// ovs-ofctl add-tlv-map.
func tunnelOptions(dump string) string {
	var options []string
	for line := range strings.Lines(dump) {
		if f := strings.Fields(line); len(f) == 4 && strings.HasPrefix(f[3], "tun_metadata") {
			options = append(options, fmt.Sprintf("{class=%s,type=%s,len=%s}->%s", f[0], f[1], f[2], f[3]))
		}
	}
	return strings.Join(options, ",")
}

// flowLines keeps the flows of a dump and drops the headings of the replies.
func flowLines(dump string) string {
	var b strings.Builder
	for line := range strings.Lines(dump) {
		if strings.Contains(line, "actions=") {
			b.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return b.String()
}

// version is the newest OpenFlow version that a bridge speaks.
func (c *control) version(bridge string) string {
	const newest = "OpenFlow15"
	out, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "--bare", "get", "Bridge", bridge, "protocols")
	if err != nil {
		return newest
	}
	best := ""
	for _, p := range strings.FieldsFunc(out, func(r rune) bool { return strings.ContainsRune("[]\", \n", r) }) {
		best = max(best, p)
	}
	return first(best, newest)
}

// step is a run of ovs-ofctl that puts a part of a bridge's state back.
type step struct {
	what  string   // the part, for messages
	args  []string // of ovs-ofctl
	input string   // what it reads from standard input
}

// steps lists the runs that put a bridge's state back, what flows refer to before
// the flows, and these in one bundle where the version has bundles.
func (b *savedBridge) steps() []step {
	var steps []step
	add := func(what, input string, args ...string) {
		steps = append(steps, step{what: what, args: append([]string{"-O", b.version}, args...), input: input})
	}
	if b.options != "" {
		add("tunnel options", "", "add-tlv-map", b.name, b.options)
	}
	for _, meter := range b.meters {
		add("meters", "", "add-meter", b.name, meter)
	}
	if b.groups != "" {
		add("groups", b.groups, "add-groups", b.name, "-")
	}
	if b.version >= "OpenFlow14" {
		add("flows", "delete\n"+b.flows, "--bundle", "add-flows", b.name, "-")
	} else {
		add("flows", "delete\n"+b.flows, "add-flows", b.name, "-")
	}
	return steps
}

// restoreFlows puts the state of bridges back.
func (c *control) restoreFlows(saved []savedBridge) error {
	for _, b := range saved {
		for _, s := range b.steps() {
			if _, err := c.outputOf(strings.NewReader(s.input), "ovs-ofctl", s.args...); err != nil {
				return fmt.Errorf("bridge %s: its %s were not all restored: %w", b.name, s.what, err)
			}
		}
	}
	return nil
}

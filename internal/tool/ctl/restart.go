package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// savedBridge is the OpenFlow state of a bridge, kept over a restart.
type savedBridge struct {
	name    string
	version string // for ovs-ofctl -O
	flows   string // file for ovs-ofctl add-flows, which replaces what there is
	groups  string // file for ovs-ofctl add-groups; empty without groups
	options string // tunnel options for ovs-ofctl add-tlv-map; empty without
	meters  []string
}

// restart stops and starts the daemons. While the flows of the bridges are not
// back, other_config:flow-restore-wait keeps the switch from forwarding by an
// empty table.
func (c *control) restart() error {
	if running("ovsdb-server") == 0 || running("ovs-vswitchd") == 0 || !c.opts.ovsVswitchd {
		if err := c.stop(true); err != nil {
			return err
		}
		return c.start()
	}
	dir, err := os.MkdirTemp("", "ovs-save-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.say("Saving flows")
	saved, err := c.saveFlows(dir)
	if err != nil {
		return err
	}
	if err := c.stop(true); err != nil {
		return err
	}
	if err := c.makeDirectories(); err != nil {
		return err
	}
	if c.opts.ovsdbServer {
		if err := c.startServer(); err != nil {
			return err
		}
	}
	const wait = "other_config:flow-restore-wait"
	if err := c.vsctl("--no-wait", "set", "Open_vSwitch", ".", wait+"=\"true\""); err != nil {
		return err
	}
	if err := c.startSwitch(); err != nil {
		return err
	}
	c.say("Restoring saved flows")
	restoreErr := c.restoreFlows(saved)
	// Forwarding goes on whether or not every flow came back.
	if err := c.vsctl("--no-wait", "remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait"); err != nil {
		return err
	}
	if restoreErr != nil {
		return restoreErr
	}
	return c.enableManagers()
}

// saveFlows writes the flows of every bridge to files in dir.
func (c *control) saveFlows(dir string) ([]savedBridge, error) {
	names, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "--", "--real", "list-br")
	if err != nil {
		return nil, err
	}
	var saved []savedBridge
	for _, name := range strings.Fields(names) {
		b := savedBridge{name: name, version: c.version(name), flows: filepath.Join(dir, name+".flows")}
		out, err := c.output("ovs-ofctl", "-O", b.version, "--no-names", "--no-stats", "dump-flows", name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(b.flows, []byte("delete\n"+flowLines(out)), 0o600); err != nil {
			return nil, err
		}
		if b.groups, err = c.saveGroups(dir, name, b.version); err != nil {
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

// saveGroups writes the groups of a bridge to a file and returns its name, or an
// empty string where there is none: OpenFlow 1.0 has no groups.
func (c *control) saveGroups(dir, bridge, version string) (string, error) {
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
	if groups.Len() == 0 {
		return "", nil
	}
	file := filepath.Join(dir, bridge+".groups")
	return file, os.WriteFile(file, []byte(groups.String()), 0o600)
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

// restoreFlows puts the flows back, after what they refer to, each bridge's in one bundle where its
// version has bundles.
func (c *control) restoreFlows(saved []savedBridge) error {
	for _, b := range saved {
		if b.options != "" {
			if _, err := c.output("ovs-ofctl", "-O", b.version, "add-tlv-map", b.name, b.options); err != nil {
				return fmt.Errorf("bridge %s: its tunnel options were not restored: %w", b.name, err)
			}
		}
		for _, meter := range b.meters {
			if _, err := c.output("ovs-ofctl", "-O", b.version, "add-meter", b.name, meter); err != nil {
				return fmt.Errorf("bridge %s: its meters were not all restored: %w", b.name, err)
			}
		}
		if b.groups != "" {
			if _, err := c.output("ovs-ofctl", "-O", b.version, "add-groups", b.name, b.groups); err != nil {
				return fmt.Errorf("bridge %s: its groups were not all restored: %w", b.name, err)
			}
		}
		args := []string{"-O", b.version, "add-flows", b.name, b.flows}
		if b.version >= "OpenFlow14" {
			args = append([]string{"--bundle"}, args...)
		}
		if _, err := c.output("ovs-ofctl", args...); err != nil {
			return fmt.Errorf("bridge %s: its flows were not all restored: %w", b.name, err)
		}
	}
	return nil
}

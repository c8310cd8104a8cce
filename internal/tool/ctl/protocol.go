package ctl

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// enableProtocol lets a protocol pass the host's packet filter, unless a rule
// speaks of it already: then that is the administrator's decision (ovs-ctl(8),
// "The enable-protocol command").
func (c *control) enableProtocol() error {
	want := []string{"-p", c.opts.protocol}
	name := c.opts.protocol
	if port := c.opts.dport; port != "" {
		want = append(want, "--dport", port)
		name += " to port " + port
	}
	if port := c.opts.sport; port != "" {
		want = append(want, "--sport", port)
		name += " from port " + port
	}
	if _, err := exec.LookPath("iptables"); err != nil {
		c.say("iptables binary not installed, not adding a rule for %s", name)
		return nil
	}
	if !knownProtocol(c.opts.protocol) {
		return fmt.Errorf("unknown protocol %s", c.opts.protocol)
	}
	rules, err := exec.CommandContext(c.ctx, "iptables", "-S", "INPUT").Output()
	if err != nil {
		c.say("no rules of iptables can be listed, not adding one for %s", name)
		return nil
	}
	if mentions(string(rules), want) {
		c.say("iptables already has a rule for %s, not explicitly enabling", name)
		return nil
	}
	args := append(append([]string{"-I", "INPUT"}, want...), "-j", "ACCEPT")
	if out, err := exec.CommandContext(c.ctx, "iptables", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("enabling %s with iptables: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	c.say("Enabling %s with iptables", name)
	return nil
}

// mentions tells whether one of the rules, as iptables -S lists them, has all
// the pairs of option and value in want.
func mentions(rules string, want []string) bool {
	for rule := range strings.Lines(rules) {
		words, all := strings.Fields(rule), true
		for i := 0; i < len(want); i += 2 {
			at := slices.Index(words, want[i])
			all = all && at >= 0 && at+1 < len(words) && words[at+1] == want[i+1]
		}
		if all {
			return true
		}
	}
	return false
}

// knownProtocol asks protocols(5); where the file is missing iptables may judge.
func knownProtocol(name string) bool {
	data, err := os.ReadFile("/etc/protocols")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 && words[0] == name {
			return true
		}
	}
	return false
}

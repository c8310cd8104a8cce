package demo

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// prefix begins the name of every namespace of the demonstration, so that what
// an earlier run left can be told from anyone else's.
const prefix = "weir-demo-"

// switchSpace is where the switch itself lives.
const switchSpace = prefix + "switch"

// namespace is the namespace of a host.
func namespace(host string) string { return prefix + host }

// ip runs ip(8); its error holds what it printed.
func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ipAll runs ip(8) for each argument list, up to the first failure.
func ipAll(commands ...[]string) error {
	for _, args := range commands {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

func addNamespace(name string) error {
	return ipAll([]string{"netns", "add", name}, []string{"-n", name, "link", "set", "lo", "up"})
}

// removeNamespaces removes every namespace of the demonstration, with the
// devices in them.
func removeNamespaces() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			_ = ip("netns", "del", e.Name())
		}
	}
}

// addHost makes a host's namespace and the veth pair that joins it to the
// namespace of the switch.
func addHost(h host) error {
	space := namespace(h.name)
	if err := addNamespace(space); err != nil {
		return err
	}
	return ipAll(
		[]string{"-n", switchSpace, "link", "add", h.port(), "type", "veth", "peer", "name", "eth0", "netns", space},
		[]string{"-n", switchSpace, "link", "set", h.port(), "up"},
		[]string{"-n", space, "link", "set", "eth0", "address", h.mac, "up"},
		[]string{"-n", space, "addr", "add", h.ip + "/24", "dev", "eth0"},
	)
}

// addBarePair makes two namespaces with nothing but a veth pair between them.
func addBarePair() error {
	one, two := namespace("bare1"), namespace("bare2")
	for _, space := range []string{one, two} {
		if err := addNamespace(space); err != nil {
			return err
		}
	}
	return ipAll(
		[]string{"-n", one, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", two},
		[]string{"-n", one, "link", "set", "eth0", "up"},
		[]string{"-n", two, "link", "set", "eth0", "up"},
		[]string{"-n", one, "addr", "add", "10.78.0.1/24", "dev", "eth0"},
		[]string{"-n", two, "addr", "add", "10.78.0.2/24", "dev", "eth0"},
	)
}

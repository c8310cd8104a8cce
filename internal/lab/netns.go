// Package lab makes small networks on one machine out of network namespaces and
// veth pairs, and sends traffic through them: what the demonstration, the tests
// on real packets and the benchmarks stand on. It needs root and ip(8).
package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/vishvananda/netns"
)

// IP runs ip(8) for each command, words separated by spaces, up to the first
// failure, whose error holds what ip printed.
func IP(commands ...string) error {
	for _, command := range commands {
		out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// AddNamespace makes a network namespace with its loopback device up.
func AddNamespace(name string) error {
	return IP("netns add "+name, "-n "+name+" link set lo up")
}

// WithoutIPv6 keeps the devices of a namespace that come later from speaking
// IPv6 by themselves, so that only what is asked for is on the wire.
func WithoutIPv6(name string) error {
	return Within(name, func() error {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a kernel without IPv6
		}
		return err
	})
}

// RemoveNamespaces removes the namespaces whose names begin with prefix, and
// with them the devices inside. It is no error when there is none.
func RemoveNamespaces(prefix string) {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			_ = IP("netns del " + e.Name())
		}
	}
}

// Host is a network namespace that hangs on a switch by a veth pair: eth0 in
// its own namespace, Port in the switch's.
type Host struct {
	Space string // namespace
	Port  string // device in the namespace of the switch
	MAC   string // of eth0; empty for the kernel's choice
	Addr  string // with prefix length: 10.0.0.1/24
}

// Attach makes the host's namespace, quiet about IPv6, and its veth pair into the
// namespace of the switch, and brings everything up.
func (h Host) Attach(switchSpace string) error {
	if err := AddNamespace(h.Space); err != nil {
		return err
	}
	if err := WithoutIPv6(h.Space); err != nil {
		return err
	}
	address := ""
	if h.MAC != "" {
		address = " address " + h.MAC
	}
	return IP(
		fmt.Sprintf("-n %s link add %s type veth peer name eth0 netns %s", switchSpace, h.Port, h.Space),
		fmt.Sprintf("-n %s link set %s up", switchSpace, h.Port),
		fmt.Sprintf("-n %s link set eth0%s up", h.Space, address),
		fmt.Sprintf("-n %s addr add %s dev eth0", h.Space, h.Addr),
	)
}

// IPAddr is Addr without the prefix length.
func (h Host) IPAddr() string {
	addr, _, _ := strings.Cut(h.Addr, "/")
	return addr
}

// Command is a command to run inside a namespace. Unlike that of ip-netns(8)
// it sees the files of everybody, the bpf file system among them.
func Command(ctx context.Context, space string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + space, "--"}, args...)...)
}

// Within runs f on a thread that is in a network namespace; sockets that f
// makes stay there. The thread stays locked and so ends with its goroutine:
// no other goroutine ever runs in the namespace.
func Within(space string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.GetFromName(space)
		if err != nil {
			done <- fmt.Errorf("network namespace %s: %w", space, err)
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			done <- fmt.Errorf("network namespace %s: %w", space, err)
			return
		}
		done <- f()
	}()
	return <-done
}

package demo

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/lab"
)

// family begins the name of every namespace of every demonstration. The number of
// the process follows, so that two at once don't meet, and what one that was
// killed has left can be told from what another uses.
const family = "weir-demo-"

// namespace is the namespace of a host of this process.
func namespace(host string) string { return ours() + host }

// switchSpace is where the switch itself lives.
func switchSpace() string { return namespace("switch") }

// ours begins the names of the namespaces of this process.
func ours() string { return family + strconv.Itoa(os.Getpid()) + "-" }

// removeOrphans removes the namespaces of demonstrations whose process has ended.
func removeOrphans() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return // there are none yet
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), family)
		number, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if ok && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			lab.RemoveNamespaces(e.Name())
		}
	}
}

// attach makes a host and joins it to the switch.
func (h host) attach() error {
	return lab.Host{Space: namespace(h.name), Port: h.port(), MAC: h.mac, Addr: h.ip + "/24"}.Attach(switchSpace())
}

// addBarePair makes two namespaces with nothing but a veth pair between them,
// and returns their names and the address of the second.
func addBarePair() (one, two, addr string, err error) {
	one, two, addr = namespace("bare1"), namespace("bare2"), "10.78.0.2"
	if err := lab.AddNamespace(one); err != nil {
		return "", "", "", err
	}
	err = lab.Host{Space: two, Port: "eth0", Addr: addr + "/24"}.Attach(one)
	if err != nil {
		return "", "", "", err
	}
	return one, two, addr, lab.IP("-n " + one + " addr add 10.78.0.1/24 dev eth0")
}

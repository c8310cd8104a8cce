package linux

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"weir/internal/lab"
)

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string]string{
		"0": "00000001", "0-3,6": "0000004f", "1, 33": "00000002,00000002", "31-32": "00000001,80000000",
	} {
		if got, err := ParseCPUs(list); err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", list, got, err, want)
		}
	}
	for _, list := range []string{"", "x", "3-1", "0,,1", "9999", "-1", "0-"} {
		if got, err := ParseCPUs(list); err == nil {
			t.Errorf("%q is %s, want an error", list, got)
		}
	}
}

// Steering spreads what a device receives, and puts back what there was.
func TestSteer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "wt-rps"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "wt-rps2"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(&netlink.Veth{LinkAttrs: attrs}) })
	read := func() string {
		b, err := os.ReadFile("/sys/class/net/wt-rps/queues/rx-0/rps_cpus")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	before := read()
	steer := func() *Steering {
		s, err := OpenSteering("wt-rps")
		if err == nil {
			err = s.Spread("0")
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := steer()
	if got := read(); strings.TrimLeft(got, "0,") != "1" {
		t.Errorf("rps_cpus is %s", got)
	}
	if err := s.Undo(); err != nil {
		t.Error(err)
	}
	if got := read(); got != before {
		t.Errorf("rps_cpus is %s afterwards, it was %s", got, before)
	}
	// A process that ended before it could put it back has told the next one.
	first := steer()
	was := first.Was()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	next := steer()
	next.SetWas(was + " rx-77=1")
	if err := next.Undo(); err != nil {
		t.Error(err)
	}
	if got := read(); got != before {
		t.Errorf("rps_cpus is %s after a second process, it was %s", got, before)
	}
	if _, err := OpenSteering("wt-none"); err == nil {
		t.Error("a device that isn't there is steered")
	}
}

// A switch may live in a network namespace that /sys is not of, where a device of
// the same name is somebody else's.
func TestSteerInAnotherNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const space = "wt-rps-space"
	lab.RemoveNamespaces(space)
	t.Cleanup(func() { lab.RemoveNamespaces(space) })
	pair := "link add wt-rps3 type veth peer name wt-rps4"
	if err := errors.Join(lab.AddNamespace(space), lab.IP(pair, "-n "+space+" "+pair)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.IP("link del wt-rps3") })
	var s *Steering
	err := lab.Within(space, func() (err error) {
		if s, err = OpenSteering("wt-rps3"); err == nil {
			err = s.Spread("0")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	queue := "class/net/wt-rps3/queues/rx-0/rps_cpus"
	there, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/%s", s.sys.Fd(), queue))
	if err != nil || strings.TrimLeft(strings.TrimSpace(string(there)), "0,") != "1" {
		t.Errorf("rps_cpus is %s (%v) in the namespace, want 1", there, err)
	}
	if here, err := os.ReadFile("/sys/" + queue); err != nil || strings.Trim(strings.TrimSpace(string(here)), "0,") != "" {
		t.Errorf("rps_cpus of the device of the same name has become %s (%v)", here, err)
	}
	if err := s.Undo(); err != nil {
		t.Error(err)
	}
}

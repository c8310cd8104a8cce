package linux

import (
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/tunnel"
)

// What a killed process had begun to make is no obstacle, and is swept away by its
// owner alone.
func TestOwnersSweep(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const mine, other = Owner("test-mine"), Owner("test-other")
	h := NewHost()
	open := func(name string, o Owner) netdev.Device {
		t.Helper()
		d, err := h.KernelProviders(o).Open(name, "internal", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	there := func(name string) bool { _, err := netlink.LinkByName(name); return err == nil }
	half := "link add wt-half type veth peer name " + mine.unfinished()
	if err := lab.IP(half); err != nil {
		t.Fatal(err)
	}
	keep := open("wt-half", mine).(*Internal)
	open("wt-left", mine)
	open("wt-theirs", other)
	open("wt-nobodys", "")
	if err := lab.IP("link add wt-plain type veth peer name wt-plain-dp", "link add wt-half2 type veth peer name "+mine.unfinished()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.IP("link del wt-plain") })
	if err := mine.Sweep(func(index int) bool { return index == keep.Ingress() }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"wt-half": true, "wt-half-dp": true, "wt-left": false, "wt-half2": false, "wt-theirs": true, "wt-nobodys": true, "wt-plain": true} {
		if there(name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	open("wt-new", mine)
	if err := Owner("").Sweep(func(int) bool { return false }); err != nil || !there("wt-nobodys") {
		t.Errorf("nobody swept what is nobody's: %v", err)
	}
	if err := mine.Sweep(func(int) bool { return false }); err != nil || there("wt-half") || there("wt-new") {
		t.Errorf("devices of the owner are left (%v)", err)
	}
}

// A name that a device of somebody else's has leaves nothing half made.
func TestOwnerMeetsAnothersName(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const mine = Owner("test-mine")
	if err := lab.IP("link add wt-a type veth peer name wt-b-dp", "link add vxlan_sys_4790 type veth peer name wt-c"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.IP("link del wt-a"); _ = lab.IP("link del wt-c") })
	h := NewHost()
	for _, name := range []string{"wt-a", "wt-b"} {
		if _, err := h.KernelProviders(mine).Open(name, "internal", nil); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if _, err := h.OpenCollector(&tunnel.Config{Kind: tunnel.KindOf("vxlan"), DstPort: 4790}, mine); err == nil {
		t.Error("the device of tunnels was opened")
	}
	for _, name := range []string{"wt-b", mine.unfinished()} {
		if _, err := netlink.LinkByName(name); linkError(err) != unix.ENODEV {
			t.Errorf("%s: %v", name, err)
		}
	}
}

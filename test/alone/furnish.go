package alone

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namedSpaces is where ip-netns(8) keeps namespaces by name.
const namedSpaces = "/run/netns"

// furnish mounts what belongs to the namespaces that this process is in and brings
// the loopback device up. Nothing of it is seen outside.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount --make-rprivate /: %w", err)
	}
	if err := os.MkdirAll(namedSpaces, 0o755); err != nil {
		return err
	}
	for _, m := range []struct{ kind, dir string }{
		{"tmpfs", namedSpaces},
		{"sysfs", "/sys"}, // whose /sys/class/net is that of the namespace
	} {
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount -t %s %s: %w", m.kind, m.dir, err)
		}
	}
	// A kernel without it has no eBPF data path either, which its tests find out.
	_ = unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, "")
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("link set lo up: %w", err)
	}
	return nil
}

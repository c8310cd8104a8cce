package linux

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Devices that a data path in the kernel makes outlive the process. So that none is
// left for ever by one that is killed before it has noted down what it made, each
// says whose it is: by its alias (IFLA_IFALIAS), and until it has that, by its name.

// Owner is who makes devices that outlive the process: the same for each process
// that goes on with them, of which there may be one at a time. Without one, nobody
// looks for devices that were left behind.
type Owner string

// aliasOf marks a device of a kind as the owner's.
func (o Owner) aliasOf(kind string) string {
	if o == "" {
		return kind
	}
	return kind + " of " + string(o)
}

// isKind reports whether an alias is one of a kind of device of ours, whoever the
// owner is.
func isKind(alias, kind string) bool {
	return alias == kind || strings.HasPrefix(alias, kind+" of ")
}

// unfinished is the name of a device that the owner has just made, and that has
// neither its alias nor its own name yet.
func (o Owner) unfinished() string {
	h := sha256.Sum256([]byte(o))
	return fmt.Sprintf("w%x", h[:7]) // IFNAMSIZ leaves 15 bytes
}

// make makes a device of a kind: link under the name it is given, marks it, and then
// gives it its own name. What an earlier process left unfinished is to be gone before
// (removeUnfinished).
func (o Owner) make(kind, name string, link func(name string) error) (netlink.Link, error) {
	first := name
	if o != "" {
		first = o.unfinished()
	}
	if err := link(first); err != nil {
		return nil, err
	}
	l, err := netlink.LinkByName(first)
	if err != nil {
		return nil, linkError(err)
	}
	err = netlink.LinkSetAlias(l, o.aliasOf(kind))
	if err == nil && first != name {
		err = netlink.LinkSetName(l, name)
	}
	if err != nil {
		return nil, errors.Join(err, netlink.LinkDel(l))
	}
	l.Attrs().Name = name
	return l, nil
}

// removeUnfinished removes what an earlier process had just begun to make.
func (o Owner) removeUnfinished() error {
	if o == "" {
		return nil
	}
	l, err := netlink.LinkByName(o.unfinished())
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err = linkError(err); err == unix.ENODEV {
		return nil
	}
	return err
}

// WithoutIPv6 keeps a device from speaking of its own accord: a kernel may have no
// IPv6.
func WithoutIPv6(device string) {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0)
}

// Sweep removes the owner's devices that an earlier process left, all but those
// whose indices are in use. It touches nobody else's.
func (o Owner) Sweep(inUse func(index int) bool) error {
	if o == "" {
		return nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("devices that were left behind: %w", err)
	}
	var errs []error
	for _, l := range links {
		a := l.Attrs()
		own := a.Alias == o.aliasOf(innerAlias) || a.Alias == o.aliasOf(collectorAlias) || a.Name == o.unfinished()
		if !own || inUse(a.Index) {
			continue
		}
		log.Info("removing device %s, which was left behind", a.Name)
		if err := linkError(netlink.LinkDel(l)); err != nil && err != unix.ENODEV {
			errs = append(errs, fmt.Errorf("device %s, which was left behind: %w", a.Name, err))
		}
	}
	return errors.Join(errs...)
}

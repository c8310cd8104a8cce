package ctl

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// interfaceScript is the script of save-interfaces. What the kernel adds by itself
// (link-local addresses, routes to the networks of addresses) is not in it.
func (c *control) interfaceScript(devices []string) (string, error) {
	var b strings.Builder
	for _, name := range devices {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return "", fmt.Errorf("addresses of %s: %w", name, err)
		}
		routes, err := netlink.RouteList(link, netlink.FAMILY_ALL)
		if err != nil {
			return "", fmt.Errorf("routes of %s: %w", name, err)
		}
		fmt.Fprintf(&b, "# %s\n", name)
		ip(&b, linkWords(link.Attrs()))
		for _, a := range addrs {
			ip(&b, addrWords(name, a))
		}
		for _, r := range routes {
			ip(&b, routeWords(name, r))
		}
	}
	rules, err := c.iptables()
	return b.String() + rules, err
}

// ip adds a line with a command of ip(8), unless there are no words for it.
func ip(b *strings.Builder, words []string) {
	if len(words) > 0 {
		b.WriteString(shellCommand("", append([]string{"ip"}, words...)...))
	}
}

// linkWords sets what belongs to the device itself.
func linkWords(a *netlink.LinkAttrs) []string {
	words := []string{"link", "set", "dev", a.Name, "mtu", strconv.Itoa(a.MTU), "txqueuelen", strconv.Itoa(a.TxQLen)}
	if len(a.HardwareAddr) > 0 {
		words = append(words, "address", a.HardwareAddr.String())
	}
	if a.RawFlags&unix.IFF_UP != 0 {
		return append(words, "up")
	}
	return append(words, "down")
}

// addrWords adds an address.
func addrWords(device string, a netlink.Addr) []string {
	scope := netlink.Scope(a.Scope)
	if scope == netlink.SCOPE_LINK && a.IP.To4() == nil {
		return nil
	}
	words := []string{"address", "replace", a.IPNet.String()}
	if a.Peer != nil && !a.Peer.IP.Equal(a.IP) {
		words = []string{"address", "replace", a.IP.String(), "peer", a.Peer.String()}
	}
	if a.Broadcast != nil {
		words = append(words, "broadcast", a.Broadcast.String())
	}
	if scope != netlink.SCOPE_UNIVERSE {
		words = append(words, "scope", scope.String())
	}
	if a.Label != "" {
		words = append(words, "label", a.Label)
	}
	if forever := int64(math.MaxUint32); a.ValidLft > 0 && int64(a.ValidLft) != forever {
		words = append(words, "valid_lft", strconv.Itoa(a.ValidLft), "preferred_lft", strconv.Itoa(a.PreferedLft))
	}
	return append(words, "dev", device)
}

// routeWords adds a route of the main table.
func routeWords(device string, r netlink.Route) []string {
	if r.Protocol == unix.RTPROT_KERNEL || r.Table != unix.RT_TABLE_MAIN || r.Type != unix.RTN_UNICAST {
		return nil
	}
	words := []string{"route", "replace", "default"}
	if r.Dst != nil {
		words[2] = r.Dst.String()
	}
	if r.Gw != nil {
		words = append(words, "via", r.Gw.String())
	}
	words = append(words, "dev", device)
	if r.Src != nil {
		words = append(words, "src", r.Src.String())
	}
	if r.Priority != 0 {
		words = append(words, "metric", strconv.Itoa(r.Priority))
	}
	if r.Flags&unix.RTNH_F_ONLINK != 0 {
		words = append(words, "onlink")
	}
	return append(words, "proto", strconv.Itoa(int(r.Protocol)))
}

// iptables returns the command that puts the rules of iptables(8) back, or a
// remark that there are none to save.
func (c *control) iptables() (string, error) {
	out, err := exec.CommandContext(c.ctx, "iptables-save").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "# iptables-save is not on the PATH: rules of iptables are not saved\n", nil
	}
	if err != nil {
		return "", fmt.Errorf("iptables-save: %w", err)
	}
	if len(out) == 0 {
		return "# iptables has no rules\n", nil
	}
	return shellCommand(string(out), "iptables-restore"), nil
}

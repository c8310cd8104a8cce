package linux

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/internal/tunnel/route"
)

// TestFollowRoutes: routes, rules and addresses of the host are there, and follow
// its changes.
func TestFollowRoutes(t *testing.T) {
	inSpace(t, func(*Host) {
		ip := func(commands ...string) {
			t.Helper()
			if err := lab.IP(commands...); err != nil {
				t.Error(err)
			}
		}
		ip("link set lo up", "addr add 10.0.0.5/24 dev va", "route add 10.9.0.0/16 via 10.0.0.1",
			"route add default via 10.0.0.254 metric 100", "route add default via 10.0.0.253 metric 50",
			"route add 10.6.0.0/16 nexthop via 10.0.0.2 nexthop via 10.0.0.3", "route add unreachable 10.7.0.0/16",
			"route add 10.8.0.0/16 via 10.0.0.8 table 10", "rule add from 10.0.0.6 table 10", "rule add fwmark 5 table 10")
		tb := route.NewTable()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		go func() {
			space := fmt.Sprintf("weir-netdev-%d", os.Getpid())
			done <- lab.Within(space, func() error { return FollowRoutes(ctx, tb, true) })
		}()
		want := func(dst, src, gateway string) {
			t.Helper()
			var from netip.Addr
			if src != "" {
				from = netip.MustParseAddr(src)
			}
			var got route.Route
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if got, _ = tb.Lookup(netip.MustParseAddr(dst), from, 0); got.Device == "va" && got.Gateway == addrText(gateway) {
					return
				}
			}
			t.Errorf("%s from %q: %+v, want by %q", dst, src, got, gateway)
		}
		want("10.9.0.1", "", "10.0.0.1")
		want("8.8.8.8", "", "10.0.0.253")
		want("10.6.0.1", "", "10.0.0.2")
		want("10.0.0.7", "", "")
		want("10.8.0.1", "10.0.0.6", "10.0.0.8")
		want("10.8.0.1", "10.0.0.7", "10.0.0.253")
		if r, ok := tb.Lookup(netip.MustParseAddr("10.0.0.5"), netip.Addr{}, 0); !ok || !r.Local || r.Src != netip.MustParseAddr("10.0.0.5") {
			t.Errorf("the host's own address: %+v", r)
		}
		ip("route replace 10.9.0.0/16 via 10.0.0.77", "rule del from 10.0.0.6 table 10")
		want("10.9.0.1", "", "10.0.0.77")
		want("10.8.0.1", "10.0.0.6", "10.0.0.253")
		ip("addr add 10.1.0.5/24 dev va")
		want("10.1.0.9", "", "")
	})
}

func addrText(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}

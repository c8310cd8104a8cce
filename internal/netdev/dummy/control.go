package dummy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/unixctl"
)

// Register adds the netdev-dummy/ commands to a control socket.
func (s *Set) Register(srv *unixctl.Server) {
	srv.Register("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]", 2, -1, s.receive)
	srv.Register("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, s.setAdminState)
	srv.Register("netdev-dummy/conn-state", "[netdev]", 0, 1, s.connState)
	srv.Register("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, s.ip4addr)
	srv.Register("netdev-dummy/ip6addr", "[netdev] ip6addr", 2, 2, s.ip6addr)
}

var errUnknown = errors.New("Unknown Dummy Interface") //nolint:staticcheck // users' scripts match the text

// receive injects packets: each argument is a frame in hexadecimal, or a data
// path flow, which --len may follow.
func (s *Set) receive(r *unixctl.Request) (string, error) {
	d, ok := s.Lookup(r.Args[0])
	if !ok {
		return "", errors.New("no such dummy netdev")
	}
	qid, args := 0, r.Args[1:]
	if args[0] == "--qid" && len(args) > 1 {
		qid, _ = strconv.Atoi(args[1])
		args = args[2:]
		if qid < 0 || qid >= d.NumRxQueues() {
			return "", errors.New("bad rx queue id.")
		}
	}
	for len(args) > 0 {
		if frame, ok := parseHexFrame(args[0]); ok {
			d.Inject(qid, frame)
			args = args[1:]
			continue
		}
		text, size := args[0], 0
		args = args[1:]
		if len(args) >= 2 && args[0] == "--len" {
			var err error
			if size, err = strconv.Atoi(args[1]); err != nil || size < 14 {
				return "", errors.New("too small packet len")
			}
			if size > netdev.MaxFrame {
				return "", fmt.Errorf("too large packet len (%d at most)", netdev.MaxFrame)
			}
			args = args[2:]
		}
		k, _, err := datapath.ParseKey(text, nil)
		if err != nil {
			return "", err
		}
		frame, err := compose(k, size)
		if err != nil {
			return "", err
		}
		d.Inject(qid, frame)
	}
	return "", nil
}

// compose makes a frame of the flow; a size other than 0 is what its length
// shall be.
func compose(k *flow.Key, size int) ([]byte, error) {
	if size == 0 {
		return flow.Compose(k, nil), nil
	}
	frame := flow.Compose(k, []byte{})
	if size < len(frame) {
		return nil, errors.New("too small packet len")
	}
	frame = flow.Compose(k, make([]byte, size-len(frame)))
	for len(frame) < size { // nothing in it that could carry a payload
		frame = append(frame, 0)
	}
	return frame, nil
}

// parseHexFrame reads at least an Ethernet header; white space between bytes
// is ignored.
func parseHexFrame(s string) ([]byte, bool) {
	s = strings.Join(strings.Fields(s), "")
	frame, err := hex.DecodeString(s)
	return frame, err == nil && len(frame) >= 14
}

func (s *Set) setAdminState(r *unixctl.Request) (string, error) {
	state := r.Args[len(r.Args)-1]
	var set, clear netdev.Flags
	switch state {
	case "up":
		set = netdev.Up
	case "down":
		clear = netdev.Up
	default:
		return "", errors.New("Invalid Admin State")
	}
	devices := s.sorted()
	if len(r.Args) > 1 {
		d, ok := s.Lookup(r.Args[0])
		if !ok {
			return "", errUnknown
		}
		devices = []*Device{d}
	}
	for _, d := range devices {
		if err := d.SetFlags(set, clear); err != nil {
			return "", err
		}
	}
	return "OK", nil
}

// connStates are states by device.
type connStates map[string]string

// String is a line each.
func (c connStates) String() (out string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		out += name + ": " + c[name] + "\n"
	}
	return out
}

func (s *Set) connState(r *unixctl.Request) (string, error) {
	if len(r.Args) > 0 {
		d, ok := s.Lookup(r.Args[0])
		if !ok {
			return r.Answer(connStates{r.Args[0]: "unknown"})
		}
		return r.Answer(connStates{d.name: d.connState("unknown")})
	}
	states := connStates{}
	for _, d := range s.sorted() {
		if state := d.connState(""); state != "" {
			states[d.name] = state
		}
	}
	return r.Answer(states)
}

// connState is that of an active connection, without for devices that have none.
func (d *Device) connState(without string) string {
	d.mu.Lock()
	dialer := d.dialer
	d.mu.Unlock()
	if dialer == nil {
		return without
	}
	if dialer.isConnected() {
		return "connected"
	}
	return "disconnected"
}

func (s *Set) ip4addr(r *unixctl.Request) (string, error) {
	d, ok := s.Lookup(r.Args[0])
	if !ok {
		return "", errUnknown
	}
	p, err := parsePrefix(r.Args[1])
	if err != nil || !p.Addr().Is4() {
		return "", fmt.Errorf("%s: invalid IP address", r.Args[1])
	}
	d.addAddr(p)
	return "OK", nil
}

func (s *Set) ip6addr(r *unixctl.Request) (string, error) {
	d, ok := s.Lookup(r.Args[0])
	if !ok {
		return "", errUnknown
	}
	p, err := parsePrefix(r.Args[1])
	if err != nil || !p.Addr().Is6() {
		return "", fmt.Errorf("%s: invalid IPv6 address", r.Args[1])
	}
	d.addAddr(p)
	return "OK", nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

func (d *Device) addAddr(p netip.Prefix) {
	d.mu.Lock()
	// One address of each family, the latest.
	for i, have := range d.addrs {
		if have.Addr().Is4() == p.Addr().Is4() {
			d.addrs = append(d.addrs[:i], d.addrs[i+1:]...)
			break
		}
	}
	d.addrs = append(d.addrs, p)
	addrs := slices.Clone(d.addrs)
	d.mu.Unlock()
	d.changes.Add(1)
	d.set.tellAddresses(d, addrs)
}

// SetIPv4 makes addr the IPv4 address of the device. A dummy has no routes for
// the gateway to be in.
func (d *Device) SetIPv4(addr netip.Prefix, _ netip.Addr) error {
	d.addAddr(addr)
	return nil
}

// Addrs are the addresses set by netdev-dummy/ip4addr and ip6addr.
func (d *Device) Addrs() []netip.Prefix {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]netip.Prefix(nil), d.addrs...)
}

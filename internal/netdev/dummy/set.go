package dummy

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"weir/internal/clock"
	"weir/internal/netdev"
	"weir/internal/packet"
)

// Set is all dummy devices of a process. Its mutex owns the rest.
type Set struct {
	clock *clock.Clock

	mu      sync.Mutex
	devices map[string]*Device
	nextMAC uint32
	onAddrs func(device string, addrs []netip.Prefix)
}

// NewSet makes an empty set whose devices take time from c.
func NewSet(c *clock.Clock) *Set {
	return &Set{clock: c, devices: map[string]*Device{}}
}

// OnAddresses sets the function that is called when the addresses of a device have
// changed; those of one that was closed are none.
func (s *Set) OnAddresses(fn func(device string, addrs []netip.Prefix)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onAddrs = fn
}

// tellAddresses tells the addresses of a device that the commands reach.
func (s *Set) tellAddresses(d *Device, addrs []netip.Prefix) {
	s.mu.Lock()
	fn, known := s.onAddrs, s.devices[d.name] == d
	s.mu.Unlock()
	if fn != nil && known {
		fn(d.name, addrs)
	}
}

// Provider opens dummy devices under the name of a type: "dummy",
// "dummy-internal" and "dummy-pmd", or, with --enable-dummy=override, any other.
func (s *Set) Provider(typ string) netdev.Provider {
	return netdev.Provider{Type: typ, Open: func(name string, options map[string]string) (netdev.Device, error) {
		d := s.open(name, typ)
		if err := d.SetOptions(options); err != nil {
			_ = d.Close()
			return nil, err
		}
		return d, nil
	}}
}

// Providers are those of the three types of dummy.
func (s *Set) Providers() netdev.Providers {
	return netdev.Providers{s.Provider("dummy"), s.Provider("dummy-internal"), s.Provider("dummy-pmd")}
}

// open makes a device. One of a name that is taken, as for the data path of a
// bridge's name, is a device of its own that the control commands don't reach.
func (s *Set) open(name, typ string) *Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextMAC
	s.nextMAC++
	d := &Device{
		set: s, name: name, typ: typ,
		mac:    packet.MAC{0xaa, 0x55, 0xaa, 0x55, byte(n >> 8), byte(n)},
		mtu:    1500,
		flags:  netdev.Up | netdev.Running,
		rxqs:   make([]rxq, 1),
		numRXQ: 1,
		conns:  map[*conn]bool{},
		tx:     make([]queueStats, 1),
	}
	if s.devices[name] == nil {
		s.devices[name] = d
	}
	return d
}

// Lookup finds an open device.
func (s *Set) Lookup(name string) (*Device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[name]
	return d, ok
}

func (s *Set) sorted() []*Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.devices), func(a, b *Device) int {
		return slices.Compare([]byte(a.name), []byte(b.name))
	})
}

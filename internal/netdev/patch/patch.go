// Package patch is the device of a patch port: a place in a bridge that leads
// to another bridge. It moves no packets itself; translation follows its peer.
package patch

import (
	"errors"
	"sync"

	"weir/internal/netdev"
)

// ErrNoPeer says that the option "peer" is missing.
var ErrNoPeer = errors.New("patch type requires valid 'peer' argument")

// Provider opens patch ports. The option "peer" names the other end, which
// need not exist yet.
func Provider() netdev.Provider {
	return netdev.Provider{Type: "patch", Open: func(name string, options map[string]string) (netdev.Device, error) {
		d := &Device{Virtual: netdev.NewVirtual(name, "patch")}
		if err := d.SetOptions(options); err != nil {
			return nil, err
		}
		return d, nil
	}}
}

// Device is a patch port. Its mutex owns peer and stats.
type Device struct {
	*netdev.Virtual

	mu    sync.Mutex
	peer  string
	stats netdev.Stats
}

var (
	_ netdev.Device     = (*Device)(nil)
	_ netdev.Configurer = (*Device)(nil)
)

// Peer is the name of the other end.
func (d *Device) Peer() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peer
}

// SetOptions takes the peer.
func (d *Device) SetOptions(options map[string]string) error {
	peer := options["peer"]
	if peer == "" {
		return ErrNoPeer
	}
	if peer == d.Name() {
		return errors.New("patch peer must not be self")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer != peer {
		d.peer = peer
		d.Changed()
	}
	return nil
}

// Options holds the peer.
func (d *Device) Options() map[string]string { return map[string]string{"peer": d.Peer()} }

// AddStats counts packets that translation passed through the port.
func (d *Device) AddStats(rxPackets, rxBytes, txPackets, txBytes uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.RxPackets += rxPackets
	d.stats.RxBytes += rxBytes
	d.stats.TxPackets += txPackets
	d.stats.TxBytes += txBytes
}

// Stats are what translation counted.
func (d *Device) Stats() (netdev.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats, nil
}

// Send fails: a patch port is not a port of a data path.
func (d *Device) Send(int, []*netdev.Packet) (int, error) { return 0, errors.ErrUnsupported }

// Package patch is the device of a patch port: a place in a bridge that leads
// to another bridge. It moves no packets itself; translation follows its peer.
package patch

import (
	"errors"
	"sync"
	"sync/atomic"

	"weir/internal/netdev"
	"weir/internal/packet"
)

// ErrNoPeer says that the option "peer" is missing.
var ErrNoPeer = errors.New("patch type requires valid 'peer' argument")

// Provider opens patch ports. The option "peer" names the other end, which
// need not exist yet.
func Provider() netdev.Provider {
	return netdev.Provider{Type: "patch", Open: func(name string, options map[string]string) (netdev.Device, error) {
		d := &Device{name: name}
		if err := d.SetOptions(options); err != nil {
			return nil, err
		}
		return d, nil
	}}
}

// Device is a patch port. Its mutex owns peer, mac and stats.
type Device struct {
	name    string
	changes atomic.Uint64

	mu    sync.Mutex
	peer  string
	mac   packet.MAC
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
	if peer == d.name {
		return errors.New("patch peer must not be self")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer != peer {
		d.peer = peer
		d.changes.Add(1)
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

// Name is the name of the port.
func (d *Device) Name() string { return d.name }

// Type is "patch".
func (d *Device) Type() string { return "patch" }

// Ifindex is 0.
func (d *Device) Ifindex() int { return 0 }

// MAC is zero until it is set.
func (d *Device) MAC() packet.MAC {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mac
}

// SetMAC remembers the address.
func (d *Device) SetMAC(mac packet.MAC) error {
	d.mu.Lock()
	d.mac = mac
	d.mu.Unlock()
	d.changes.Add(1)
	return nil
}

// MTU is 0: a patch port has none.
func (d *Device) MTU() int { return 0 }

// SetMTU fails: a patch port has no MTU.
func (d *Device) SetMTU(int) error { return errors.ErrUnsupported }

// Flags: a patch port is always up.
func (d *Device) Flags() netdev.Flags { return netdev.Up | netdev.Running }

// SetFlags fails unless it changes nothing.
func (d *Device) SetFlags(set, clear netdev.Flags) error {
	if clear&netdev.Up != 0 {
		return errors.ErrUnsupported
	}
	return nil
}

// CarrierResets is 0.
func (d *Device) CarrierResets() uint64 { return 0 }

// Stats are what translation counted.
func (d *Device) Stats() (netdev.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats, nil
}

// Status is empty.
func (d *Device) Status() map[string]string { return nil }

// Speed is unknown.
func (d *Device) Speed() (uint64, bool) { return 0, false }

// Changes counts changes of the options and the address.
func (d *Device) Changes() uint64 { return d.changes.Load() }

// NumRxQueues is 0.
func (d *Device) NumRxQueues() int { return 0 }

// RecvFD is -1.
func (d *Device) RecvFD(int) int { return -1 }

// Recv never has a packet.
func (d *Device) Recv(int, []netdev.Packet) (int, error) { return 0, nil }

// Send fails: a patch port is not a port of a data path.
func (d *Device) Send(int, []*netdev.Packet) (int, error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (d *Device) Close() error { return nil }

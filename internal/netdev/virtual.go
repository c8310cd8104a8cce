package netdev

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"weir/internal/packet"
)

// Virtual is a Device with nothing behind it, for others to be built on: it is
// always up, receives nothing and lets what is sent vanish.
type Virtual struct {
	name, typ string
	changes   atomic.Uint64

	mu  sync.Mutex // owns mac
	mac packet.MAC
}

var _ Device = (*Virtual)(nil)

// NewVirtual makes a device with a random address of its own.
func NewVirtual(name, typ string) *Virtual {
	v := &Virtual{name: name, typ: typ}
	_, _ = rand.Read(v.mac[:]) // it never fails
	v.mac[0] = v.mac[0]&^1 | 2
	return v
}

// Name is the name it was made with.
func (v *Virtual) Name() string { return v.name }

// Type is the type it was made with.
func (v *Virtual) Type() string { return v.typ }

// Ifindex is 0.
func (v *Virtual) Ifindex() int { return 0 }

// MAC is the device's address.
func (v *Virtual) MAC() packet.MAC {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mac
}

// SetMAC remembers the address.
func (v *Virtual) SetMAC(mac packet.MAC) error {
	v.mu.Lock()
	v.mac = mac
	v.mu.Unlock()
	v.Changed()
	return nil
}

// MTU is 0: there is none.
func (v *Virtual) MTU() int { return 0 }

// SetMTU fails: there is none.
func (v *Virtual) SetMTU(int) error { return errors.ErrUnsupported }

// Flags are always Up and Running.
func (v *Virtual) Flags() Flags { return Up | Running }

// SetFlags fails to take the device down.
func (v *Virtual) SetFlags(_, clear Flags) error {
	if clear&Up != 0 {
		return errors.ErrUnsupported
	}
	return nil
}

// CarrierResets is 0.
func (v *Virtual) CarrierResets() uint64 { return 0 }

// Stats are all unknown but for the numbers of packets and bytes, which are 0.
func (v *Virtual) Stats() (Stats, error) {
	const u = ^uint64(0)
	return Stats{RxErrors: u, TxErrors: u, RxDropped: u, TxDropped: u, Multicast: u, Collisions: u,
		RxOverErr: u, RxCRCErr: u, RxFrameErr: u, RxMissedErrors: u}, nil
}

// Status is empty.
func (v *Virtual) Status() map[string]string { return nil }

// Speed is unknown.
func (v *Virtual) Speed() (uint64, bool) { return 0, false }

// Changes counts calls of Changed and changes of the address.
func (v *Virtual) Changes() uint64 { return v.changes.Load() }

// Changed has Changes grow.
func (v *Virtual) Changed() { v.changes.Add(1) }

// NumRxQueues is 0.
func (v *Virtual) NumRxQueues() int { return 0 }

// RecvFD is -1.
func (v *Virtual) RecvFD(int) int { return -1 }

// Recv never has a packet.
func (v *Virtual) Recv(int, []Packet) (int, error) { return 0, nil }

// Send lets packets vanish.
func (v *Virtual) Send(_ int, batch []*Packet) (int, error) { return len(batch), nil }

// Close does nothing.
func (v *Virtual) Close() error { return nil }

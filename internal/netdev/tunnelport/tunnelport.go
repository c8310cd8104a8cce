// Package tunnelport is the device of a tunnel port (Interface of type vxlan
// and its like): what its options ask for. Its packets travel by the underlay,
// which it knows how to open.
package tunnelport

import (
	"errors"
	"sync/atomic"

	"weir/internal/netdev"
	"weir/internal/tunnel"
	"weir/internal/vlog"
)

var log = vlog.For("netdev_vport")

// ErrReopen says that the options ask for another underlay, for which the
// device must be opened anew.
var ErrReopen = errors.New("the tunnel's underlay changes")

// Device is a tunnel port.
type Device struct {
	*netdev.Virtual
	config   atomic.Pointer[tunnel.Config]
	underlay func(*tunnel.Config) (netdev.Device, error)
	status   func(*tunnel.Config) map[string]string
}

var (
	_ netdev.Tunnel     = (*Device)(nil)
	_ netdev.Configurer = (*Device)(nil)
)

// Providers are all types of tunnel. underlay opens the device that carries a
// tunnel's packets; status says for Interface.status where they go, and may be
// nil.
func Providers(underlay func(*tunnel.Config) (netdev.Device, error), status func(*tunnel.Config) map[string]string) netdev.Providers {
	var ps netdev.Providers
	for i := range tunnel.Kinds {
		typ := tunnel.Kinds[i].Type
		ps = append(ps, netdev.Provider{Type: typ, Open: func(name string, options map[string]string) (netdev.Device, error) {
			c, err := parse(name, typ, options)
			if err != nil {
				return nil, err
			}
			d := &Device{Virtual: netdev.NewVirtual(name, typ), underlay: underlay, status: status}
			d.config.Store(c)
			return d, nil
		}})
	}
	return ps
}

func parse(name, typ string, options map[string]string) (*tunnel.Config, error) {
	c, warnings, err := tunnel.Parse(name, typ, options)
	for _, w := range warnings {
		log.Warn("%s", w)
	}
	return c, err
}

// Tunnel is what the options ask for.
func (d *Device) Tunnel() *tunnel.Config { return d.config.Load() }

// OpenUnderlay opens the device that carries the packets.
func (d *Device) OpenUnderlay() (netdev.Device, error) { return d.underlay(d.Tunnel()) }

// SetOptions takes other options; ErrReopen says that it can't.
func (d *Device) SetOptions(options map[string]string) error {
	c, err := parse(d.Name(), d.Type(), options)
	if err != nil {
		return err
	}
	if c.DeviceName() != d.Tunnel().DeviceName() {
		return ErrReopen
	}
	d.config.Store(c)
	d.Changed()
	return nil
}

// Options are those in effect.
func (d *Device) Options() map[string]string { return d.Tunnel().Options() }

// Status says where the tunnel's packets go.
func (d *Device) Status() map[string]string {
	if d.status == nil {
		return nil
	}
	return d.status(d.Tunnel())
}

// Silent is an underlay that no packet passes: that of a data path of dummies, and
// that of tunnels whose outer headers translation builds. It is a [netdev.Carrier].
type Silent struct{ *netdev.Virtual }

var _ netdev.Carrier = Silent{}

// Carries is false.
func (Silent) Carries() bool { return false }

// NewSilent makes the underlay of a tunnel.
func NewSilent(c *tunnel.Config) Silent {
	return Silent{netdev.NewVirtual(c.DeviceName(), c.Kind.Type)}
}

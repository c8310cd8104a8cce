package netdev

import "weir/internal/tunnel"

// Tunnel is the Device of a tunnel port. Its packets travel by another device,
// the underlay, which all tunnel ports of its name on a data path share.
type Tunnel interface {
	Device
	// Tunnel is what the options ask for.
	Tunnel() *tunnel.Config
	// OpenUnderlay opens the device that carries the packets.
	OpenUnderlay() (Device, error)
}

package netdev

import "weir/internal/tunnel"

// Carrier is a Device for the packets of tunnels that says whether it carries
// them at all. One that doesn't stands for what translation does: it builds the
// outer headers, and finds the bridge that leads to the other end.
type Carrier interface{ Carries() bool }

// Tunnel is the Device of a tunnel port. Its packets travel by another device,
// the underlay, which all tunnel ports of its name on a data path share.
type Tunnel interface {
	Device
	// Tunnel is what the options ask for.
	Tunnel() *tunnel.Config
	// OpenUnderlay opens the device that carries the packets.
	OpenUnderlay() (Device, error)
}

package tunnel

import (
	"encoding/binary"
	"net/netip"

	"weir/internal/flow"
)

// address is an outer address of either family: IPv4 as in RFC 4291, section
// 2.5.5.2. The zero value is none.
type address [16]byte

func addressOf(a netip.Addr) address {
	if !a.IsValid() {
		return address{}
	}
	return a.As16()
}

func outer(v4 uint32, v6 [16]byte) address {
	if v4 == 0 {
		return v6
	}
	a := address{10: 0xff, 11: 0xff}
	binary.BigEndian.PutUint32(a[12:], v4)
	return a
}

// match is what identifies a tunnel among those of a port of the data path.
type match struct {
	port          uint32
	key           uint64
	keyFlow       bool
	remote, local address
	remoteFlow    bool
	localFlow     bool
	mode          string // which packets, as in Config.PacketType
}

func matchOf(port uint32, c *Config) match {
	return match{
		port: port, key: c.InKey, keyFlow: c.InKeyFlow,
		remote: addressOf(c.Remote), remoteFlow: c.RemoteFlow, local: addressOf(c.Local), localFlow: c.LocalFlow,
		mode: c.PacketType,
	}
}

// Table finds the tunnel that a received packet belongs to. It is filled by one
// goroutine, and may be read by many afterwards.
type Table[T any] struct{ ports map[match]T }

// Add enters a tunnel that port of the data path carries. It reports false,
// with the other's owner, if another tunnel has the same packets.
func (t *Table[T]) Add(port uint32, c *Config, owner T) (T, bool) {
	if t.ports == nil {
		t.ports = map[match]T{}
	}
	m := matchOf(port, c)
	if other, ok := t.ports[m]; ok {
		return other, false
	}
	t.ports[m] = owner
	return owner, true
}

// Find finds the tunnel of a packet that came in on port of the data path with
// the outer headers k and an inner packet of a packet type. Of several, the more
// specific one has it: one for such packets alone has it before one for all, a
// key counts for more than a remote address, that for more than a local one
// (ovs-vswitchd.conf.db(5)).
func (t *Table[T]) Find(port uint32, k *flow.Tunnel, packetType uint32) (owner T, ok bool) {
	if len(t.ports) == 0 {
		return owner, false
	}
	mode := legacyL2
	if packetType != 0 {
		mode = legacyL3
	}
	if owner, ok = t.find(port, k, mode); !ok {
		owner, ok = t.find(port, k, ptap)
	}
	return owner, ok
}

func (t *Table[T]) find(port uint32, k *flow.Tunnel, mode string) (owner T, ok bool) {
	for _, keyFlow := range [...]bool{false, true} {
		for _, remoteFlow := range [...]bool{false, true} {
			m := match{port: port, keyFlow: keyFlow, remoteFlow: remoteFlow, mode: mode}
			if !keyFlow {
				m.key = k.ID
			}
			if !remoteFlow {
				m.remote = outer(k.Src, k.IPv6Src)
			}
			m.local = outer(k.Dst, k.IPv6Dst)
			if owner, ok = t.ports[m]; ok {
				return owner, true
			}
			m.local = address{}
			if owner, ok = t.ports[m]; ok {
				return owner, true
			}
			m.localFlow = true
			if owner, ok = t.ports[m]; ok {
				return owner, true
			}
		}
	}
	return owner, false
}

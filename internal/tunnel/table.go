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
	// On ports that share their packets, what tells them apart besides.
	erspan, v6 bool
}

func matchOf(port uint32, c *Config, shared bool) match {
	return match{
		port: port, erspan: shared && c.Kind.ShimName() == ShimERSPAN, v6: shared && !c.Kind.V4(), key: c.InKey, keyFlow: c.InKeyFlow,
		remote: addressOf(c.Remote), remoteFlow: c.RemoteFlow, local: addressOf(c.Local), localFlow: c.LocalFlow,
		mode: c.PacketType,
	}
}

// Table finds the tunnel that a received packet belongs to. It is filled by one
// goroutine, and may be read by many afterwards.
type Table[T any] struct {
	ports  map[match]T
	shared map[uint32]uint32 // the first of the ports that share packets
}

// Share says that packets of all tunnels of some ports of the data path come in on
// one of them, whichever it is, as GRE and ERSPAN do over IPv4 and IPv6, which are one
// protocol of IP. It comes before tunnels of these ports are added.
func (t *Table[T]) Share(ports []uint32) {
	if len(ports) < 2 {
		return
	}
	t.shared = map[uint32]uint32{}
	for _, p := range ports {
		t.shared[p] = ports[0]
	}
}

// Add enters a tunnel that port of the data path carries. It reports false,
// with the other's owner, if another tunnel has the same packets.
func (t *Table[T]) Add(port uint32, c *Config, owner T) (T, bool) {
	if t.ports == nil {
		t.ports = map[match]T{}
	}
	first, shared := t.shared[port]
	if shared {
		port = first
	}
	m := matchOf(port, c, shared)
	if other, ok := t.ports[m]; ok {
		return other, false
	}
	t.ports[m] = owner
	return owner, true
}

// Shares reports whether some ports share packets: what outer headers say of ERSPAN
// counts then.
func (t *Table[T]) Shares() bool { return t.shared != nil }

// Find finds the tunnel of a packet that came in on port of the data path with
// the outer headers k and an inner packet of a packet type. Of several, the more
// specific one has it: one for such packets alone has it before one for all, a
// key counts for more than a remote address, that for more than a local one
// (ovs-vswitchd.conf.db(5)).
func (t *Table[T]) Find(port uint32, k *flow.Tunnel, packetType uint32) (owner T, ok bool) {
	if len(t.ports) == 0 {
		return owner, false
	}
	like := match{port: port, mode: legacyL2}
	if packetType != 0 {
		like.mode = legacyL3
	}
	v6 := false
	if first, shared := t.shared[port]; shared {
		like.port, like.erspan = first, k.ERSPANVer != 0
		v6 = k.Dst == 0
	}
	if owner, ok = t.find(like, k, v6); !ok {
		like.mode = ptap
		owner, ok = t.find(like, k, v6)
	}
	return owner, ok
}

// find finds the tunnel among those like a match. v6 says that kinds that are named
// after IPv6 come first, where they ask for the same as others.
func (t *Table[T]) find(like match, k *flow.Tunnel, v6 bool) (owner T, ok bool) {
	for _, keyFlow := range [...]bool{false, true} {
		for _, remoteFlow := range [...]bool{false, true} {
			m := like
			m.keyFlow, m.remoteFlow = keyFlow, remoteFlow
			if !keyFlow {
				m.key = k.ID
			}
			if !remoteFlow {
				m.remote = outer(k.Src, k.IPv6Src)
			}
			for _, l := range [...]struct {
				local address
				flow  bool
			}{{outer(k.Dst, k.IPv6Dst), false}, {address{}, false}, {address{}, true}} {
				m.local, m.localFlow = l.local, l.flow
				if m.v6 = v6; v6 {
					if owner, ok = t.ports[m]; ok {
						return owner, true
					}
					m.v6 = false
				}
				if owner, ok = t.ports[m]; ok {
					return owner, true
				}
			}
		}
	}
	return owner, false
}

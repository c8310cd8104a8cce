package ofproto

import (
	"net/netip"
	"sync"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
	"weir/internal/stream"
)

// inBand keeps the hidden flows by which a bridge carries its own control
// traffic, whatever the controllers' flows say (ovs-vswitchd.conf.db(5),
// Controller, connection_mode; Open vSwitch, "Design Decisions", "In-Band
// Control", whose letters the flows bear below). Its mu is taken before any
// other lock.
type inBand struct {
	mu    sync.Mutex
	rules map[inBandFlow]*pipeline.Rule
	hops  map[netip.Addr]nextHop // by remote
}

// nextHop is what is known of the way to a remote.
type nextHop struct {
	mac packet.MAC // zero: not known
	due time.Time  // when to look again
}

// Router tells the Ethernet address to which the host sends packets for an IP
// address: its own, or that of a gateway. ok is false when there is no route,
// or the address hasn't been resolved yet.
type Router func(ip netip.Addr) (mac packet.MAC, ok bool)

// How often the way to a remote is looked at, when it is known and when not.
const (
	hopKnown   = 30 * time.Second
	hopUnknown = time.Second
)

// Priorities of the hidden flows, all above what OpenFlow can give a flow.
const (
	inBandFromLocalDHCP  = 180000 + iota // (a) DHCP requests of the local port
	inBandToLocalARP                     // (b) ARP replies to the local port
	inBandFromLocalARP                   // (c) ARP requests of the local port
	inBandToNextHopARP                   // (d) ARP replies to a next hop
	inBandFromNextHopARP                 // (e) ARP requests of a next hop
	inBandToRemoteARP                    // (f) ARP replies that name a remote as target
	inBandFromRemoteARP                  // (g) ARP requests that name a remote as source
	inBandToRemoteTCP                    // (h) TCP to a remote
	inBandFromRemoteTCP                  // (i) TCP from a remote
)

// inBandFlow is a hidden flow of in-band control: NORMAL, from a queue if
// queue isn't negative.
type inBandFlow struct {
	priority int
	match    flow.Match
	queue    int
}

// inBandFlows lists the flows that control traffic needs: of any bridge with
// remotes, for each next hop, each remote's address, and each remote (IPv4
// only). local is the address of the local port.
func inBandFlows(remotes []netip.AddrPort, local packet.MAC, hops []packet.MAC, queue int) map[inBandFlow]bool {
	out := map[inBandFlow]bool{}
	add := func(priority int, settings ...setting) {
		f := inBandFlow{priority: priority, queue: queue}
		for _, s := range settings {
			f.match.SetExact(s.field.Field(), s.value)
		}
		out[f] = true
	}
	arp := setting{flow.FieldEthType, flow.V(packet.EtherTypeARP)}
	request, reply := setting{flow.FieldARPOp, flow.V(1)}, setting{flow.FieldARPOp, flow.V(2)}
	ip := setting{flow.FieldEthType, flow.V(packet.EtherTypeIPv4)}
	tcp, udp := setting{flow.FieldIPProto, flow.V(6)}, setting{flow.FieldIPProto, flow.V(17)}
	const dhcpServer, dhcpClient = 67, 68
	if len(remotes) > 0 && !local.IsZero() {
		add(inBandFromLocalDHCP, ip, udp, setting{flow.FieldInPortOXM, flow.V(uint64(openflow.PortLocal))},
			setting{flow.FieldEthSrc, macValue(local)},
			setting{flow.FieldUDPSrc, flow.V(dhcpClient)}, setting{flow.FieldUDPDst, flow.V(dhcpServer)})
		add(inBandToLocalARP, arp, reply, setting{flow.FieldEthDst, macValue(local)})
		add(inBandFromLocalARP, arp, request, setting{flow.FieldEthSrc, macValue(local)})
	}
	for _, hop := range hops {
		add(inBandToNextHopARP, arp, reply, setting{flow.FieldEthDst, macValue(hop)})
		add(inBandFromNextHopARP, arp, request, setting{flow.FieldEthSrc, macValue(hop)})
	}
	for _, r := range remotes {
		addr, port := ipValue(r.Addr()), flow.V(uint64(r.Port()))
		add(inBandToRemoteARP, arp, reply, setting{flow.FieldARPTPA, addr})
		add(inBandFromRemoteARP, arp, request, setting{flow.FieldARPSPA, addr})
		add(inBandToRemoteTCP, ip, tcp, setting{flow.FieldIPv4Dst, addr}, setting{flow.FieldTCPDst, port})
		add(inBandFromRemoteTCP, ip, tcp, setting{flow.FieldIPv4Src, addr}, setting{flow.FieldTCPSrc, port})
	}
	return out
}

// setting is a field that a hidden flow matches exactly.
type setting struct {
	field flow.FieldID
	value flow.Value
}

func macValue(m packet.MAC) flow.Value {
	var n uint64
	for _, b := range m {
		n = n<<8 | uint64(b)
	}
	return flow.V(n)
}

func ipValue(a netip.Addr) flow.Value {
	b := a.As4()
	return flow.V(uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]))
}

// remotes lists the controllers that are reached through the bridge, and the
// managers, of which the same is assumed.
func (m *connManager) remotes(cfg *Config) []netip.AddrPort {
	if cfg.DisableInBand {
		return nil
	}
	out := cfg.Managers
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		if r, ok := Remote(t.name, stream.OpenFlowPort); ok && !t.config().OutOfBand {
			out = append(out[:len(out):len(out)], r)
		}
	}
	return out
}

// Remote is the endpoint that an active connection method names by its IPv4
// address.
func Remote(target string, defPort int) (netip.AddrPort, bool) {
	p, err := stream.Parse(target, defPort, "")
	if err != nil || p.Passive || p.Kind == "unix" {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(p.Host)
	if err != nil || !a.Unmap().Is4() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p.Port)), true
}

// nextHops finds the addresses of the next hops. It looks at the host's tables
// only when it is time to.
func (ib *inBand) nextHops(remotes []netip.AddrPort, route Router, now time.Time) []packet.MAC {
	if route == nil {
		return nil
	}
	var out []packet.MAC
	known := map[netip.Addr]nextHop{}
	for _, r := range remotes {
		hop, ok := ib.hops[r.Addr()]
		if !ok || !now.Before(hop.due) {
			if mac, ok := route(r.Addr()); ok {
				hop = nextHop{mac, now.Add(hopKnown)}
			} else {
				hop.due = now.Add(hopUnknown)
			}
		}
		known[r.Addr()] = hop
		if !hop.mac.IsZero() {
			out = append(out, hop.mac)
		}
	}
	ib.hops = known
	return out
}

// updateInBand makes the hidden flows be those that the bridge needs now.
func (b *Bridge) updateInBand() {
	ib := &b.conns.inBand
	ib.mu.Lock()
	defer ib.mu.Unlock()
	b.be.mu.Lock()
	cfg := b.cfg
	var local packet.MAC
	if p := b.ports[openflow.PortLocal]; p != nil {
		local = p.desc.HWAddr
	}
	b.be.mu.Unlock()
	remotes := b.conns.remotes(&cfg)
	if len(remotes) == 0 && len(ib.rules) == 0 {
		return
	}
	want := inBandFlows(remotes, local, ib.nextHops(remotes, b.be.opts.Router, b.be.clock.Now()), cfg.InBandQueue)
	active := len(ib.rules) > 0
	for f, r := range ib.rules {
		if !want[f] {
			b.removeHidden(r)
			delete(ib.rules, f)
		}
	}
	if ib.rules == nil {
		ib.rules = map[inBandFlow]*pipeline.Rule{}
	}
	for f := range want {
		if ib.rules[f] == nil {
			ib.rules[f] = b.addHidden(&f.match, f.priority, f.actions())
		}
	}
	if active != (len(want) > 0) {
		b.be.mu.Lock()
		b.inBand = len(want) > 0
		b.be.invalidate()
		b.be.mu.Unlock()
	}
}

func (f *inBandFlow) actions() []openflow.Action {
	normal := &openflow.Output{Port: openflow.PortNormal}
	if f.queue < 0 {
		return []openflow.Action{normal}
	}
	return []openflow.Action{&openflow.SetQueue{Queue: uint32(f.queue)}, normal}
}

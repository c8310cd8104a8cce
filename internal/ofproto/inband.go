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

// Priorities of the hidden flows, all above what OpenFlow can give a flow. Those
// of IPv6 stand beside their likes of IPv4, with neighbour discovery (RFC 4861)
// for ARP; Open vSwitch has none.
const (
	inBandFromLocalDHCP  = 180000 + iota // (a) DHCP requests of the local port; also its router solicitations, and the answers
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
// remotes, for each next hop, each remote's address, and each remote. local is
// the address of the local port.
func inBandFlows(remotes []netip.AddrPort, local packet.MAC, hops []hop, queue int) map[inBandFlow]bool {
	l := inBandList{queue: queue, flows: map[inBandFlow]bool{}}
	var v4, v6 bool
	for _, r := range remotes {
		v4, v6 = v4 || r.Addr().Is4(), v6 || r.Addr().Is6()
	}
	if v4 && !local.IsZero() {
		l.local4(macValue(local))
	}
	if v6 && !local.IsZero() {
		l.local6(macValue(local))
	}
	for _, h := range hops {
		request, reply := resolution(h.v6)
		l.add(inBandToNextHopARP, reply, setting{flow.FieldEthDst, macValue(h.mac)})
		l.add(inBandFromNextHopARP, request, setting{flow.FieldEthSrc, macValue(h.mac)})
	}
	for _, r := range remotes {
		l.remote(r)
	}
	return l.flows
}

// inBandList gathers the flows of [inBandFlows].
type inBandList struct {
	queue int
	flows map[inBandFlow]bool
}

func (l *inBandList) add(priority int, proto []setting, settings ...setting) {
	f := inBandFlow{priority: priority, queue: l.queue}
	for _, list := range [][]setting{proto, settings} {
		for _, s := range list {
			f.match.SetExact(s.field.Field(), s.value)
		}
	}
	l.flows[f] = true
}

// resolution is what a request for the Ethernet address of an IP address looks
// like, and the answer: of ARP, or of neighbour discovery (RFC 4861, 4.3, 4.4).
func resolution(v6 bool) (request, reply []setting) {
	if v6 {
		const solicitation, advertisement = 135, 136
		return icmp6(solicitation), icmp6(advertisement)
	}
	arp := setting{flow.FieldEthType, flow.V(packet.EtherTypeARP)}
	return []setting{arp, {flow.FieldARPOp, flow.V(1)}}, []setting{arp, {flow.FieldARPOp, flow.V(2)}}
}

// transport is a protocol on one version of IP.
func transport(v6 bool, proto uint64) []setting {
	typ := flow.V(packet.EtherTypeIPv4)
	if v6 {
		typ = flow.V(packet.EtherTypeIPv6)
	}
	return []setting{{flow.FieldEthType, typ}, {flow.FieldIPProto, flow.V(proto)}}
}

func icmp6(typ uint64) []setting {
	const icmpv6 = 58
	return append(transport(true, icmpv6), setting{flow.FieldICMPv6Type, flow.V(typ)})
}

// IP protocols.
const (
	protoTCP = 6
	protoUDP = 17
)

// local4 lists what the local port needs to get an IPv4 address and to be found.
func (l *inBandList) local4(mac flow.Value) {
	const server, client = 67, 68
	request, reply := resolution(false)
	l.add(inBandFromLocalDHCP, transport(false, protoUDP), inPortLocal(), setting{flow.FieldEthSrc, mac},
		setting{flow.FieldUDPSrc, flow.V(client)}, setting{flow.FieldUDPDst, flow.V(server)})
	l.add(inBandToLocalARP, reply, setting{flow.FieldEthDst, mac})
	l.add(inBandFromLocalARP, request, setting{flow.FieldEthSrc, mac})
}

// local6 is local4 for IPv6: DHCPv6 (RFC 8415, 7.2) and the way to a router and a
// prefix (RFC 4861, 4.1 and 4.2), whose advertisements come to the local port or
// to all nodes.
func (l *inBandList) local6(mac flow.Value) {
	const server, client = 547, 546
	const routerSolicitation, routerAdvertisement = 133, 134
	allNodes := macValue(packet.MAC{0x33, 0x33, 0, 0, 0, 1})
	request, reply := resolution(true)
	l.add(inBandFromLocalDHCP, transport(true, protoUDP), inPortLocal(), setting{flow.FieldEthSrc, mac},
		setting{flow.FieldUDPSrc, flow.V(client)}, setting{flow.FieldUDPDst, flow.V(server)})
	l.add(inBandFromLocalDHCP, icmp6(routerSolicitation), inPortLocal(), setting{flow.FieldEthSrc, mac})
	l.add(inBandFromLocalDHCP, icmp6(routerAdvertisement), setting{flow.FieldEthDst, mac})
	l.add(inBandFromLocalDHCP, icmp6(routerAdvertisement), setting{flow.FieldEthDst, allNodes})
	l.add(inBandToLocalARP, reply, setting{flow.FieldEthDst, mac})
	l.add(inBandFromLocalARP, request, setting{flow.FieldEthSrc, mac})
}

func inPortLocal() setting {
	return setting{flow.FieldInPortOXM, flow.V(uint64(openflow.PortLocal))}
}

// remote lists what is needed to find a remote and to speak to it.
func (l *inBandList) remote(r netip.AddrPort) {
	v6 := r.Addr().Is6()
	request, reply := resolution(v6)
	addr, port := ipValue(r.Addr()), flow.V(uint64(r.Port()))
	src, dst, asks, asked := flow.FieldIPv4Src, flow.FieldIPv4Dst, flow.FieldARPSPA, flow.FieldARPTPA
	if v6 {
		src, dst = flow.FieldIPv6Src, flow.FieldIPv6Dst
		asks, asked = src, dst
	}
	l.add(inBandToRemoteARP, reply, setting{asked, addr})
	l.add(inBandFromRemoteARP, request, setting{asks, addr})
	tcp := transport(v6, protoTCP)
	l.add(inBandToRemoteTCP, tcp, setting{dst, addr}, setting{flow.FieldTCPDst, port})
	l.add(inBandFromRemoteTCP, tcp, setting{src, addr}, setting{flow.FieldTCPSrc, port})
}

// setting is a field that a hidden flow matches exactly.
type setting struct {
	field flow.FieldID
	value flow.Value
}

func macValue(m packet.MAC) flow.Value { return flow.V(m.Uint64()) }

func ipValue(a netip.Addr) flow.Value { return flow.ValueFromBytes(a.AsSlice()) }

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

// Remote is the endpoint that an active connection method names by its IP
// address, which in-band control can carry the traffic of.
func Remote(target string, defPort int) (netip.AddrPort, bool) {
	p, err := stream.Parse(target, defPort, "")
	if err != nil || p.Passive || p.Kind == "unix" {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(p.Host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(p.Port)), true
}

// hop is the next hop on the way to a remote.
type hop struct {
	mac packet.MAC
	v6  bool // the remote is an IPv6 address
}

// nextHops finds the addresses of the next hops. It looks at the host's tables
// only when it is time to.
func (ib *inBand) nextHops(remotes []netip.AddrPort, route Router, now time.Time) []hop {
	if route == nil {
		return nil
	}
	var out []hop
	known := map[netip.Addr]nextHop{}
	for _, r := range remotes {
		next, ok := ib.hops[r.Addr()]
		if !ok || !now.Before(next.due) {
			if mac, ok := route(r.Addr()); ok {
				next = nextHop{mac, now.Add(hopKnown)}
			} else {
				next.due = now.Add(hopUnknown)
			}
		}
		known[r.Addr()] = next
		if !next.mac.IsZero() {
			out = append(out, hop{next.mac, r.Addr().Is6()})
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

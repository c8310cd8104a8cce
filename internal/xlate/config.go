// Package xlate translates: given the programmed state of the bridges and a
// packet's key, it says what a data path is to do with the packet, and with
// every other packet that agrees in certain bits. It does no I/O; what a
// packet has to cause besides (counters, learned addresses) it returns as
// Effects. Upcalls, revalidation, packet-out and ofproto/trace share it.
package xlate

import (
	"weir/internal/datapath"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
	"weir/internal/protocol/maclearn"
	"weir/internal/tunnel"
	"weir/internal/tunnel/neigh"
	"weir/internal/tunnel/route"
)

// Config is an immutable snapshot of what translation depends on besides flow
// tables and MAC tables, which keep their identity between snapshots and are
// safe to read while they change. The bridge layer builds a new one on each
// change of ports, bundles or settings and swaps it in whole.
type Config struct {
	Bridges map[string]*Bridge
	// ByDP finds the port behind a data path port; Tunnels that of a packet that
	// came through a tunnel, of which many may share a data path port. PortOf
	// asks both.
	ByDP     map[datapath.PortNo]*Port
	Tunnels  tunnel.Table[*Port]
	Features datapath.Features
	// DevicesFirst has the devices of the data path carry the tunnels that they can
	// carry, wherever routes lead.
	DevicesFirst bool
	// Hosts are the ports that the host has its end of, by name: the bridges' local
	// and other internal ports, on which it has its addresses.
	Hosts map[string]*Port
	// Listeners are the tunnels whose packets come out of a port of Hosts, by the
	// data path's port.
	Listeners []Listener
	// QueuePriority is the packet priority that means a queue to the data path;
	// nil: the queue's number.
	QueuePriority func(queue uint32) uint32
	// Recircs holds the states of packets that come back by recirculation and
	// of those on their way to a controller. Shared by all snapshots.
	Recircs *Recircs
	// Reach is how tunnels find their other ends where translation builds the outer
	// headers; nil: devices of the data path do. Shared by all snapshots.
	Reach *Reach
	// Drops counts packets by the reason for which they go nowhere; nil: nothing
	// does. Shared by all snapshots.
	Drops *Drops
}

// Reach is by which routes and neighbours tunnels of the user-space data path reach
// their other ends. Its members are safe to read while they change.
type Reach struct {
	Routes     *route.Table
	Neighbours *neigh.Cache
	Egress     *tunnel.EgressPorts
}

// Bridge is one bridge of a Config.
type Bridge struct {
	Name string
	// ID names the bridge in data path cookies.
	ID       [16]byte
	Pipeline *pipeline.Pipeline
	MACs     *maclearn.Table
	Ports    map[openflow.PortNo]*Port
	// Order is the ports by OpenFlow number, in which FLOOD and ALL send.
	Order []*Port
	// Bundles are in the order in which NORMAL floods: that of their coming.
	Bundles []*Bundle
	Mirrors []*Mirror // at most MaxMirrors

	// ForwardBPDU forwards reserved multicast frames instead of dropping them.
	ForwardBPDU bool
	// Frags is the handling of IP fragments (OFPT_SET_CONFIG).
	Frags openflow.FragHandling
	// HasController reports whether a controller is connected or configured,
	// so that a table miss goes to it.
	HasController bool
	MissSendLen   uint16
	// MeterID gives the data path's meter of a meter of the bridge; nil where the
	// data path has none.
	MeterID func(id uint32) (dp uint32, ok bool)
	// InBand has DHCP replies reach the local port whatever the flows say (in-band
	// control).
	InBand bool
	// Fates are credited with the packets that match no flow.
	Fates Fates
	// Miss is what a packet that matches no flow meets where a table's
	// configuration doesn't say: MissController or MissDrop.
	Miss openflow.TableMiss
}

// Fates are flows of the internal table, each for one fate of packets that match
// no flow; nil where nobody counts them.
type Fates struct {
	ToController *pipeline.Rule
	Drop         *pipeline.Rule // no controller is to get it
	Fragment     *pipeline.Rule // fragments are dropped (OFPC_FRAG_DROP)
}

// VLANMode says how a bundle takes part in VLANs (ovs-vswitchd.conf.db(5),
// Port, vlan_mode).
type VLANMode uint8

// VLAN modes.
const (
	VLANTrunk VLANMode = iota
	VLANAccess
	VLANNativeTagged
	VLANNativeUntagged
	VLANDot1qTunnel
)

// PriorityTags says when a packet leaves without a VLAN with a priority tag
// (Port, other_config:priority-tags).
type PriorityTags uint8

// Values of PriorityTags.
const (
	PriorityTagsNever     PriorityTags = iota
	PriorityTagsIfNonZero              // "if-nonzero", "true"
	PriorityTagsAlways                 // "always"
)

// VLANSet is a set of VLAN ids; nil means all.
type VLANSet [64]uint64

// Has reports whether vid is in the set.
func (s *VLANSet) Has(vid uint16) bool {
	return s == nil || s[vid&0xfff/64]>>(vid%64)&1 != 0
}

// NewVLANSet makes a set; of no ids it is nil, all.
func NewVLANSet(vids []uint16) *VLANSet {
	if len(vids) == 0 {
		return nil
	}
	s := new(VLANSet)
	for _, v := range vids {
		s[v&0xfff/64] |= 1 << (v % 64)
	}
	return s
}

// Bundle is a Port of the database: one or more OpenFlow ports that are one for
// VLANs and MAC learning.
type Bundle struct {
	Bridge       *Bridge
	Name         string
	Ports        []*Port
	VLANMode     VLANMode
	VLAN         int // of access, native and tunnel modes; -1: none
	Trunks       *VLANSet
	CVLANs       *VLANSet
	QinQEthType  uint16
	PriorityTags PriorityTags
	Protected    bool
	// MirrorSrc are the mirrors of what comes in, MirrorDst of what goes out.
	// MirrorOut says that only mirrors may send here.
	MirrorSrc, MirrorDst MirrorSet
	MirrorOut            bool
	// Owner is what the MAC tables know the bundle by; it outlives snapshots.
	Owner any
}

// PortConfig is the OpenFlow configuration and state of a port.
type PortConfig uint8

// Bits of PortConfig.
const (
	PortDown     PortConfig = 1 << iota // administratively down (OFPPC_PORT_DOWN)
	PortNoRecv                          // OFPPC_NO_RECV
	PortNoFlood                         // OFPPC_NO_FLOOD
	PortNoFwd                           // OFPPC_NO_FWD
	PortNoPktIn                         // OFPPC_NO_PACKET_IN
	PortLinkDown                        // OFPPS_LINK_DOWN
	PortNoSTP
)

// PacketTypes says which packets a port can carry (ovs-vswitchd.conf.db(5),
// Interface, options:packet_type).
type PacketTypes uint8

// Values of PacketTypes.
const (
	PacketsL2  PacketTypes = iota // Ethernet frames only
	PacketsL3                     // packets without Ethernet header only
	PacketsAny                    // every type
)

// Port is one OpenFlow port.
type Port struct {
	Bridge *Bridge
	Bundle *Bundle // nil: in no bundle; such a port takes no part in NORMAL
	Name   string
	No     openflow.PortNo
	// DP is the data path port, PortNone for a patch port.
	DP     datapath.PortNo
	Peer   *Port // the other end of a patch port; nil without one
	Patch  bool
	Host   bool // of Config.Hosts
	Config PortConfig
	MAC    packet.MAC
	// DSCP marks what leaves by a queue, by the queue's packet priority.
	DSCP map[uint32]uint8
	// PacketTypes says what the device carries.
	PacketTypes PacketTypes
	// Counters of a patch or tunnel port, credited by effects; nil elsewhere.
	Stats *PortStats
	// Out outputs to DP; immutable and shared by results. It may be nil.
	Out *datapath.Output
	// Tunnel is what the options of a tunnel port ask for, nil on others.
	Tunnel *tunnel.Config
	// Carried: the data path's port carries a tunnel's packets itself, where no
	// bridge leads to its end.
	Carried bool
	// NoLearn and NoForward are those of a spanning tree state.
	NoLearn, NoForward bool
}

// Up reports whether the port can carry traffic.
func (p *Port) Up() bool { return p.Config&(PortDown|PortLinkDown) == 0 }

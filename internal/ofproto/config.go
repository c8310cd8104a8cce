// Package ofproto is the bridge object: the ports and bundles of one bridge,
// its flow tables, the OpenFlow sessions of its controllers, and the wiring of
// translation, protocols and exporters to a data path.
//
// This file is the vocabulary that the configuration layer (package vswitchd)
// speaks to a bridge: plain values, compared and applied as a whole.
package ofproto

import (
	"net/netip"
	"time"

	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/ratelimit"
	"weir/internal/xlate"
)

// Config is the configuration of a bridge apart from its ports and controllers.
type Config struct {
	Name string
	// DPID is the OpenFlow datapath identifier.
	DPID uint64
	// Versions are the OpenFlow versions to negotiate, as wire numbers
	// (1 for 1.0 .. 6 for 1.5); empty means the default set.
	Versions []uint8
	// Secure is fail_mode "secure": no flow of its own while no controller is
	// connected. Otherwise the bridge is standalone: a normal switch.
	Secure bool
	// Description for OFPMP_DESC; empty members have defaults.
	Manufacturer, Hardware, Software, Serial, Description string

	MACAging      time.Duration // 0: 300 s
	MACTableSize  int           // 0: 8192
	FloodVLANs    []uint16      // VLANs without learning
	ForwardBPDU   bool
	DisableInBand bool
	InBandQueue   int // of the flows of in-band control; negative: none
	// Managers are remotes of in-band control beside the controllers. The slice
	// is not changed.
	Managers []netip.AddrPort
	Tables   map[uint8]TableConfig
	Mirrors  []MirrorConfig // at most xlate.MaxMirrors
}

// MirrorConfig is one mirror (ovs-vswitchd.conf.db(5), Mirror). Ports are named
// as bundles are; one that isn't there has no effect until it comes.
type MirrorConfig struct {
	ID        string // names it in [Bridge.MirrorStats]
	Name      string
	SelectAll bool
	Src, Dst  []string // bundles whose packets are selected as they come in or go out
	VLANs     []uint16 // empty: all
	Filter    *flow.Match
	OutPort   string // empty: OutVLAN
	OutVLAN   uint16
	Snaplen   uint32 // 0: whole packets
}

// MirrorStats counts what a mirror copied.
type MirrorStats struct{ Packets, Bytes uint64 }

// TableConfig is the configuration of one flow table.
type TableConfig struct {
	Name     string
	Limit    int // most flows, -1 for any number
	Evict    bool
	Groups   []string // subfields by which eviction is fair
	Prefixes []string // fields with prefix tracking
}

// ControllerKind says whom a controller entry serves.
type ControllerKind uint8

// Kinds of controller (ovs-vswitchd.conf.db(5), Controller, type).
const (
	// PrimaryController takes part in fail_mode and asynchronous messages.
	PrimaryController ControllerKind = iota
	// ServiceController is for ovs-ofctl(8) and the like.
	ServiceController
	// SnoopController receives a copy of what the primary controllers exchange.
	SnoopController
)

// ControllerConfig is one configured controller or listener. Target names it.
type ControllerConfig struct {
	Target     string // tcp: ssl: unix: ptcp: pssl: punix:
	Kind       ControllerKind
	MaxBackoff time.Duration // 0: 8 s
	Probe      time.Duration // negative: default (5 s); 0: no probes
	OutOfBand  bool
	// NoAsync withholds asynchronous messages until the controller asks.
	NoAsync    bool
	RateLimit  int // packet-ins per second for each reason, 0 for no limit
	BurstLimit int // packet-ins that may wait for the rate; 0: a quarter of RateLimit
	QueueSize  int // packet-ins that may wait to be written; 0: 100
	DSCP       int // of the connection, 0 to 63
	// MaxConnections is how many connections a listener accepts at a time; 0: 1024.
	MaxConnections int
}

// ControllerStatus is what the Controller table says about a target.
type ControllerStatus struct {
	Connected bool
	Role      string // "other", "master", "slave", "" when unknown
	// State is as in the reconnect state machine: "ACTIVE", "BACKOFF", ...
	State              string
	LastError          string
	SecSinceConnect    int64 // -1: never
	SecSinceDisconnect int64 // -1: never
	// PacketIns counts what the rate limits did to packet-ins since the
	// connection came up, by reason: "miss" and "action". It is nil without a
	// limit or a connection.
	PacketIns map[string]ratelimit.Stats
}

// PortConfig is one port to be added.
type PortConfig struct {
	Name   string
	Type   string // as in Interface.type with its default filled in
	Device netdev.Device
	// Request is the wished OpenFlow port number, 0 for any. PortLocal is the
	// bridge's own port.
	Request openflow.PortNo
	// Peer is the other end of a patch port, by port name.
	Peer string
}

// VLANMode says how a bundle takes part in VLANs.
type VLANMode = xlate.VLANMode

// VLAN modes.
const (
	VLANTrunk          = xlate.VLANTrunk
	VLANAccess         = xlate.VLANAccess
	VLANNativeTagged   = xlate.VLANNativeTagged
	VLANNativeUntagged = xlate.VLANNativeUntagged
	VLANDot1qTunnel    = xlate.VLANDot1qTunnel
)

// PriorityTags says when an untagged packet leaves with a tag of VLAN 0.
type PriorityTags = xlate.PriorityTags

// Values of PriorityTags.
const (
	PriorityTagsNever     = xlate.PriorityTagsNever
	PriorityTagsIfNonZero = xlate.PriorityTagsIfNonZero
	PriorityTagsAlways    = xlate.PriorityTagsAlways
)

// BundleConfig is a Port of the database: one or more OpenFlow ports that act
// as one for VLANs and MAC learning.
type BundleConfig struct {
	Name         string
	Ports        []openflow.PortNo
	VLANMode     VLANMode
	VLAN         int      // tag of access, native and tunnel modes; -1: none
	Trunks       []uint16 // empty: all
	CVLANs       []uint16
	QinQEthType  uint16 // 0x8100 or 0x88a8
	PriorityTags PriorityTags
	Protected    bool
	// QueueDSCP marks packets that leave by a queue (ovs-vswitchd.conf.db(5),
	// Queue, dscp).
	QueueDSCP map[uint32]uint8
}

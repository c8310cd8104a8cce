// Package netdev is how the switch sees network devices: the Device interface,
// the Packet that devices receive and send in batches, and the kinds of device
// (linux, tap, internal, patch, tunnel, dummy).
package netdev

import (
	"net/netip"

	"weir/internal/flow"
	"weir/internal/packet"
)

// Offload is what the kernel left undone in a packet, as in struct
// virtio_net_hdr: a partial checksum, a super-packet to be segmented. It must
// go out with the packet as it came in, unless a header is changed.
type Offload struct {
	Flags     uint8 // VIRTIO_NET_HDR_F_*
	GSOType   uint8 // VIRTIO_NET_HDR_GSO_*
	HdrLen    uint16
	GSOSize   uint16
	CsumStart uint16
	CsumOff   uint16
}

// Packet is a frame with its metadata. Data may grow at its front into the
// headroom of Buf (Headroom bytes before Data).
type Packet struct {
	Buf     []byte // the whole buffer
	Off     int    // where the frame starts in Buf
	Len     int    // length of the frame
	Offload Offload
	Mark    uint32
	Prio    uint32
	RxHash  uint32
	// Tunnel is the outer headers of a packet of a tunnel's device, as they were
	// or are to be; nil on others. Of a received packet it is valid until the
	// next Recv.
	Tunnel *Outer
}

// Outer is the outer headers of a packet of a tunnel's device.
type Outer struct {
	flow.Tunnel
	Options []byte // of Geneve, as they stand in its header
}

// Data is the frame.
func (p *Packet) Data() []byte { return p.Buf[p.Off : p.Off+p.Len] }

// Flags are the administrative and link state of a device.
type Flags uint8

// Bits of Flags.
const (
	Up      Flags = 1 << iota // administratively up
	Running                   // has carrier
	Promiscuous
	Loopback
)

// Stats are the counters of a device, as in the statistics column of
// Interface (ovs-vswitchd.conf.db(5)); a counter that a device can't give is
// ^uint64(0).
type Stats struct {
	RxPackets, TxPackets, RxBytes, TxBytes          uint64
	RxErrors, TxErrors, RxDropped, TxDropped        uint64
	Multicast, Collisions                           uint64
	RxOverErr, RxCRCErr, RxFrameErr, RxMissedErrors uint64
}

// Device is an open network device. Methods may be called from any goroutine,
// Recv from one at a time per queue.
type Device interface {
	Name() string
	// Type is as in Interface.type: "system", "internal", "tap", "patch",
	// "dummy", ...
	Type() string
	// Ifindex is the kernel's index, 0 where there is none.
	Ifindex() int

	MAC() packet.MAC
	SetMAC(packet.MAC) error
	MTU() int
	SetMTU(int) error
	Flags() Flags
	SetFlags(set, clear Flags) error
	// CarrierResets counts the times that the carrier went down and came up.
	CarrierResets() uint64
	Stats() (Stats, error)
	// Status is for Interface.status: driver_name and so on.
	Status() map[string]string
	// Speed is bits per second and the duplex; 0 where unknown.
	Speed() (bps uint64, fullDuplex bool)
	// Changes counts what could alter any of the answers above, so that a
	// reader sees at a glance whether to ask again.
	Changes() uint64

	// NumRxQueues is 0 for devices that are not read from by polling (patch).
	NumRxQueues() int
	// RecvFD is the descriptor that becomes readable when queue q has packets,
	// -1 when there is none and the device is a [Notifier].
	RecvFD(q int) int
	// Recv fills as many of batch as there are packets now, without blocking,
	// and returns their number. The packets' buffers are the caller's: Recv
	// writes into each Packet's Buf at its headroom.
	Recv(q int, batch []Packet) (int, error)
	// Send sends the packets; it may not keep or change them. It returns the
	// number sent; the rest are counted as tx_dropped.
	Send(q int, batch []*Packet) (int, error)

	Close() error
}

// SendDrop is why a device did not send a packet.
type SendDrop uint8

// Reasons for which packets are not sent.
const (
	SendTooLong SendDrop = iota // longer than the device's MTU
	SendDown                    // the device is down, or its link is
	SendBusy                    // its queue is full
	SendRefused                 // for another reason
	NumSendDrops
)

// SendDrops counts packets by why they were not sent.
type SendDrops [NumSendDrops]uint64

// SendDropTeller is a Device that knows why it did not send packets. What is counted
// as tx_dropped beyond that, something behind the device dropped.
type SendDropTeller interface{ SendDrops() SendDrops }

// Notifier is a Device without descriptors: it calls notify whenever queue q
// may have packets, in the goroutine that brought them, which must not hold a
// lock of the device. A nil function turns notification off.
type Notifier interface {
	SetNotify(notify func(q int))
}

// Configurer is a Device whose options can change while it is open.
type Configurer interface {
	// SetOptions applies the options of the Interface.
	SetOptions(options map[string]string) error
	// Options are those in effect, as dpctl/show prints them after the type.
	Options() map[string]string
}

// CustomStat is one counter beyond Stats, as in Interface.statistics.
type CustomStat struct {
	Name  string
	Value uint64
}

// CustomStatser is a Device with counters of its own.
type CustomStatser interface {
	CustomStats() []CustomStat
}

// Addresser is a Device whose IPv4 address can be set: the address with its
// netmask, and the gateway if it is valid.
type Addresser interface {
	SetIPv4(addr netip.Prefix, gateway netip.Addr) error
}

// Headroom is the space that Recv leaves in a buffer before the frame, for
// headers to be pushed.
const Headroom = 128

// MaxFrame is the largest frame of a device: an IP packet of 64 kB with its
// Ethernet header and tags.
const MaxFrame = 65536 + 64

// NewPacket makes a packet with room for a frame of size bytes.
func NewPacket(size int) Packet {
	return Packet{Buf: make([]byte, Headroom+size), Off: Headroom}
}

// PacketOf makes a packet that holds a copy of frame, with headroom.
func PacketOf(frame []byte) Packet {
	p := NewPacket(len(frame))
	p.Len = copy(p.Buf[p.Off:], frame)
	return p
}

// SetFrame makes a copy of frame the packet's content, as freshly received;
// what doesn't fit is cut off.
func (p *Packet) SetFrame(frame []byte) {
	*p = Packet{Buf: p.Buf, Off: Headroom}
	p.Len = copy(p.Buf[Headroom:], frame)
}

// Queue is one transmit queue that a device tells apart; a counter of ^0 is
// unknown.
type Queue struct {
	ID                           uint32
	TxBytes, TxPackets, TxErrors uint64
}

// Queuer is a Device that has queues of its own, which OpenFlow can ask about.
type Queuer interface{ Queues() []Queue }

// BusyPolled is a Device that says whether only the polling threads of a data
// path in user space may read it, even where that data path handles packets of
// other devices without threads.
type BusyPolled interface{ BusyPolled() bool }

// NodeTeller is a Device that knows the memory node (NUMA) it is attached to.
type NodeTeller interface{ Node() int }

// TxQueuer is a Device that sends on several queues, of which the first
// argument of Send picks one.
type TxQueuer interface{ NumTxQueues() int }

package program

import (
	"unsafe"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// Version of the layout. Memory of another version can't be adopted.
const Version = 3 + otherLayout

// Names under which regions and programs are pinned, in one directory.
const (
	pinHeader    = "header"
	pinBuckets   = "buckets"
	pinEntries   = "entries"
	pinCodes     = "codes"
	pinMasks     = "masks"
	pinStats     = "stats"
	pinPorts     = "ports"
	pinPortStats = "portstats"
	pinPortDrops = "portdrops"
	pinMeters    = "meters"
	pinHints     = "hints"
	pinCounters  = "counters"
	pinScratch   = "scratch"
	pinPrograms  = "programs"
)

// dpWords is the number of words of a key that a data path looks at, stackKey
// the size of the key on a program's stack.
const (
	dpWords  = flow.NumWords - flow.FirstDatapathWord
	keyBytes = dpWords * 8
)

// words is the data path's part of a key.
type words = [dpWords]uint64

func keyWords(k *flow.Key) *words { return (*words)(k.Words()[flow.FirstDatapathWord:]) }

// wordOf is the index in words of a member of flow.Key at an offset.
func wordOf(offset uintptr) int { return int(offset)/8 - flow.FirstDatapathWord }

// Config is the dimensions of a data path. Zero members mean the defaults.
type Config struct {
	// MaxFlows is how many flows fit (200,000). All memory is allocated at
	// once: about 230 bytes a flow, and 32 more for each CPU.
	MaxFlows int
	// MaxPorts is one more than the highest port number (4096; a power of two).
	MaxPorts int
	// MaxMasks is how many masks main looks up (128); flows with others go to
	// user space.
	MaxMasks int
	// MaxMeters is one more than the highest meter number (1024).
	MaxMeters int
	// VLANLimit is how many tags are looked at, 1 or 2 (flow.VLANLimit).
	VLANLimit int
	// Kernel says what the running kernel can do.
	Kernel Kernel
}

// Kernel is what programs may use. The caller probes.
type Kernel struct {
	RedirectPeer bool // bpf_redirect_peer
	CsumIPv6     bool // BPF_F_IPV6 of bpf_l4_csum_replace
}

// PortFlags say what kind of device a port is.
type PortFlags uint32

// Bits of PortFlags.
const (
	// PortToStack marks an internal port: output is received by the host's
	// stack from the device.
	PortToStack PortFlags = 1 << iota
	// PortPeer asks for bpf_redirect_peer: right for a veth whose peer is in
	// another namespace. Its device doesn't see the packets: [Set.PortStats]
	// has them.
	PortPeer
	// PortTunnel marks a collect-metadata tunnel device.
	PortTunnel
	// PortDown marks a device that is down, or whose link is: the kernel drops what
	// is sent there. MaxLen is 1 then, so that packets meet the check for it.
	PortDown
)

// Port is where the packets of a port go.
type Port struct {
	Ifindex uint32 // 0: no such port, packets for it are dropped and counted
	Flags   PortFlags
	// Upcall is the index of the device that takes the port's packets to user
	// space.
	Upcall uint32
	// MaxLen is the longest frame in bytes without its outermost tag, which the
	// kernel holds beside it; 0: any. It doesn't hold super-packets, whose segments are shorter.
	MaxLen uint32
}

// PortCount is what the programs sent out of a port or received on it past its
// device.
type PortCount struct{ TxPackets, TxBytes uint64 }

// PortDrops is what was to be sent out of a port and was not.
type PortDrops struct {
	TooLong uint64 // longer than Port.MaxLen
	Down    uint64 // met by PortDown, and dropped by the kernel
}

// Stats of a flow as the programs keep them. Used is nanoseconds of
// CLOCK_MONOTONIC at the resolution of a tick, 0 for never.
type Stats struct {
	Packets, Bytes uint64
	Used           int64
	TCPFlags       uint16
}

// statsSlot is Stats in memory.
type statsSlot struct {
	packets, bytes, used, flags uint64
}

// Counters of a CPU, or of all.
type Counters struct {
	Hits     uint64 // packets that a flow matched
	HintHits uint64 // of these, by the hinted mask
	Probes   uint64 // masks looked up
	Misses   uint64 // no flow matched
	Actions  uint64 // went to user space by an action
	Slow     uint64 // went to user space for what programs can't do
	NoPort   uint64 // output to a port that isn't there
	Lost     uint64 // could not be handed to user space
}

// slot of a bucket: the tag in the high half, the entry's place in units of
// entryUnit in the low half; 0 is free.
type slot = uint64

const (
	bucketSlots = 4
	bucketBytes = bucketSlots * 8
	entryUnit   = 32
)

// entry is the fixed part of a flow in memory; the masked words follow.
type entry struct {
	mask   uint32 // number of the mask
	stats  uint32 // index of the statistics
	action uint64 // what to do: see action below
	ufid   datapath.UFID
}

const entryBytes = int(unsafe.Sizeof(entry{}))

// maxEntry is the size of the largest entry.
const maxEntry = (entryBytes + keyBytes + entryUnit - 1) / entryUnit * entryUnit

// An entry's action is the place of its code in units of 8 bytes in the low
// half; in the high half the port, if all it does is to output there, else
// noPort.
const noPort = 0xffffffff

// headerRegion is the region of that name.
type headerRegion struct {
	Magic, Version                                   uint32
	MaxFlows, MaxPorts, MaxMasks, MaxMeters, NumCPUs uint32
	VLANLimit                                        uint32
	Seed                                             uint64
	Zero                                             uint64 // always; the verifier doesn't know
	_                                                [3]uint64
}

const headerZero = int(unsafe.Offsetof(headerRegion{}.Zero))

const headerMagic = 0x72696577 // "weir"

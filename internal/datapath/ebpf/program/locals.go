package program

import (
	"unsafe"

	"weir/internal/flow"
)

// The stack of main: the key at the bottom, locals above it. Offsets from R10.
const (
	stackKey   = -int16(keyBytes) - 64
	stackLocal = -64

	localL3     = stackLocal      // byte: where the network header is
	localL4     = stackLocal + 2  // 2 bytes: where the layer-4 header is, 0 for none
	localFlags  = stackLocal + 8  // 8 bytes: TCP flags
	localEnd    = stackLocal + 16 // 8 bytes: where the network packet ends
	localFrag   = stackLocal + 24 // byte: flow.Key.NwFrag of IPv6
	localProto  = stackLocal + 25 // byte: protocol
	localHint   = stackLocal + 32 // 8 bytes: offset of the hint
	localSLL    = stackLocal + 40 // 8 bytes: source link-layer address
	localTLL    = stackLocal + 48 // 8 bytes: target link-layer address
	localOption = stackLocal + 56 // byte: flow.Key.NDOptionsType
)

// stackWord is where a word of the key is on the stack.
func stackWord(w int) int16 { return stackKey + 8*int16(w) }

// Words of the key that extraction fills.
var (
	wTunnel   = wordOf(unsafe.Offsetof(flow.Key{}.Tunnel))
	wPrioMark = wordOf(unsafe.Offsetof(flow.Key{}.SkbPriority))
	wHashID   = wordOf(unsafe.Offsetof(flow.Key{}.DPHash))
	wInPort   = wordOf(unsafe.Offsetof(flow.Key{}.InPort))
	wCT       = wordOf(unsafe.Offsetof(flow.Key{}.CTState))
	wEth      = wordOf(unsafe.Offsetof(flow.Key{}.EthDst))
	wVLANs    = wordOf(unsafe.Offsetof(flow.Key{}.VLANs))
	wMPLS     = wordOf(unsafe.Offsetof(flow.Key{}.MPLS))
	wIPv4     = wordOf(unsafe.Offsetof(flow.Key{}.IPSrc))
	wIPv6     = wordOf(unsafe.Offsetof(flow.Key{}.IPv6Src))
	wCTIP     = wordOf(unsafe.Offsetof(flow.Key{}.CTIPSrc))
	wNw       = wordOf(unsafe.Offsetof(flow.Key{}.IPv6Label))
	wNDTarget = wordOf(unsafe.Offsetof(flow.Key{}.NDTarget))
	wARP      = wordOf(unsafe.Offsetof(flow.Key{}.ARPSHA))
	wNDRsv    = wordOf(unsafe.Offsetof(flow.Key{}.NDReserved))
	wNSH      = wordOf(unsafe.Offsetof(flow.Key{}.NSH))
	wTp       = wordOf(unsafe.Offsetof(flow.Key{}.TpSrc))
)

package program

import (
	"unsafe"

	"weir/internal/flow"
)

// The stack of main, as offsets from R10: locals at the top; then the words of
// the key that some mask looks at, and a word that nothing uses.
const (
	localL3     = -7  // byte: where the network header is
	localL4     = -6  // 2 bytes: where the layer-4 header is, 0 for none
	localFrag   = -4  // byte: flow.Key.NwFrag of IPv6
	localProto  = -3  // byte: protocol
	localFlags  = -16 // 8 bytes: TCP flags
	localHint   = -24 // 8 bytes: offset of the hint
	localHinted = -32 // 2 bytes: the rank of the mask hinted at
	localJoin   = -30 // 2 bytes: see builder.join
	localRank   = -28 // 2 bytes: that of the mask found
	stackLocal  = -32
)

// frame is where the words of a key are on the stack.
type frame struct {
	slots [dpWords]int16 // 0: nowhere
	idle  int16          // the word that nothing uses, the lowest
}

// newFrame makes room for the words that want has bits of. Those of the tunnel
// go together.
func newFrame(want *words) frame {
	f := frame{idle: stackLocal - 8}
	tunnel := false
	for w := wTunnel; w < wTunnel+tunnelWords; w++ {
		tunnel = tunnel || want[w] != 0
	}
	for w := dpWords - 1; w >= 0; w-- {
		if want[w] != 0 || tunnel && w >= wTunnel && w < wTunnel+tunnelWords {
			f.slots[w] = f.idle
			f.idle -= 8
		}
	}
	return f
}

// word is where a word of the key is.
func (f *frame) word(w int) int16 {
	if f.slots[w] == 0 {
		panic("program: a word of the key that no mask looks at")
	}
	return f.slots[w]
}

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

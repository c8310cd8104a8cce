package classifier

import (
	"math/bits"
	"unsafe"

	"weir/internal/flow"
)

// Where the transport ports stand in a key. Source and destination are taken
// as one number of 32 bits, source first.
const (
	portsWord  = uint16(unsafe.Offsetof(flow.Key{}.TpSrc) / 8)
	portsShift = unsafe.Offsetof(flow.Key{}.TpSrc) % 8 * 8
)

// The ports are neighbours in one word.
const _ = -(unsafe.Offsetof(flow.Key{}.TpDst) - unsafe.Offsetof(flow.Key{}.TpSrc) - 2)

func portsOf(word uint64) uint32 {
	v := uint32(word >> portsShift)
	return v<<16 | v>>16
}

func wordOfPorts(ports uint32) uint64 {
	return uint64(ports<<16|ports>>16) << portsShift
}

// portTrie tracks which values of the transport ports the rules of a subtable
// have, so that a miss un-wildcards only the leading bits that cause it.
type portTrie struct {
	mask uint32 // of the subtable
	trie trie
}

// len is the number of leading bits up to the last one that the mask has.
func (t *portTrie) len() uint8 { return uint8(32 - bits.TrailingZeros32(t.mask)) }

func (t *portTrie) insert(ports uint32) {
	t.trie.insert(prefix{hi: uint64(ports) << 32}, t.len())
}

func (t *portTrie) remove(ports uint32) {
	t.trie.remove(prefix{hi: uint64(ports) << 32}, t.len())
}

// miss tells, for a key that no rule's ports equal, which bits of the ports
// word say so; ok is false when some rule has these ports.
func (t *portTrie) miss(word uint64) (mask uint64, ok bool) {
	lens, need := t.trie.lookup(prefix{hi: uint64(portsOf(word)&t.mask) << 32})
	if lens != (prefix{}) {
		return 0, false
	}
	return wordOfPorts(t.mask & uint32(ones(need).hi>>32)), true
}

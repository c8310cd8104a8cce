package classifier

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"weir/internal/flow"
)

// maxTries is how many prefix fields a classifier tracks at most
// (ovs-vswitchd.conf.db(5), Flow_Table:prefixes).
const maxTries = 4

// PrefixField is an address field whose prefixes a classifier can track.
type PrefixField struct {
	// Name as in ovs-fields(7).
	Name string
	bits uint8
	ofs  uintptr // in flow.Key
}

// The fields that can be tracked.
var (
	PrefixIPv4Src   = PrefixField{"nw_src", 32, unsafe.Offsetof(flow.Key{}.IPSrc)}
	PrefixIPv4Dst   = PrefixField{"nw_dst", 32, unsafe.Offsetof(flow.Key{}.IPDst)}
	PrefixIPv6Src   = PrefixField{"ipv6_src", 128, unsafe.Offsetof(flow.Key{}.IPv6Src)}
	PrefixIPv6Dst   = PrefixField{"ipv6_dst", 128, unsafe.Offsetof(flow.Key{}.IPv6Dst)}
	PrefixIPv6Label = PrefixField{"ipv6_label", 32, unsafe.Offsetof(flow.Key{}.IPv6Label)}
	PrefixTunSrc    = PrefixField{"tun_src", 32, unsafe.Offsetof(flow.Key{}.Tunnel) + unsafe.Offsetof(flow.Tunnel{}.Src)}
	PrefixTunDst    = PrefixField{"tun_dst", 32, unsafe.Offsetof(flow.Key{}.Tunnel) + unsafe.Offsetof(flow.Tunnel{}.Dst)}
)

// DefaultPrefixes are the fields tracked in a table that is not configured.
func DefaultPrefixes() []PrefixField {
	return []PrefixField{PrefixIPv4Dst, PrefixIPv4Src, PrefixIPv6Dst, PrefixIPv6Src}
}

// PrefixFieldByName finds a field that can be tracked.
func PrefixFieldByName(name string) (PrefixField, bool) {
	aliases := map[string]string{"ip_src": "nw_src", "ip_dst": "nw_dst"}
	if a, ok := aliases[name]; ok {
		name = a
	}
	for _, f := range []PrefixField{PrefixIPv4Src, PrefixIPv4Dst, PrefixIPv6Src, PrefixIPv6Dst, PrefixIPv6Label, PrefixTunSrc, PrefixTunDst} {
		if f.Name == name {
			return f, true
		}
	}
	return PrefixField{}, false
}

// prefix is up to 128 bits, the first in the highest bit of hi.
type prefix struct{ hi, lo uint64 }

func (p prefix) bit(i uint8) int {
	if i < 64 {
		return int(p.hi >> (63 - i) & 1)
	}
	return int(p.lo >> (127 - i) & 1)
}

// head keeps the first n bits.
func (p prefix) head(n uint8) prefix {
	m := ones(n)
	return prefix{p.hi & m.hi, p.lo & m.lo}
}

// ones is a mask of the first n bits.
func ones(n uint8) prefix {
	switch {
	case n == 0:
		return prefix{}
	case n <= 64:
		return prefix{^uint64(0) << (64 - n), 0}
	default:
		return prefix{^uint64(0), ^uint64(0) << (128 - n)}
	}
}

// common counts the leading bits that p and q share.
func (p prefix) common(q prefix) uint8 {
	if x := p.hi ^ q.hi; x != 0 {
		return uint8(bits.LeadingZeros64(x))
	}
	return uint8(64 + bits.LeadingZeros64(p.lo^q.lo))
}

// get reads the field from the words of a key or mask.
func (f PrefixField) get(kw *[flow.NumWords]uint64) prefix {
	p := unsafe.Add(unsafe.Pointer(kw), f.ofs)
	if f.bits == 32 {
		return prefix{uint64(*(*uint32)(p)) << 32, 0}
	}
	b := (*[16]byte)(p)
	return prefix{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// or sets the first n bits of the field in a mask.
func (f PrefixField) or(kw *[flow.NumWords]uint64, n uint8) {
	p, m := unsafe.Add(unsafe.Pointer(kw), f.ofs), ones(n)
	if f.bits == 32 {
		*(*uint32)(p) |= uint32(m.hi >> 32)
		return
	}
	b := (*[16]byte)(p)
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])|m.hi)
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])|m.lo)
}

// sparse reads the field from the words of a sparse mask's rule.
func (f PrefixField) sparse(m *sparseMask, vals []uint64) prefix {
	var kw [flow.NumWords]uint64
	first, last := uint16(f.ofs/8), uint16((f.ofs+uintptr(f.bits)/8-1)/8)
	for i, w := range m.words {
		if first <= w && w <= last {
			kw[w] = vals[i]
		}
	}
	return f.get(&kw)
}

// prefixLen is the length of the prefix that m has on the field; 0 when it has
// none, or bits that are no prefix.
func (f PrefixField) prefixLen(m *sparseMask) uint8 {
	p := f.sparse(m, m.masks)
	n := p.common(prefix{^uint64(0), ^uint64(0)})
	if p != ones(n) {
		return 0
	}
	return min(n, f.bits)
}

// prefixTrie is a path-compressed binary trie of the prefixes that the rules
// of a classifier match in one field. The writer copies the path it changes
// and publishes a new root, so that readers need no lock.
type prefixTrie struct {
	field PrefixField
	root  atomic.Pointer[trieNode]
}

// trieNode covers bits [0, n) of its prefix; rules counts those of exactly
// this prefix. Immutable.
type trieNode struct {
	p     prefix
	n     uint8
	rules int
	kids  [2]*trieNode
}

func newTries(fields []PrefixField) []*prefixTrie {
	var tries []*prefixTrie
	for _, f := range fields {
		if len(tries) < maxTries {
			tries = append(tries, &prefixTrie{field: f})
		}
	}
	return tries
}

func (t *prefixTrie) insertMatch(m *sparseMask, vals []uint64) {
	if n := t.field.prefixLen(m); n > 0 {
		t.root.Store(t.root.Load().insert(t.field.sparse(m, vals), n))
	}
}

func (t *prefixTrie) removeMatch(m *sparseMask, vals []uint64) {
	if n := t.field.prefixLen(m); n > 0 {
		t.root.Store(t.root.Load().remove(t.field.sparse(m, vals), n))
	}
}

func (nd *trieNode) insert(p prefix, n uint8) *trieNode {
	if nd == nil {
		return &trieNode{p: p, n: n, rules: 1}
	}
	c := min(nd.p.common(p), nd.n, n)
	if c == nd.n {
		out := *nd
		if c == n {
			out.rules++
		} else {
			b := p.bit(c)
			out.kids[b] = nd.kids[b].insert(p, n)
		}
		return &out
	}
	// The prefixes part, or the new one ends, within nd.
	out := &trieNode{p: p.head(c), n: c}
	out.kids[nd.p.bit(c)] = nd
	if c == n {
		out.rules = 1
	} else {
		out.kids[p.bit(c)] = &trieNode{p: p, n: n, rules: 1}
	}
	return out
}

func (nd *trieNode) remove(p prefix, n uint8) *trieNode {
	if nd == nil || nd.n > n {
		return nd
	}
	out := *nd
	if nd.n == n {
		out.rules--
	} else {
		b := p.bit(nd.n)
		out.kids[b] = nd.kids[b].remove(p, n)
	}
	if out.rules == 0 {
		// A node without rules exists only to fork.
		switch {
		case out.kids[0] == nil:
			return out.kids[1]
		case out.kids[1] == nil:
			return out.kids[0]
		}
	}
	return &out
}

// lookup walks along v. lens has bit n-1 set when a rule has v's prefix of n
// bits; need is the number of leading bits that any value must share with v
// to get the same lens.
func (nd *trieNode) lookup(v prefix) (lens prefix, need uint8) {
	ofs := uint8(0)
	for nd != nil {
		c := nd.p.common(v)
		if c < nd.n {
			return lens, c + 1
		}
		ofs = nd.n
		if nd.rules > 0 {
			lens.setBit(nd.n - 1)
		}
		if nd.kids[0] == nil && nd.kids[1] == nil || ofs == 128 {
			return lens, ofs
		}
		nd = nd.kids[v.bit(ofs)]
		if nd == nil {
			return lens, ofs + 1
		}
	}
	return lens, ofs
}

func (p *prefix) setBit(i uint8) {
	if i < 64 {
		p.hi |= 1 << (63 - i)
	} else {
		p.lo |= 1 << (127 - i)
	}
}

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
	root atomic.Pointer[trieNode]
}

// len is the number of leading bits up to the last one that the mask has.
func (t *portTrie) len() uint8 { return uint8(32 - bits.TrailingZeros32(t.mask)) }

func (t *portTrie) insert(ports uint32) {
	t.root.Store(t.root.Load().insert(prefix{hi: uint64(ports) << 32}, t.len()))
}

func (t *portTrie) remove(ports uint32) {
	t.root.Store(t.root.Load().remove(prefix{hi: uint64(ports) << 32}, t.len()))
}

// miss tells, for a key that no rule's ports equal, which bits of the ports
// word say so; ok is false when some rule has these ports.
func (t *portTrie) miss(word uint64) (mask uint64, ok bool) {
	lens, need := t.root.Load().lookup(prefix{hi: uint64(portsOf(word)&t.mask) << 32})
	if lens != (prefix{}) {
		return 0, false
	}
	return wordOfPorts(t.mask & uint32(ones(need).hi>>32)), true
}

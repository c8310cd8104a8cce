package classifier

import (
	"encoding/binary"
	"math/bits"
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

// word is the w-th 32 bits.
func (p prefix) word(w uint8) uint32 {
	x := p.hi
	if w >= 2 {
		x = p.lo
	}
	if w%2 == 0 {
		x >>= 32
	}
	return uint32(x)
}

func (p *prefix) setBit(i uint8) {
	if i < 64 {
		p.hi |= 1 << (63 - i)
	} else {
		p.lo |= 1 << (127 - i)
	}
}

// withWord is p with another w-th word.
func (p prefix) withWord(w uint8, x uint32) prefix {
	part := &p.hi
	if w >= 2 {
		part = &p.lo
	}
	shift := 32 * (1 - w%2)
	*part = *part&^(uint64(^uint32(0))<<shift) | uint64(x)<<shift
	return p
}

func (p prefix) and(o prefix) prefix { return prefix{p.hi & o.hi, p.lo & o.lo} }

// sharedBits counts the leading bits that two words share.
func sharedBits(a, b uint32) uint8 { return uint8(bits.LeadingZeros32(a ^ b)) }

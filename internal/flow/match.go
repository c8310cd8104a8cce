package flow

import (
	"math/bits"
	"sync"

	"weir/internal/packet"
)

// DefaultPriority is the priority of flows that don't say theirs
// (OFP_DEFAULT_PRIORITY).
const DefaultPriority = 32768

// Match is a set of packets: those whose key agrees with Key in the bits that
// Mask has. Bits of Key outside Mask are zero.
type Match struct {
	Key  Key
	Mask Mask
	// TLV says where the tun_metadata fields stand; nil in a match on none.
	TLV *TLVTable
}

// SetExact demands a value of the whole field.
func (m *Match) SetExact(f *Field, v Value) { m.Set(f, v, f.Exact()) }

// Set demands the masked bits of a value, in place of what the match said of
// the field before. As OpenFlow has it, a part of the VLAN tag demands that
// there is a tag, and dl_vlan 0xffff that there is none. A tunnel option must
// be there, even where no bit of it counts.
func (m *Match) Set(f *Field, v, mask Value) {
	mask = mask.And(f.exact)
	switch {
	case f.place.kind == placeVID && v.Lo == vlanNone10:
		m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI = 0, 0xffff
		return
	case mask.IsZero() && f.option == nil:
		m.Clear(f)
		return
	}
	f.Unmark(&m.Mask)
	f.Mark(&m.Mask, mask)
	f.Unmark(&m.Key)
	f.SetMasked(&m.Key, v.And(mask), f.exact)
}

// Clear stops matching on a field.
func (m *Match) Clear(f *Field) {
	f.Unmark(&m.Mask)
	f.Unmark(&m.Key)
}

// ZeroWild clears the bits of the key that don't count.
func (m *Match) ZeroWild() {
	k, w := m.Key.Words(), m.Mask.Words()
	for i := range k {
		k[i] &= w[i]
	}
}

// Covers reports whether the match holds for a key.
func (m *Match) Covers(k *Key) bool {
	kw, mk, mm := k.Words(), m.Key.Words(), m.Mask.Words()
	for i := range kw {
		if (kw[i]^mk[i])&mm[i] != 0 {
			return false
		}
	}
	return true
}

// IsCatchAll reports whether every packet matches.
func (m *Match) IsCatchAll() bool { return m.Mask == Mask{} }

// Loosens reports whether m's mask asks for no bit beyond those of other, and
// agrees on them: whatever other matches, m matches (the non-strict rule of
// OpenFlow's modify and delete).
func (m *Match) Loosens(other *Match) bool {
	a, b := m.Mask.Words(), other.Mask.Words()
	ka, kb := m.Key.Words(), other.Key.Words()
	for i := range a {
		if a[i]&^b[i] != 0 || (ka[i]^kb[i])&a[i] != 0 {
			return false
		}
	}
	return true
}

// Overlaps reports whether some packet could match both.
func (m *Match) Overlaps(other *Match) bool {
	a, b := m.Mask.Words(), other.Mask.Words()
	ka, kb := m.Key.Words(), other.Key.Words()
	for i := range a {
		if (ka[i]^kb[i])&a[i]&b[i] != 0 {
			return false
		}
	}
	return true
}

// HasDefaultPacketType reports whether the match is of Ethernet packets and
// says so.
func (m *Match) HasDefaultPacketType() bool {
	return m.Key.PacketType == 0 && m.Mask.PacketType == 0xffffffff
}

// SetDefaultPacketType demands Ethernet packets unless the match says
// something of the packet type already.
func (m *Match) SetDefaultPacketType() {
	if m.Mask.PacketType == 0 {
		m.Key.PacketType, m.Mask.PacketType = 0, 0xffffffff
	}
}

// ImpliesEthernet reports whether the match is on a field of Ethernet headers,
// so that it is of Ethernet packets although it needn't say so.
func (m *Match) ImpliesEthernet() bool {
	w := &m.Mask
	return w.EthSrc != packet.MAC{} || w.EthDst != packet.MAC{} || w.EthType != 0 || w.VLANs[0].TCI != 0
}

// CompletePacketType demands Ethernet packets where the match implies it and
// says nothing of the packet type (ovs-fields(7), "Packet Type Field").
func (m *Match) CompletePacketType() {
	if m.ImpliesEthernet() {
		m.SetDefaultPacketType()
	}
}

// Normalize clears the fields of headers that the match does not demand
// (ovs-ofctl(8), "Flow Syntax": such fields are ignored), and reports whether
// there were any. Those of NSH, of known connections and of first fragments stay, for a
// switch refuses them.
func (m *Match) Normalize() (any bool) {
	for {
		apply, rest := m.applicable()
		changed := false
		for f := range rest.each {
			// What this clears may have been what other fields need.
			if !f.sharesPlace(&apply) {
				m.Clear(f)
				changed = true
			}
		}
		any = any || changed
		if !changed {
			return any
		}
	}
}

// IsNormal reports whether there is nothing that Normalize would clear.
func (m *Match) IsNormal() bool {
	apply, rest := m.applicable()
	for f := range rest.each {
		if !f.sharesPlace(&apply) {
			return false
		}
	}
	return true
}

// applicable parts the fields of protocols that the match is about: those that
// all its packets have, and the rest.
func (m *Match) applicable() (apply, rest fieldBits) {
	in := matched(&m.Mask)
	var known, holds uint32 // by prerequisite: asked already, and the answer
	for i, b := range in {
		b &= ofProtocols[i]
		for ; b != 0; b &= b - 1 {
			low := b & -b
			f := &Fields[64*i+bits.TrailingZeros64(b)]
			bit := uint32(1) << f.Prereq
			if known&bit == 0 {
				known |= bit
				if f.Prereq.holds(facts{k: &m.Key, m: &m.Mask, whole: true}) {
					holds |= bit
				}
			}
			if holds&bit != 0 {
				apply[i] |= low
			} else {
				rest[i] |= low
			}
		}
	}
	return apply, rest
}

// ofProtocols are the fields of the headers of some protocol, which have a
// prerequisite beyond Ethernet.
var ofProtocols = func() (s fieldBits) {
	for i := range Fields {
		if Fields[i].needsProtocol() {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}()

// needsProtocol reports whether the field is of the header of some protocol.
func (f *Field) needsProtocol() bool {
	return f.Prereq > PrereqVLAN && f.Prereq != PrereqCT && f.Prereq != PrereqNSH && f.place.kind != placeUnbound
}

// sharesPlace reports whether one of the fields has bits in f's place: fields
// of different protocols share places in a key.
func (f *Field) sharesPlace(others *fieldBits) bool {
	for g := range others.each {
		if g.place.off == f.place.off && (g.place.mask&f.place.mask != 0 || g.place.kind == placeBytes) {
			return true
		}
	}
	return false
}

// MaskExact is a mask that covers every field that packets like k have: what
// a flow of one packet is, and how it is printed.
func (k *Key) MaskExact() (m Mask) {
	w := m.Words()
	masks := exactMasks()
	for p := range masks {
		if Prereq(p).holds(facts{k: k}) {
			for i, b := range masks[p].Words() {
				w[i] |= b
			}
		}
	}
	m.InPort = 0xffffffff
	for i := range k.VLANs {
		m.VLANs[i] = VLAN{0xffff, 0xffff}
		if k.VLANs[i].TCI == 0 {
			break
		}
	}
	return m
}

// exactMasks are, by prerequisite, all bits of the fields that have it.
var exactMasks = sync.OnceValue(func() *[PrereqNDAdvert + 1]Mask {
	var masks [PrereqNDAdvert + 1]Mask
	for i := range Fields {
		if f := &Fields[i]; f.place.kind != placeUnbound {
			f.Mark(&masks[f.Prereq], f.full)
		}
	}
	return &masks
})

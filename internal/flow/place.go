package flow

import (
	"encoding/binary"
	"unsafe"
)

// placeKind says how a field lies in a Key.
type placeKind uint8

const (
	placeU8      placeKind = iota // a byte
	placeU16                      // an integer in host order
	placeU32                      //
	placeU64                      //
	placeBytes                    // bytes in network order, n of them
	placePair                     // two 32-bit registers, the high half first
	placeQuad                     // four 32-bit registers, the high quarter first
	placePort16                   // an OpenFlow 1.0 port kept as a 32-bit one
	placeVID                      // the VID of the outer tag, 0 without one
	placePCP                      // the priority of the outer tag
	placeLow8                     // ICMP type or code: a byte kept in 16 bits
	placeUnbound                  // tun_metadata without a TLV table
	placeOption                   // tun_metadata that a TLV table binds: in Field.option
)

// place is where and how a field lies in a Key: for integers, the bits of
// mask at offset off, the lowest being bit shift.
type place struct {
	kind  placeKind
	off   uint16
	n     uint8
	shift uint8
	mask  uint64
}

func at[T any](k *Key, off uint16) *T { return (*T)(unsafe.Add(unsafe.Pointer(k), off)) }

func (p *place) bytes(k *Key) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(k), p.off)), p.n)
}

// raw reads the integer that holds the field.
func (p *place) raw(k *Key) uint64 {
	switch p.kind {
	case placeU8:
		return uint64(*at[uint8](k, p.off))
	case placeU16, placeVID, placePCP, placeLow8:
		return uint64(*at[uint16](k, p.off))
	case placeU32, placePort16:
		return uint64(*at[uint32](k, p.off))
	}
	return *at[uint64](k, p.off)
}

func (p *place) setRaw(k *Key, v uint64) {
	switch p.kind {
	case placeU8:
		*at[uint8](k, p.off) = uint8(v)
	case placeU16, placeVID, placePCP, placeLow8:
		*at[uint16](k, p.off) = uint16(v)
	case placeU32, placePort16:
		*at[uint32](k, p.off) = uint32(v)
	default:
		*at[uint64](k, p.off) = v
	}
}

// Get is the field's value in k. Applied to a Mask it is the field's mask.
// An OpenFlow 1.0 port that doesn't fit 16 bits reads as NONE.
func (f *Field) Get(k *Key) Value {
	p := &f.place
	switch p.kind {
	case placeBytes:
		b := p.bytes(k)
		if p.n == 16 {
			return Value{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
		}
		return Value{Lo: uint64(binary.BigEndian.Uint32(b))<<16 | uint64(binary.BigEndian.Uint16(b[4:]))}
	case placePair:
		r := at[[2]uint32](k, p.off)
		return Value{Lo: uint64(r[0])<<32 | uint64(r[1])}
	case placeQuad:
		r := at[[4]uint32](k, p.off)
		return Value{Hi: uint64(r[0])<<32 | uint64(r[1]), Lo: uint64(r[2])<<32 | uint64(r[3])}
	case placePort16:
		return V(uint64(PortTo10(*at[uint32](k, p.off))))
	case placeUnbound:
		return Value{}
	case placeOption:
		return f.option.get(k)
	}
	return V((p.raw(k) & p.mask) >> p.shift)
}

// IsExact reports whether a mask covers the whole field.
func (f *Field) IsExact(m *Mask) bool { return f.Get(m) == f.full }

// IsWild reports whether a mask covers no bit of the field; of a tunnel option,
// also not whether it is there.
func (f *Field) IsWild(m *Mask) bool {
	if f.place.kind == placeOption {
		return !f.option.present(m)
	}
	return f.Get(m).IsZero()
}

// Set stores a value in k, bits beyond the field's width ignored. Setting a
// part of the VLAN tag makes the tag present, setting dl_vlan to 0xffff
// (OFP10_VLAN_NONE) removes it. Prerequisites are the caller's business.
func (f *Field) Set(k *Key, v Value) { f.SetMasked(k, v, f.Exact()) }

// SetMasked stores the bits of v that mask has.
func (f *Field) SetMasked(k *Key, v, mask Value) {
	p := &f.place
	mask = mask.And(f.Exact())
	switch p.kind {
	case placeBytes, placePair, placeQuad:
		f.put(k, f.Get(k).AndNot(mask).Or(v.And(mask)))
		return
	case placePort16:
		v = f.Get(k).AndNot(mask).Or(v.And(mask))
		p.setRaw(k, uint64(PortFrom10(uint16(v.Lo))))
		return
	case placeUnbound:
		return
	case placeOption:
		f.option.put(k, f.option.get(k).AndNot(mask).Or(v.And(mask)))
		f.option.setPresent(k)
		return
	case placeLow8:
		p.setRaw(k, p.raw(k)&^mask.Lo&0xff|v.Lo&mask.Lo&0xff)
		return
	case placeVID:
		if v.Lo == vlanNone10 {
			p.setRaw(k, 0)
			return
		}
	}
	m := mask.Lo << p.shift & p.mask
	w := p.raw(k)&^m | v.Lo<<p.shift&m
	if p.kind == placeVID || p.kind == placePCP {
		w |= VLANPresent
	}
	p.setRaw(k, w)
}

// vlanNone10 is the dl_vlan of OpenFlow 1.0 that means "no tag".
const vlanNone10 = 0xffff

func (f *Field) put(k *Key, v Value) {
	p := &f.place
	switch p.kind {
	case placeBytes:
		b := p.bytes(k)
		if p.n == 16 {
			binary.BigEndian.PutUint64(b, v.Hi)
			binary.BigEndian.PutUint64(b[8:], v.Lo)
			return
		}
		binary.BigEndian.PutUint16(b, uint16(v.Lo>>32))
		binary.BigEndian.PutUint32(b[2:], uint32(v.Lo))
	case placePair:
		*at[[2]uint32](k, p.off) = [2]uint32{uint32(v.Lo >> 32), uint32(v.Lo)}
	case placeQuad:
		*at[[4]uint32](k, p.off) = [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
	}
}

// Mark ors bits of the field into a mask: those bits of the key count from now
// on. Parts of the VLAN tag bring its presence bit along.
func (f *Field) Mark(m *Mask, bits Value) {
	p := &f.place
	switch p.kind {
	case placeBytes, placePair, placeQuad:
		f.put(m, f.Get(m).Or(bits))
	case placePort16:
		p.setRaw(m, 0xffffffff)
	case placeLow8:
		p.setRaw(m, 0xffff)
	case placeUnbound:
	case placeOption:
		f.option.put(m, f.option.get(m).Or(bits))
		f.option.setPresent(m)
	case placeVID, placePCP:
		p.setRaw(m, p.raw(m)|bits.Lo<<p.shift&p.mask|VLANPresent)
	default:
		p.setRaw(m, p.raw(m)|bits.Lo<<p.shift&p.mask)
	}
}

// Unmark clears the whole field in a mask (or zeroes it in a key).
func (f *Field) Unmark(m *Mask) {
	p := &f.place
	switch p.kind {
	case placeBytes, placePair, placeQuad:
		f.put(m, Value{})
	case placePort16:
		p.setRaw(m, 0)
	case placeUnbound:
	case placeOption:
		f.option.remove(m)
	case placeLow8:
		p.setRaw(m, 0)
	default:
		p.setRaw(m, p.raw(m)&^p.mask)
	}
}

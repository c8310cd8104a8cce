package tunnel

import (
	"encoding/binary"

	"weir/internal/flow"
	"weir/internal/packet"
)

const (
	optionHeader   = 4    // length of what stands before an option's data
	optionCritical = 0x80 // of an option's type
)

// Option is one option of Geneve (RFC 8926, 3.5).
type Option struct {
	Class uint16
	Type  uint8
	Data  []byte
}

// Len is how many bytes the option takes in a header.
func (o *Option) Len() int { return optionHeader + len(o.Data) }

// Options goes through options as they stand in a header, up to one that is
// not whole.
func Options(b []byte) func(yield func(Option) bool) {
	return func(yield func(Option) bool) {
		for len(b) >= 4 {
			n := 4 + int(b[3]&0x1f)*4
			if n > len(b) || !yield(Option{packet.Be16(b), b[2], b[4:n]}) {
				return
			}
			b = b[n:]
		}
	}
}

// validOptions reports whether options are whole, to their end.
func validOptions(b []byte) bool {
	n := 0
	for o := range Options(b) {
		n += o.Len()
	}
	return n == len(b)
}

// AppendOption adds an option, whose data must be a multiple of 4 bytes long.
func AppendOption(b []byte, o Option) []byte {
	b = binary.BigEndian.AppendUint16(b, o.Class)
	return append(append(b, o.Type, byte(len(o.Data)/4)), o.Data...)
}

// ReadOptions has a key with options as they stand in a header get the fields
// that a table binds them to. An option that is bound with another length is not
// the field's.
func ReadOptions(k *flow.Key, table *flow.TLVTable) {
	if k.TunMetaPresent == 0 {
		return
	}
	var mem [flow.TunMetaBytes]byte
	raw := mem[:copy(mem[:], k.Options())]
	k.TunMetaPresent, k.TunMeta = 0, [flow.TunMetaBytes]byte{}
	for o := range Options(raw) {
		table.PutBody(k, o.Class, o.Type, o.Data)
	}
}

// OptionsMask has a mask of tun_metadata fields become one of options as they
// stand in a header, for packets with the options of key: if anything of them
// counts, then how many bytes they are and what they are counts, too, since that
// is where the fields stand.
func OptionsMask(m *flow.Mask, key *flow.Key, table *flow.TLVTable) {
	if m.TunMetaPresent == 0 && m.TunMeta == [flow.TunMetaBytes]byte{} {
		return
	}
	fields := m.TunMeta
	m.TunMetaPresent, m.TunMeta = ^uint64(0), [flow.TunMetaBytes]byte{}
	at := 0
	for o := range Options(key.Options()) {
		for i := range optionHeader {
			m.TunMeta[at+i] = 0xff
		}
		at += optionHeader
		table.CopyBody(m.TunMeta[at:at+len(o.Data)], &fields, o.Class, o.Type)
		at += len(o.Data)
	}
}

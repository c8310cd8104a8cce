package tunnel

import (
	"testing"

	"pgregory.net/rapid"

	"weir/internal/flow"
)

// drawTable binds some options, a field each.
func drawTable(t *rapid.T) *flow.TLVTable {
	table := new(flow.TLVTable)
	for i := range rapid.IntRange(0, 6).Draw(t, "bound") {
		n := uint8(4 * rapid.IntRange(0, 3).Draw(t, "len"))
		next, err := table.Add(flow.TLVMap{Class: 0x102, Type: uint8(rapid.IntRange(0, 7).Draw(t, "type")), Len: n, Index: uint16(i)})
		if err == nil {
			table = next
		}
	}
	return table
}

func drawOptions(t *rapid.T) (b []byte) {
	for range rapid.IntRange(0, 4).Draw(t, "options") {
		data := rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "data")
		b = AppendOption(b, Option{Class: 0x102, Type: uint8(rapid.IntRange(0, 7).Draw(t, "type")), Data: data[:4*rapid.IntRange(0, 3).Draw(t, "len")]})
	}
	return b
}

// Packets whose headers agree under the mask made of one of tun_metadata fields
// agree in the fields under that mask.
func TestOptionsMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := drawTable(t)
		var a, b flow.Key
		a.SetOptions(drawOptions(t))
		var fields flow.Mask
		for _, m := range table.Maps() {
			switch f := table.Field(int(m.Index)); rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				f.MarkOption(&fields)
			case 1:
				fields.TunMetaPresent |= 1 << m.Index
			case 2:
				var some flow.Mask
				f.MarkOption(&some)
				part := rapid.Byte().Draw(t, "part")
				for i := range some.TunMeta {
					fields.TunMeta[i] |= some.TunMeta[i] & part
				}
			}
		}
		mask := fields
		OptionsMask(&mask, &a, table)
		if fields == (flow.Mask{}) {
			if mask != fields {
				t.Fatal("options count where none was looked at")
			}
			return
		}
		b.SetOptions(drawOptions(t))
		blended := a
		for i := range blended.TunMeta { // as b where the mask says nothing
			blended.TunMeta[i] = a.TunMeta[i]&mask.TunMeta[i] | b.TunMeta[i]&^mask.TunMeta[i]
		}
		if a.TunMetaPresent == 0 {
			blended = a
		}
		ReadOptions(&a, table)
		ReadOptions(&blended, table)
		for i := range a.Words() {
			if (a.Words()[i]^blended.Words()[i])&fields.Words()[i] != 0 {
				t.Fatalf("word %d: %#x and %#x under %#x", i, a.Words()[i], blended.Words()[i], fields.Words()[i])
			}
		}
	})
}

// An option that is bound with another length is not the field's; one without a
// body is there or not.
func TestReadOptions(t *testing.T) {
	table := new(flow.TLVTable)
	for i, n := range []uint8{4, 0, 8} {
		table, _ = table.Add(flow.TLVMap{Class: 0xffff, Type: uint8(i), Len: n, Index: uint16(i)})
	}
	b := AppendOption(nil, Option{Class: 0xffff, Type: 0, Data: []byte{0, 0, 0, 0xa}})
	b = AppendOption(b, Option{Class: 0xffff, Type: 1})
	b = AppendOption(b, Option{Class: 0xffff, Type: 2, Data: []byte{1, 2, 3, 4}})
	b = AppendOption(b, Option{Class: 0xfffe, Type: 2, Data: make([]byte, 8)})
	var k flow.Key
	k.SetOptions(b)
	ReadOptions(&k, table)
	if got := table.Field(0).Get(&k); got != flow.V(0xa) || k.TunMetaPresent != 3 {
		t.Errorf("tun_metadata0 is %#x, the fields there are %#b", got.Lo, k.TunMetaPresent)
	}
}

package program

import (
	"encoding/binary"
	"slices"
	"testing"

	"weir/internal/packet"
)

// Whatever a device delivers, the header is taken off or refused, and what
// follows it is the frame, its tag in place.
func FuzzParseUpcall(f *testing.F) {
	h := make([]byte, UpcallLen+packet.EthLen+8)
	binary.LittleEndian.PutUint32(h, upcallMagic)
	h[upReason], h[upInPort] = byte(ReasonMiss), 3
	f.Add(slices.Clone(h))
	h[upFlags] = upHasTag | upHasTunnel
	f.Add(h)
	f.Add(h[:UpcallLen+packet.EthLen])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := slices.Clone(b)
		var u Upcall
		off, err := ParseUpcall(b, &u)
		if err != nil {
			return
		}
		frame := b[off:]
		if before[upFlags]&upHasTag == 0 {
			if !slices.Equal(frame, before[UpcallLen:]) || u.InPort != binary.LittleEndian.Uint32(before[upInPort:]) {
				t.Fatalf("%x became frame %x and %+v", before, frame, u)
			}
			return
		}
		inner := before[UpcallLen+packet.VLANLen:]
		want := slices.Concat(inner[:12], before[12:16], inner[12:])
		if !slices.Equal(frame, want) || u.RecircID != binary.LittleEndian.Uint32(before[upRecirc+packet.VLANLen:]) {
			t.Fatalf("%x became frame %x and %+v, want %x", before, frame, u, want)
		}
	})
}

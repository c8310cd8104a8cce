package packet

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naive is the Internet checksum as RFC 1071, section 4.1, has it.
func naive(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		if got, want := Checksum(b), naive(b); got != want {
			t.Fatalf("Checksum(%x) = %#x, want %#x", b, got, want)
		}
	})
}

// A checksum that follows a change equals one computed anew; 0 and 0xffff are
// the same sum.
func TestUpdate(t *testing.T) {
	same := func(a, b uint16) bool { return a == b || a|b == 0xffff && a&b == 0 && (a == 0 || b == 0) }
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 8, 64).Draw(t, "data")
		b = b[:len(b)&^1]
		at := rapid.IntRange(0, (len(b)-4)/2).Draw(t, "at") * 2
		before := Checksum(b)
		old := bytes.Clone(b[at : at+4])
		fresh := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "new")
		copy(b[at:], fresh)
		want := Checksum(b)
		if got := UpdateBytes(before, old, fresh); !same(got, want) {
			t.Fatalf("UpdateBytes gives %#x, want %#x", got, want)
		}
		step := Update16(before, Be16(old), Be16(fresh))
		if got := Update16(step, Be16(old[2:]), Be16(fresh[2:])); !same(got, want) {
			t.Fatalf("Update16 twice gives %#x, want %#x", got, want)
		}
	})
}

func TestMACText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := MACFromUint64(rapid.Uint64Max(1<<48-1).Draw(t, "address"))
		if got, ok := ParseMAC(m.String()); !ok || got != m || MACFromUint64(m.Uint64()) != m {
			t.Fatalf("%v comes back as %v", m, got)
		}
	})
	for _, bad := range []string{"", "00:11:22:33:44", "00:11:22:33:44:5g", "00:11:22:33:44:55:66"} {
		if m, ok := ParseMAC(bad); ok {
			t.Errorf("%q is accepted as %v", bad, m)
		}
	}
}

func pcapFile(t testing.TB, frames ...[]byte) []byte {
	var file bytes.Buffer
	w, err := NewPcapWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.WritePacket(time.Unix(int64(i), 5000), f); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

func TestPcapRoundTrip(t *testing.T) {
	frames := [][]byte{{1, 2, 3}, bytes.Repeat([]byte{7}, 1500)}
	file := pcapFile(t, frames...)
	r, err := NewPcapReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range frames {
		at, got, err := r.ReadPacket()
		if err != nil || !bytes.Equal(got, want) || !at.Equal(time.Unix(int64(i), 5000)) {
			t.Errorf("packet %d: %v, %x, %v", i, at, got, err)
		}
	}
	if _, _, err := r.ReadPacket(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	r, _ = NewPcapReader(bytes.NewReader(file[:len(file)-1]))
	r.ReadPacket()
	if _, _, err := r.ReadPacket(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut within a packet: %v", err)
	}
}

// Any file is read to an end, with as much memory as it is long.
func FuzzPcapReader(f *testing.F) {
	f.Add(pcapFile(f, []byte{1, 2, 3, 4}))
	f.Add([]byte("not a capture"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewPcapReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		for {
			if _, frame, err := r.ReadPacket(); err != nil {
				return
			} else if len(frame) > len(file) {
				t.Fatalf("a frame of %d bytes from a file of %d", len(frame), len(file))
			}
		}
	})
}

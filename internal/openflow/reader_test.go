package openflow

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestReaderCutsStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		for range rapid.IntRange(0, 30).Draw(t, "messages") {
			n := rapid.OneOf(rapid.IntRange(8, 200), rapid.IntRange(8, 65535)).Draw(t, "length")
			m := bytes.Repeat([]byte{byte(n)}, n)
			m[2], m[3] = byte(n>>8), byte(n)
			want = append(want, m)
			stream = append(stream, m...)
		}
		cut := rapid.IntRange(0, 7).Draw(t, "rest")
		stream = append(stream, make([]byte, cut)...)
		var r io.Reader = bytes.NewReader(stream)
		if rapid.Bool().Draw(t, "half reads") {
			r = iotest.HalfReader(r)
		}
		x := NewReader(r)
		var got [][]byte
		for {
			m, err := x.Next()
			if err != nil {
				if end := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[cut == 0]; err != end {
					t.Fatalf("ended with %v, want %v", err, end)
				}
				break
			}
			got = append(got, m)
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range want { // after all are read: none was overwritten
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("message %d is changed", i)
			}
		}
	})
}

func TestReaderRefusesShortMessage(t *testing.T) {
	_, err := NewReader(bytes.NewReader([]byte{1, 0, 0, 7, 0, 0, 0, 0})).Next()
	if e := (*LengthError)(nil); !errors.As(err, &e) || e.Length != 7 {
		t.Errorf("got %v", err)
	}
}

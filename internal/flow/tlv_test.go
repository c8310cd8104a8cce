package flow

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever is added and deleted, the fields of a table neither share a byte
// nor lose one, and values read back as they were put.
func TestTLVTableKeepsFieldsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := new(TLVTable)
		var k Key
		want := map[int]Value{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 9).Draw(t, "index")
			if table.Field(i) != nil {
				table.Field(i).RemoveOption(&k)
				table = table.Delete(i)
				delete(want, i)
				continue
			}
			n := 4 * rapid.IntRange(1, 31).Draw(t, "words")
			space := table.Space()
			next, err := table.Add(TLVMap{Class: 1, Type: uint8(i), Len: uint8(n), Index: uint16(i)})
			if fits := space+n <= TunMetaBytes; fits != (err == nil) {
				t.Fatalf("%d bytes beside %d: %v", n, space, err)
			}
			if err != nil {
				continue
			}
			table = next
			want[i] = ValueFromBytes(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "value"))
			table.Field(i).Set(&k, want[i])
			for j, v := range want {
				if got := table.Field(j).Get(&k); got != v || !table.Field(j).Present(&k) {
					t.Fatalf("field %d is %v, want %v", j, got, v)
				}
				if body, ok := table.AppendBody(nil, j, &k); !ok || ValueFromBytes(body) != v || len(body) != int(table.maps[j].Len) {
					t.Fatalf("the body of option %d is %x, want %v", j, body, v)
				}
			}
		}
	})
}

func TestTLVTableRefusals(t *testing.T) {
	table, err := new(TLVTable).Add(TLVMap{Class: 1, Type: 2, Len: 4, Index: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		add  TLVMap
		want error
	}{
		{TLVMap{Class: 1, Type: 3, Len: 4, Index: 3}, ErrTLVMapped},
		{TLVMap{Class: 1, Type: 2, Len: 4, Index: 4}, ErrTLVTwice},
		{TLVMap{Class: 1, Type: 4, Len: 124, Index: 4}, nil},
	} {
		if _, err := table.Add(tt.add); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.add, err, tt.want)
		}
	}
}

// The text of a match on tunnel options without a table reads back the same.
func TestOptionText(t *testing.T) {
	for in, want := range map[string]string{
		"tun_metadata0":                                "tun_metadata0",
		"tun_metadata0=0":                              "tun_metadata0=0",
		"tun_metadata0=*":                              "tun_metadata0",
		"tun_metadata7=0x1234":                         "tun_metadata7=0x1234",
		"tun_metadata7=1/1":                            "tun_metadata7=0x1/0x1",
		"tun_metadata63=0x0123456789abcdef":            "tun_metadata63=0x123456789abcdef",
		"tun_metadata1=0x" + strings.Repeat("ab", 124): "tun_metadata1=0x" + strings.Repeat("ab", 124),
		"tun_metadata1=0x5,tun_metadata0=0x100/0xf00":  "tun_metadata0=0x100/0xf00,tun_metadata1=0x5",
	} {
		m, err := ParseMatch(in, nil)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if d := cmp.Diff(want, m.String()); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
	if _, err := ParseMatch("tun_metadata1=0x1"+strings.Repeat("00", 124), nil); err == nil {
		t.Error("a value of 125 bytes is accepted")
	}
}

// Wide values obey the laws of the narrow ones.
func TestWideValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, MaxValueLen).Draw(t, "bytes")
		v := ValueFromBytes(b)
		out := make([]byte, len(b))
		v.PutBytes(out)
		if string(out) != string(b) {
			t.Fatalf("%x reads back as %x", b, out)
		}
		n := rapid.IntRange(0, 8*MaxValueLen-v.Len()).Draw(t, "shift")
		if got := v.Shl(n).Shr(n); got != v {
			t.Fatalf("%x shifted by %d and back is %v", b, n, got)
		}
		if v.And(Ones(v.Len())) != v || v.AndNot(v) != (Value{}) || v.Or(Value{}) != v {
			t.Fatalf("%x is not itself", b)
		}
	})
}

// A match without a table has room for what all options of a header have.
func TestOptionsWithoutRoom(t *testing.T) {
	var text []string
	for i := range 5 {
		text = append(text, fmt.Sprintf("tun_metadata%d=0x1%0127x", i, 0))
	}
	_, err := ParseMatch(strings.Join(text, ","), nil)
	const want = "field tun_metadata4 exceeds maximum size for tunnel metadata (used 320, max 256)"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

package maclearn

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/packet"
)

var t0 = time.Unix(1000, 0)

func mac(i int) packet.MAC { return packet.MAC{0x50, 0, 0, 0, byte(i >> 8), byte(i)} }

func TestLearnMoveExpire(t *testing.T) {
	tb := New(0, 0)
	if !tb.Learn(mac(1), 10, 1, "a", false, false, t0) {
		t.Fatal("a new address changes nothing")
	}
	if tb.Learn(mac(1), 10, 1, "a", false, false, t0.Add(time.Second)) {
		t.Fatal("a known address changes something")
	}
	if !tb.Learn(mac(1), 10, 2, "b", false, false, t0.Add(2*time.Second)) {
		t.Fatal("a move changes nothing")
	}
	e, ok := tb.Lookup(mac(1), 10)
	if !ok || e.Port != 2 || e.Owner != "b" {
		t.Fatalf("after the move: %+v", e)
	}
	if _, ok := tb.Lookup(mac(1), 11); ok {
		t.Fatal("found in another VLAN")
	}
	if tb.Expire(t0.Add(301 * time.Second)) {
		t.Fatal("expired before 300 s without a packet")
	}
	if !tb.Expire(t0.Add(302 * time.Second)) {
		t.Fatal("not expired")
	}
	if s := tb.Stats(); s != (Stats{Learned: 1, Expired: 1, Moved: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

func TestNeverLearned(t *testing.T) {
	tb := New(0, 0)
	tb.Configure(0, 0, []uint16{7})
	for _, m := range []packet.MAC{packet.Broadcast, {1, 0, 0x5e}} {
		if tb.Learn(m, 1, 1, "a", false, false, t0) {
			t.Errorf("learned %s", m)
		}
	}
	if tb.Learn(mac(1), 7, 1, "a", false, false, t0) {
		t.Error("learned in a flood VLAN")
	}
}

func TestStaticStays(t *testing.T) {
	tb := New(0, 2)
	tb.AddStatic(mac(1), 0, 1, "a")
	if tb.Learn(mac(1), 0, 2, "b", false, false, t0) {
		t.Error("a static address moved")
	}
	tb.Learn(mac(2), 0, 2, "b", false, false, t0)
	tb.Learn(mac(3), 0, 2, "b", false, false, t0)
	tb.Flush()
	tb.Expire(t0.Add(time.Hour))
	if n, s, _ := tb.Len(); n != 1 || s != 1 {
		t.Errorf("%d entries, %d static", n, s)
	}
	if !tb.DelStatic(mac(1), 0) || tb.DelStatic(mac(1), 0) {
		t.Error("DelStatic")
	}
}

func TestEvictionIsFair(t *testing.T) {
	tb := New(0, 10)
	tb.Learn(mac(1000), 0, 1, "a", false, false, t0)
	for i := range 100 {
		tb.Learn(mac(i), 0, 2, "b", false, false, t0)
	}
	if _, ok := tb.Lookup(mac(1000), 0); !ok {
		t.Error("port 2's flood pushed out port 1's address")
	}
	if n, _, _ := tb.Len(); n != 10 {
		t.Errorf("%d entries", n)
	}
}

// Against a plain map without limits.
func TestAgainstMap(t *testing.T) {
	type val struct {
		port    uint32
		expires time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		tb, now := New(10*time.Second, 1000), t0
		m := map[key]val{}
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			k := key{mac(rapid.IntRange(0, 4).Draw(t, "mac")), uint16(rapid.IntRange(0, 1).Draw(t, "vlan"))}
			tb.Expire(now)
			for k, v := range m {
				if !now.Before(v.expires) {
					delete(m, k)
				}
			}
			port := uint32(rapid.IntRange(1, 3).Draw(t, "port"))
			old, had := m[k]
			if got, want := tb.Learn(k.mac, k.vlan, port, port, false, false, now), !had || old.port != port; got != want {
				t.Fatalf("Learn gives %v", got)
			}
			m[k] = val{port, now.Add(10 * time.Second)}
			if n, _, _ := tb.Len(); n != len(m) {
				t.Fatalf("%d entries, want %d", n, len(m))
			}
		}
	})
}

package neigh

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"weir/internal/flow"
	"weir/internal/packet"
)

var (
	macA = packet.MAC{0xaa, 1}
	macB = packet.MAC{0xaa, 2}
	ip4  = netip.MustParseAddr("1.1.2.92")
	ip6  = netip.MustParseAddr("2001:cafe::92")
)

func TestLearnLookupAge(t *testing.T) {
	c, now := New(), time.Now()
	if _, ok := c.Lookup("br0", ip4, now); ok {
		t.Fatal("found in an empty cache")
	}
	seq := c.Seq()
	if !c.Learn("br0", ip4, macA, now) || c.Learn("br0", ip4, macA, now) {
		t.Error("what is news and what isn't")
	}
	c.Learn("br0", ip6, macB, now)
	if c.Seq() != seq+2 {
		t.Errorf("%d changes counted, want 2", c.Seq()-seq)
	}
	if m, ok := c.Lookup("br0", ip4, now.Add(DefaultAging-1)); !ok || m != macA {
		t.Errorf("%v %v", m, ok)
	}
	if _, ok := c.Lookup("br1", ip4, now); ok {
		t.Error("another bridge knows it")
	}
	c.Touch("br0", ip4, now.Add(DefaultAging-1))
	c.Expire(now.Add(DefaultAging))
	if _, ok := c.Lookup("br0", ip6, now.Add(DefaultAging)); ok {
		t.Error("it has not aged")
	}
	if es := c.Entries(now.Add(DefaultAging)); len(es) != 1 || es[0].IP != ip4 {
		t.Errorf("a touch did not keep its entry: %+v", es)
	}
	if !c.Learn("br0", ip4, macB, now.Add(DefaultAging)) {
		t.Error("another address is no news")
	}
	c.Flush("br0")
	if es := c.Entries(now); len(es) != 0 {
		t.Errorf("left: %v", es)
	}
}

func TestSetAging(t *testing.T) {
	c, now := New(), time.Now()
	c.Learn("br0", ip4, macA, now)
	c.SetAging(5*time.Second, now)
	if es := c.Entries(now); es[0].Expires.Sub(now) != 5*time.Second {
		t.Errorf("expires in %v", es[0].Expires.Sub(now))
	}
	c.SetAging(10*time.Second, now)
	if es := c.Entries(now); es[0].Expires.Sub(now) != 5*time.Second {
		t.Errorf("a longer time made it %v", es[0].Expires.Sub(now))
	}
}

// TestMayAsk: one request a second, until the neighbour answers.
func TestMayAsk(t *testing.T) {
	c, now := New(), time.Now()
	asked := 0
	for i := range 35 {
		if c.MayAsk("br0", ip4, now.Add(time.Duration(i)*100*time.Millisecond)) {
			asked++
		}
	}
	if asked != 4 {
		t.Errorf("asked %d times in 3.4 s", asked)
	}
	if _, ok := c.Lookup("br0", ip4, now); ok {
		t.Error("an incomplete entry was found")
	}
	if es := c.Entries(now); len(es) != 1 || es[0].Complete {
		t.Errorf("%+v", es)
	}
	if !c.Learn("br0", ip4, macA, now) || c.MayAsk("br0", ip4, now.Add(time.Minute)) {
		t.Error("asked for one that is known")
	}
	if !c.MayAsk("br0", ip4, now.Add(DefaultAging)) {
		t.Error("not asked for one that has aged")
	}
	c.SetRetrans(0)
	if !c.MayAsk("br0", ip4, now.Add(DefaultAging)) {
		t.Error("not asked again although no time need pass")
	}
}

func TestMayAskOnceOfMany(t *testing.T) {
	c, now := New(), time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	asked := 0
	for range 8 {
		wg.Go(func() {
			if c.MayAsk("br0", ip6, now) {
				mu.Lock()
				asked++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestBounded(t *testing.T) {
	c, now := New(), time.Now()
	for i := range maxPerBridge + 10 {
		c.Learn("br0", netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), macA, now)
	}
	if n := len(c.Entries(now)); n != maxPerBridge {
		t.Errorf("%d entries", n)
	}
	if !c.Learn("br1", ip4, macA, now) {
		t.Error("another bridge suffers")
	}
}

func TestAnnounced(t *testing.T) {
	v4 := func(a netip.Addr) uint32 {
		b := a.As4()
		return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	other4, other6 := netip.MustParseAddr("1.1.2.88"), netip.MustParseAddr("2001:cafe::88")
	arp := flow.Key{EthType: typeARP, NwProto: arpReply, IPSrc: v4(ip4), IPDst: v4(other4), ARPSHA: macA}
	na := flow.Key{
		EthType: typeIPv6, NwProto: protoICMPv6, NwTTL: 255, TpSrc: neighbourAdvertisement, NDTarget: ip6.As16(), IPv6Src: ip6.As16(),
		IPv6Dst: other6.As16(), ARPTHA: macB,
	}
	with := func(k flow.Key, f func(*flow.Key)) flow.Key { f(&k); return k }
	for name, c := range map[string]struct {
		k    flow.Key
		want Announcement
	}{
		"reply":                {arp, Announcement{ip4, macA, other4}},
		"request":              {with(arp, func(k *flow.Key) { k.NwProto = 1 }), Announcement{}},
		"gratuitous request":   {with(arp, func(k *flow.Key) { k.NwProto, k.IPDst = 1, k.IPSrc }), Announcement{ip4, macA, ip4}},
		"probe":                {with(arp, func(k *flow.Key) { k.IPSrc = 0 }), Announcement{}},
		"reply of a group":     {with(arp, func(k *flow.Key) { k.ARPSHA = packet.Broadcast }), Announcement{}},
		"advertisement":        {na, Announcement{ip6, macB, other6}},
		"to all":               {with(na, func(k *flow.Key) { k.IPv6Dst = netip.MustParseAddr("ff02::1").As16() }), Announcement{ip6, macB, ip6}},
		"solicitation":         {with(na, func(k *flow.Key) { k.TpSrc = 135 }), Announcement{}},
		"without address":      {with(na, func(k *flow.Key) { k.ARPTHA = packet.MAC{} }), Announcement{}},
		"from another network": {with(na, func(k *flow.Key) { k.NwTTL = 64 }), Announcement{}},
		"fragment":             {with(na, func(k *flow.Key) { k.NwFrag = flow.FragAny }), Announcement{}},
		"UDP":                  {with(na, func(k *flow.Key) { k.NwProto = 17 }), Announcement{}},
		"IPv4":                 {flow.Key{EthType: 0x800}, Announcement{}},
	} {
		var wc flow.Mask
		got, ok := Announced(&c.k, &wc)
		if ok != c.want.IP.IsValid() || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", name, got, ok, c.want)
		}
		// Whatever isn't marked doesn't count.
		masked := c.k
		for i, w := range wc.Words() {
			masked.Words()[i] &= w
		}
		masked.EthType = c.k.EthType
		if again, _ := Announced(&masked, new(flow.Mask)); again != got {
			t.Errorf("%s: with what is marked alone: %+v, want %+v", name, again, got)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	c, now := New(), time.Now()
	c.Learn("br0", ip4, macA, now)
	c.Learn("br0", ip6, macB, now)
	c.MayAsk("br0", netip.MustParseAddr("1.1.2.93"), now)
	waiting := netip.MustParseAddr("1.1.2.93")
	if n := testing.AllocsPerRun(100, func() {
		c.Lookup("br0", ip4, now)
		c.Lookup("br0", ip6, now)
		c.Learn("br0", ip4, macA, now)
		c.MayAsk("br0", waiting, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	c, now := New(), time.Now()
	for i := range 1000 {
		c.Learn("br0", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), macA, now)
	}
	ip := netip.MustParseAddr("10.0.1.7")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Lookup("br0", ip, now)
		}
	})
}

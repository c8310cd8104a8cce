package route

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func prefixes(texts ...string) (ps []netip.Prefix) {
	for _, t := range texts {
		ps = append(ps, netip.MustParsePrefix(t))
	}
	return ps
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func user(prefix, device, gateway string) Entry {
	e := Entry{Prefix: netip.MustParsePrefix(prefix), Table: TableMain, Route: Route{Device: device}}
	if gateway != "" {
		e.Gateway = addr(gateway)
	}
	return e
}

// TestAddChoosesSource: the source is the address whose network has the gateway,
// or the destination; without one there is no route.
func TestAddChoosesSource(t *testing.T) {
	tb := NewTable()
	tb.SetAddresses("br0", prefixes("192.0.2.1/24", "192.0.2.129/25", "2001:db8:cafe::1/64"))
	for _, c := range []struct {
		prefix, gateway, src string
		err                  error
	}{
		{"198.51.100.0/24", "192.0.2.254", "192.0.2.129", nil},
		{"198.51.100.0/24", "192.0.2.5", "192.0.2.1", nil},
		{"192.0.2.77/24", "", "192.0.2.1", nil},
		{"198.51.100.0/24", "", "", ErrNoSource},
		{"198.51.100.0/24", "203.0.113.1", "", ErrNoSource},
		{"2001:db8:babe::/64", "2001:db8:cafe::2", "2001:db8:cafe::1", nil},
		{"2001:db8:babe::/64", "2001:db8:cafd::2", "", ErrNoSource},
	} {
		e := user(c.prefix, "br0", c.gateway)
		if err := tb.Add(e); !errors.Is(err, c.err) {
			t.Fatalf("%s by %s: %v, want %v", c.prefix, c.gateway, err, c.err)
		}
		if c.err != nil {
			continue
		}
		got, ok := tb.Lookup(e.Prefix.Addr().Next(), netip.Addr{}, 0)
		if !ok || got.Src != addr(c.src) || got.Device != "br0" || got.Gateway != e.Gateway {
			t.Errorf("%s by %s: %+v, want source %s", c.prefix, c.gateway, got, c.src)
		}
	}
	e := user("203.0.113.0/24", "br0", "192.0.2.3")
	e.Src = addr("192.0.2.129")
	if err := tb.Add(e); err != nil {
		t.Fatal(err)
	}
	if got, _ := tb.Lookup(addr("203.0.113.9"), netip.Addr{}, 0); got.Src != e.Src {
		t.Errorf("a given source: %v", got.Src)
	}
	if e.Src = addr("192.0.2.130"); tb.Add(e) == nil {
		t.Error("a source that the device doesn't have was taken")
	}
}

// TestPreference: users' routes go before the host's with up to 32 bits more,
// local ones before both, and of two for one prefix the lower metric serves.
func TestPreference(t *testing.T) {
	tb := NewTable()
	sys := func(prefix, device string, metric, table uint32, local bool) Entry {
		return Entry{Route: Route{Device: device, Local: local}, Prefix: netip.MustParsePrefix(prefix), Metric: metric, Table: table}
	}
	tb.SetSystem(System{Entries: []Entry{
		sys("10.0.0.5/32", "lo", 0, TableLocal, true),
		sys("10.0.0.0/24", "s", 0, TableMain, false),
		sys("0.0.0.0/0", "late", 100, TableMain, false),
		sys("0.0.0.0/0", "soon", 50, TableMain, false),
		sys("2001:db8::/64", "s", 0, TableMain, false),
		sys("8.8.8.8/32", "def", 0, TableDefault, false),
	}, Addresses: map[string][]netip.Prefix{
		"s": prefixes("10.0.0.9/24", "2001:db8::9/64"), "soon": prefixes("10.0.0.9/24"), "late": prefixes("10.0.0.9/24"),
		"u": prefixes("10.0.0.5/8", "2001:db8::5/32"), "def": prefixes("10.0.0.9/24"), "lo": prefixes("10.0.0.5/32"),
	}})
	for _, e := range []Entry{user("10.0.0.0/8", "u", ""), user("2001:db8::/31", "u", "")} {
		if err := tb.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for dst, want := range map[string]string{
		"10.0.0.5": "lo", "10.0.0.6": "u", "11.0.0.1": "soon", "2001:db8::1": "s", "2001:db9::1": "u", "8.8.8.8": "soon",
	} {
		if got, _ := tb.Lookup(addr(dst), netip.Addr{}, 0); got.Device != want {
			t.Errorf("%s: by %q, want %q", dst, got.Device, want)
		}
	}
	if _, ok := tb.Lookup(addr("10.0.0.6"), netip.Addr{}, 7); ok {
		t.Error("a lookup with a mark found a route without one")
	}
	if err := tb.Delete(netip.MustParsePrefix("10.0.0.0/24"), 0, TableMain); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting a route of the host: %v", err)
	}
	if err := tb.Delete(netip.MustParsePrefix("10.7.7.7/8"), 0, TableMain); err != nil {
		t.Error(err)
	}
	if got, _ := tb.Lookup(addr("10.0.0.6"), netip.Addr{}, 0); got.Device != "s" {
		t.Errorf("after the user's route has gone: by %q", got.Device)
	}
}

// TestRules: rules choose tables by source; a table without a route passes on.
func TestRules(t *testing.T) {
	tb := NewTable()
	tb.SetAddresses("br0", prefixes("10.0.0.5/8"))
	tb.SetAddresses("br1", prefixes("10.0.0.6/8"))
	e := user("10.1.0.0/16", "br1", "")
	e.Table = 10
	for _, e := range []Entry{e, user("10.0.0.0/8", "br0", "")} {
		if err := tb.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	from := netip.MustParsePrefix("10.0.0.6/32")
	check := func(dst, src, want string) {
		t.Helper()
		var s netip.Addr
		if src != "" {
			s = addr(src)
		}
		if got, _ := tb.Lookup(addr(dst), s, 0); got.Device != want {
			t.Errorf("%s from %s: by %q, want %q", dst, src, got.Device, want)
		}
	}
	check("10.1.0.1", "10.0.0.6", "br0")
	if err := tb.AddRule(Rule{From: from, Table: 10}, true); err != nil {
		t.Fatal(err)
	}
	if rules := tb.Rules(); rules[1].Priority != 1 || !rules[1].User {
		t.Errorf("the rule got priority %+v", rules)
	}
	check("10.1.0.1", "10.0.0.6", "br1")
	check("10.1.0.1", "10.0.0.7", "br0")
	check("10.1.0.1", "", "br0")
	check("10.2.0.1", "10.0.0.6", "br0") // table 10 has none
	if err := tb.AddRule(Rule{From: from, Table: 10, Priority: 1}, false); !errors.Is(err, ErrRuleExists) {
		t.Errorf("the same rule again: %v", err)
	}
	if err := tb.DeleteRule(Rule{From: from, Table: 10, Priority: 2}, false); !errors.Is(err, ErrNoRule) {
		t.Errorf("deleting by another priority: %v", err)
	}
	if err := tb.DeleteRule(Rule{From: from, Table: 10}, true); err != nil {
		t.Fatal(err)
	}
	if err := tb.DeleteRule(Rule{Table: TableMain, Priority: 32766}, false); !errors.Is(err, ErrNoRule) {
		t.Errorf("deleting the host's rule: %v", err)
	}
	if err := tb.AddRule(Rule{From: from, Not: true, Table: 10, Priority: 9}, false); err != nil {
		t.Fatal(err)
	}
	check("10.1.0.1", "10.0.0.6", "br0")
	check("10.1.0.1", "10.0.0.7", "br1")
	check("10.1.0.1", "", "br1")
}

// TestConnected: addresses of devices that no host knows bring routes along.
func TestConnected(t *testing.T) {
	tb := NewTable()
	before := tb.Seq()
	tb.SetAddresses("br0", prefixes("1.1.2.88/24", "2001:cafe::88/64"))
	if tb.Seq() == before {
		t.Error("the change was not counted")
	}
	want := []Entry{
		{Route: Route{Device: "br0", Src: addr("1.1.2.88"), Local: true}, Prefix: netip.MustParsePrefix("1.1.2.0/24"), Table: TableMain},
		{Route: Route{Device: "br0", Src: addr("2001:cafe::88"), Local: true}, Prefix: netip.MustParsePrefix("2001:cafe::/64"), Table: TableMain},
	}
	if d := cmp.Diff(want, tb.Entries(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if !tb.HasAddress("br0", addr("1.1.2.88")) || tb.HasAddress("br0", addr("1.1.2.89")) || tb.HasAddress("br1", addr("1.1.2.88")) {
		t.Error("HasAddress")
	}
	tb.SetAddresses("br0", nil)
	if es := tb.Entries(); len(es) != 0 {
		t.Errorf("left: %v", es)
	}
}

// TestLookupLikeScan compares lookups with a scan of all entries.
func TestLookupLikeScan(t *testing.T) {
	genPrefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "v4") {
			a := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 3).Draw(t, "b")), 0, byte(rapid.IntRange(0, 3).Draw(t, "d"))})
			return netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		}
		a := netip.AddrFrom16([16]byte{0x20, 1, 15: byte(rapid.IntRange(0, 3).Draw(t, "d"))})
		return netip.PrefixFrom(a, rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		tb := NewTable()
		var system []Entry
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			system = append(system, Entry{
				Route:  Route{Device: string(rune('a' + i)), Src: netip.IPv6Unspecified(), Local: rapid.Bool().Draw(t, "local")},
				Prefix: genPrefix.Draw(t, "prefix"), Metric: uint32(i), Table: TableMain,
				Mark: uint32(rapid.IntRange(0, 1).Draw(t, "mark")), User: rapid.Bool().Draw(t, "user"),
			})
		}
		tb.SetSystem(System{Entries: slices.Clone(system)})
		dst, mark := genPrefix.Draw(t, "dst").Addr(), uint32(rapid.IntRange(0, 1).Draw(t, "mark"))
		best := -1
		for i := range system {
			e := &system[i]
			if e.Mark == mark && e.Prefix.Contains(dst) && (best < 0 || e.Priority() > system[best].Priority()) {
				best = i
			}
		}
		got, ok := tb.Lookup(dst, netip.Addr{}, mark)
		if ok != (best >= 0) || ok && tb.priorityOf(got.Device) != system[best].Priority() {
			t.Fatalf("%s mark %d: %+v, want %d of %+v", dst, mark, got, best, system)
		}
	})
}

func (t *Table) priorityOf(device string) int {
	es := t.Entries()
	return es[slices.IndexFunc(es, func(e Entry) bool { return e.Device == device })].Priority()
}

func fullTable() *Table {
	tb := NewTable()
	tb.SetAddresses("br0", prefixes("1.1.2.88/24", "2001:cafe::88/64"))
	for i := range 1000 {
		e := user("30.0.0.0/24", "br0", "1.1.2.1")
		e.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{30, byte(i >> 8), byte(i), 0}), 24)
		tb.user = append(tb.user, e)
	}
	tb.publish()
	return tb
}

func TestLookupAllocatesNothing(t *testing.T) {
	tb := fullTable()
	v4, v6, src := addr("30.0.200.7"), addr("2001:cafe::1"), addr("1.1.2.88")
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := tb.Lookup(v4, src, 0); !ok {
			t.Error("no route")
		}
		if _, ok := tb.Lookup(v6, netip.Addr{}, 0); !ok {
			t.Error("no route")
		}
		tb.HasAddress("br0", src)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	tb := fullTable()
	dst := addr("30.0.200.7")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tb.Lookup(dst, netip.Addr{}, 0)
		}
	})
}

// TestSystemSource: routes of the host get a source where they have none; one that
// no address serves is left out.
func TestSystemSource(t *testing.T) {
	tb := NewTable()
	sys := func(prefix, gateway string) Entry {
		e := user(prefix, "d", gateway)
		return e
	}
	entries := []Entry{sys("10.1.0.0/16", ""), sys("10.2.0.0/16", "192.0.2.9"), sys("2001:db8:1::/48", "fe80::1"), sys("fe80::/64", "")}
	nowhere := sys("10.3.0.0/16", "")
	nowhere.Device = "e"
	tb.SetSystem(System{Entries: append(entries, nowhere), Addresses: map[string][]netip.Prefix{
		"d": prefixes("192.0.2.1/24", "fe80::5/64", "2001:db8::5/64"), "e": prefixes("fe80::6/64"),
	}})
	for dst, want := range map[string]string{"10.1.0.1": "192.0.2.1", "10.2.0.1": "192.0.2.1", "2001:db8:1::1": "2001:db8::5", "fe80::9": "fe80::5"} {
		if got, ok := tb.Lookup(addr(dst), netip.Addr{}, 0); !ok || got.Src != addr(want) {
			t.Errorf("%s: %+v, want source %s", dst, got, want)
		}
	}
	if got, ok := tb.Lookup(addr("10.3.0.1"), netip.Addr{}, 0); ok {
		t.Errorf("a route without a source: %+v", got)
	}
}

// BenchmarkSetSystem is a host with as many routes as the Internet has.
func BenchmarkSetSystem(b *testing.B) {
	var es []Entry
	for i := range 1 << 20 {
		e := user("0.0.0.0/0", "d", "192.0.2.9")
		e.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i>>16) + 16, byte(i >> 8), byte(i), 0}), 24)
		e.User = false
		es = append(es, e)
	}
	addrs := map[string][]netip.Prefix{"d": prefixes("192.0.2.1/24")}
	tb := NewTable()
	for b.Loop() {
		tb.SetSystem(System{Entries: slices.Clone(es), Addresses: addrs})
	}
}

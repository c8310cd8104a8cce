package classifier

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"weir/internal/flow"
	"weir/internal/packet"
)

func sub64(t *rapid.T, label string, choices ...uint64) uint64 {
	return rapid.SampledFrom(choices).Draw(t, label)
}

// drawKey draws from few values, so that rules and keys meet often.
func drawKey(t *rapid.T) flow.Key {
	var k flow.Key
	k.InPort = uint32(rapid.IntRange(1, 3).Draw(t, "in_port"))
	k.EthType = uint16(sub64(t, "dl_type", 0x0800, 0x86dd, 0x0806))
	k.EthDst[5] = byte(rapid.IntRange(0, 2).Draw(t, "dst"))
	k.IPSrc = uint32(sub64(t, "src", 0x0a000001, 0x0a000002, 0x0a010000, 0x0b000000, 0xc0a80001))
	k.IPDst = uint32(sub64(t, "dst4", 0x0a000001, 0x0a000002, 0x0a010000, 0x0b000000, 0xc0a80001))
	k.IPv6Src[0] = byte(sub64(t, "src6", 0x20, 0x21, 0xfe))
	k.IPv6Src[15] = byte(rapid.IntRange(0, 1).Draw(t, "src6low"))
	k.TpSrc = uint16(sub64(t, "tp_src", 0, 80, 81, 0x8000, 443))
	k.TpDst = uint16(sub64(t, "tp_dst", 0, 80, 81, 0x8000, 443))
	k.Regs[0] = uint32(rapid.IntRange(0, 1).Draw(t, "reg"))
	return k
}

func drawMask(t *rapid.T) flow.Mask {
	var m flow.Mask
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	if flag("m_in_port") {
		m.InPort = ^uint32(0)
	}
	if flag("m_type") {
		m.EthType = 0xffff
	}
	if flag("m_dst") {
		m.EthDst[5] = byte(sub64(t, "m_dst_bits", 1, 2, 255))
	}
	if flag("m_reg") {
		m.Regs[0] = 1
	}
	m.IPSrc = uint32(sub64(t, "m_src", 0, 0, 0xffffffff, 0xff000000, 0xffff0000, 0x0000ffff, 0xf0000000))
	m.IPDst = uint32(sub64(t, "m_dst4", 0, 0, 0xffffffff, 0xff000000, 0xffff0000))
	if flag("m_src6") {
		m.IPv6Src[0] = 0xff
		if flag("m_src6all") {
			for i := range m.IPv6Src {
				m.IPv6Src[i] = 0xff
			}
		}
	}
	m.TpSrc = uint16(sub64(t, "m_tps", 0, 0, 0xffff, 0x8000))
	m.TpDst = uint16(sub64(t, "m_tpd", 0, 0, 0xffff, 0xfff0))
	return m
}

type lin struct {
	r        *Rule[int]
	add, del Version
}

// bestLinear is the oracle: a linear scan without conjunctions.
func bestLinear(rules []lin, v Version, key *flow.Key, conj bool) (best *Rule[int]) {
	for _, l := range rules {
		if l.add <= v && v < l.del && (l.r.conj == nil || !conj) && l.r.Matches(key) && (best == nil || l.r.priority > best.priority) {
			best = l.r
		}
	}
	return best
}

// randomize changes the bits of key that mask leaves open.
func randomize(t *rapid.T, key *flow.Key, mask *flow.Mask) flow.Key {
	out, other := *key, drawKey(t)
	ow, xw, mw := out.Words(), other.Words(), mask.Words()
	noise := rapid.Bool().Draw(t, "noise")
	for i := range ow {
		ow[i] = ow[i]&mw[i] | xw[i]&^mw[i]
		if noise {
			ow[i] ^= 0x5a5a5a5a5a5a5a5a &^ mw[i]
		}
	}
	out.ConjID = 0
	return out
}

func TestLookupAgainstLinearScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New[int](DefaultPrefixes()...)
		var rules []lin
		var s Scratch[int]
		v := MinVersion
		n := rapid.IntRange(0, 40).Draw(t, "ops")
		for i := range n {
			v++
			if len(rules) > 0 && rapid.IntRange(0, 3).Draw(t, "op") == 0 {
				l := &rules[rapid.IntRange(0, len(rules)-1).Draw(t, "victim")]
				if l.del == NotRemoved {
					l.del = v
					l.r.HideFrom(v)
				}
				if rapid.Bool().Draw(t, "physically") && l.r.Inserted() {
					c.Remove(l.r)
					l.del = 0
				}
				continue
			}
			key, mask := drawKey(t), drawMask(t)
			// Distinct priorities make the answer unique.
			r := NewRule(&key, &mask, rapid.IntRange(0, 9).Draw(t, "prio")*1000+i, nil, i)
			c.Insert(r, v)
			rules = append(rules, lin{r, v, NotRemoved})
		}
		if rapid.Bool().Draw(t, "other prefixes") {
			c.SetPrefixes(PrefixIPv6Src, PrefixIPv4Src)
		}
		if rapid.Bool().Draw(t, "pages") {
			for _, trie := range c.state.Load().tries {
				trie.toPages()
			}
		}
		checkTables(t, c, rules)
		for range 8 {
			at := v - Version(rapid.IntRange(0, 3).Draw(t, "ago"))
			key := drawKey(t)
			want := bestLinear(rules, at, &key, true)
			if got := c.Lookup(at, &key, nil, &s); got != want {
				t.Fatalf("without wildcards: got %+v want %+v", got, want)
			}
			var wc flow.Mask
			if got := c.Lookup(at, &key, &wc, &s); got != want {
				t.Fatalf("with wildcards: got %+v want %+v", got, want)
			}
			// The megaflow law.
			for range 6 {
				like := randomize(t, &key, &wc)
				if got := bestLinear(rules, at, &like, true); got != want {
					t.Fatalf("megaflow law: %+v, not %+v", got, want)
				}
			}
		}
	})
}

func checkTables(t *rapid.T, c *Classifier[int], rules []lin) {
	live := 0
	for _, l := range rules {
		if l.r.Inserted() {
			live++
		}
	}
	if c.Len() != live {
		t.Fatalf("Len %d, want %d", c.Len(), live)
	}
	seen := 0
	last := int32(1 << 30)
	for _, e := range c.state.Load().entries {
		top := int32(-1)
		e.st.each(func(r *Rule[int]) bool {
			seen++
			top = max(top, r.priority)
			return true
		})
		if top != e.max || top > last {
			t.Fatalf("subtable of priority %d says %d after %d", top, e.max, last)
		}
		last = top
	}
	if seen != live {
		t.Fatalf("iteration sees %d rules of %d", seen, live)
	}
}

// linearConj is the oracle with conjunctions.
func linearConj(rules []lin, key *flow.Key) *Rule[int] {
	hard := bestLinear(rules, MaxVersion, key, true)
	for p := int32(20); p >= 0 && (hard == nil || p > hard.priority); p-- {
		for id := uint32(1); id <= 3; id++ {
			var seen uint64
			var n uint8
			for _, l := range rules {
				for _, cj := range l.r.Conjunctions() {
					if l.r.priority == p && cj.ID == id && l.r.Matches(key) {
						seen |= 1 << cj.Clause
						n = cj.N
					}
				}
			}
			if n > 0 && seen == 1<<n-1 {
				k := *key
				k.ConjID = id
				if r := bestLinear(rules, MaxVersion, &k, true); r != nil {
					return r
				}
			}
		}
	}
	return hard
}

func TestConjunctionsAgainstLinearScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New[int](DefaultPrefixes()...)
		var rules []lin
		used := map[int]bool{}
		for i := range rapid.IntRange(1, 16).Draw(t, "rules") {
			key, mask := drawKey(t), drawMask(t)
			var conj []Conj
			prio := rapid.IntRange(0, 20).Draw(t, "prio")
			switch {
			case rapid.IntRange(0, 3).Draw(t, "kind") > 0:
				// One id per priority keeps the choice between ids out.
				conj = []Conj{{ID: uint32(prio%3 + 1), Clause: uint8(rapid.IntRange(0, 1).Draw(t, "clause")), N: 2}}
			case rapid.Bool().Draw(t, "by id"):
				mask = flow.Mask{ConjID: ^uint32(0)}
				key.ConjID = uint32(rapid.IntRange(1, 3).Draw(t, "id"))
			}
			if conj == nil && used[prio] {
				continue
			}
			used[prio] = used[prio] || conj == nil
			r := NewRule(&key, &mask, prio, conj, i)
			dup := c.FindExact(MaxVersion, &key, &mask, prio)
			if dup != nil {
				continue
			}
			c.Insert(r, 1)
			rules = append(rules, lin{r, 1, NotRemoved})
		}
		var s Scratch[int]
		for range 8 {
			key := drawKey(t)
			want := linearConj(rules, &key)
			var wc flow.Mask
			if got := c.Lookup(MaxVersion, &key, &wc, &s); got != want {
				t.Fatalf("got %+v want %+v", got, want)
			}
			for range 4 {
				like := randomize(t, &key, &wc)
				if got := linearConj(rules, &like); got != want {
					t.Fatalf("megaflow law: %+v, not %+v", got, want)
				}
			}
		}
	})
}

func TestIteration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New[int]()
		var rules []lin
		for i := range 20 {
			key, mask := drawKey(t), drawMask(t)
			prio := rapid.IntRange(0, 2).Draw(t, "prio")
			if c.FindExact(1, &key, &mask, prio) != nil {
				continue
			}
			r := NewRule(&key, &mask, prio, nil, i)
			c.Insert(r, 1)
			if c.FindExact(1, &key, &mask, prio) != r {
				t.Fatal("FindExact does not find the rule just added")
			}
			rules = append(rules, lin{r, 1, NotRemoved})
		}
		key, mask := drawKey(t), drawMask(t)
		got := map[*Rule[int]]bool{}
		c.EachWithin(1, &key, &mask, func(r *Rule[int]) bool { got[r] = true; return true })
		kw, mw := key.Words(), mask.Words()
		overlap := false
		for _, l := range rules {
			var rk flow.Key
			var rm flow.Mask
			l.r.Expand(&rk, &rm)
			within, meets := true, true
			for i, rw := range rm.Words() {
				within = within && rw&mw[i] == mw[i] && (rk.Words()[i]^kw[i])&mw[i] == 0
				meets = meets && (rk.Words()[i]^kw[i])&rw&mw[i] == 0
			}
			if within != got[l.r] {
				t.Fatalf("EachWithin gives %v", got[l.r])
			}
			overlap = overlap || meets && l.r.priority == 1
		}
		if (c.Overlapping(1, &key, &mask, 1) != nil) != overlap {
			t.Fatalf("Overlapping: want %v", overlap)
		}
	})
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c, keys := benchTable(100)
	var s Scratch[int]
	var wc flow.Mask
	if n := testing.AllocsPerRun(100, func() {
		for i := range keys {
			c.Lookup(1, &keys[i], &wc, &s)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// A rule must stay small: a switch holds hundreds of thousands.
func TestRuleSize(t *testing.T) {
	if n := unsafe.Sizeof(Rule[*int]{}); n > 56 {
		t.Fatalf("a rule takes %d bytes", n)
	}
}

func benchTable(n int) (*Classifier[int], []flow.Key) {
	c := New[int](DefaultPrefixes()...)
	var keys []flow.Key
	for i := range n {
		k := flow.Key{EthType: 0x0800, InPort: uint32(i % 8), IPDst: uint32(i) << 8, TpDst: uint16(i)}
		m := flow.Mask{EthType: 0xffff, IPDst: 0xffffff00}
		if i%3 == 0 {
			m.TpDst = 0xffff
		}
		if i%2 == 0 {
			m.InPort = ^uint32(0)
		}
		c.Insert(NewRule(&k, &m, i, nil, i), 1)
		keys = append(keys, k)
	}
	return c, keys
}

func BenchmarkLookup(b *testing.B) {
	c, keys := benchTable(100000)
	var s Scratch[int]
	var wc flow.Mask
	b.ReportAllocs()
	for i := range b.N {
		c.Lookup(1, &keys[i%len(keys)], &wc, &s)
	}
}

// tupleKey writes the key of the i-th connection.
func tupleKey(k *flow.Key, i int) {
	a := uint32(i)*2654435761 | 1
	k.InPort, k.EthType, k.NwProto = a%64, 0x0800, 6
	k.IPSrc, k.IPDst, k.TpSrc, k.TpDst = a, a^0x5bd1e995, uint16(a>>3), uint16(i)
	k.EthSrc = packet.MAC{2, 0, byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}
}

// tupleTable makes n rules of ten masks, as many of each, all of one priority:
// one for each of n connections.
func tupleTable(n int) *Classifier[int] {
	c := New[int](DefaultPrefixes()...)
	var k flow.Key
	for i := range n {
		tupleKey(&k, i)
		m := flow.Mask{EthType: 0xffff, NwProto: 0xff, TpDst: 0xffff}
		switch i % 10 {
		case 0, 1, 2, 3:
			m.IPDst, m.IPSrc = ^uint32(0)<<(i%10), ^uint32(0)
		case 4, 5, 6:
			m.IPSrc, m.InPort = ^uint32(0)<<(i%10-4), ^uint32(0)
		case 7, 8:
			m.IPSrc, m.TpSrc = ^uint32(0)<<(i%10-7), 0xffff
		case 9:
			m.EthSrc = packet.Broadcast
		}
		c.Insert(NewRule(&k, &m, 1, nil, i), 1)
	}
	return c
}

// BenchmarkTuples looks up connections in an order without locality, over
// 500,000 rules of ten masks: alone, and with the bits noted that decided.
func BenchmarkTuples(b *testing.B) {
	const n = 500000
	c := tupleTable(n)
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	var s Scratch[int]
	var k flow.Key
	for _, noted := range []bool{false, true} {
		b.Run(map[bool]string{false: "lookup", true: "with mask"}[noted], func(b *testing.B) {
			wc := new(flow.Mask)
			if !noted {
				wc = nil
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tupleKey(&k, order[i%n])
				if c.Lookup(1, &k, wc, &s) == nil {
					b.Fatal("no rule")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
		})
	}
}

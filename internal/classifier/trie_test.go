package classifier

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// prefixSet is the oracle of tries: the prefixes, each as often as it is there.
type prefixSet []sizedPrefix

type sizedPrefix struct {
	p prefix
	n uint8
}

// lookup follows from what need means: a value must share the length of every
// prefix it has, and one bit more than it shares with every other.
func (s prefixSet) lookup(v prefix) (lens prefix, need uint8) {
	for _, e := range s {
		c := e.p.common(v)
		if c >= e.n {
			lens.setBit(e.n - 1)
			need = max(need, e.n)
		} else {
			need = max(need, c+1)
		}
	}
	return lens, need
}

// somePrefix takes prefixes that fork and nest in each of the levels, and so
// few beginnings that leaves overflow.
func somePrefix(rng *rand.Rand) prefix {
	step := func() uint64 { return []uint64{0, 0x81}[rng.IntN(2)] }
	part := func() uint64 { return []uint64{0, 1, 0x80, 0x81, 0xff}[rng.IntN(5)] }
	return prefix{
		hi: step()<<56 | step()<<48 | part()<<40 | part()<<32 | part()<<24,
		lo: part()<<56 | part(),
	}
}

// A trie says of a value what its prefixes say, with pages and without, as they
// come and go, before it gets pages and after.
func TestTrieAgainstSet(t *testing.T) {
	lengths := []uint8{1, 2, 7, 8, 9, 12, 15, 16, 17, 24, 24, 31, 32, 32, 32, 33, 40, 64, 65, 128}
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		tr := newTries([]PrefixField{PrefixIPv6Src})[0]
		var set prefixSet
		toPages := rapid.IntRange(0, 200).Draw(t, "pages from")
		removals := rapid.IntRange(0, 12).Draw(t, "removals of 20")
		for i := range rapid.SampledFrom([]int{20, 100, 400}).Draw(t, "ops") {
			if i == toPages {
				tr.toPages()
			}
			if i%100 == 99 {
				removals = rng.IntN(20) // so that some run empty
			}
			if len(set) > 0 && rng.IntN(20) < removals {
				i := rng.IntN(len(set))
				tr.remove(set[i].p, set[i].n)
				set = slices.Delete(set, i, i+1)
			} else {
				n := lengths[rng.IntN(len(lengths))]
				p := somePrefix(rng).and(ones(n))
				tr.insert(p, n)
				set = append(set, sizedPrefix{p, n})
			}
			v := somePrefix(rng)
			lens, need := tr.lookup(v)
			if wantLens, wantNeed := set.lookup(v); lens != wantLens || need != wantNeed {
				t.Fatalf("%x: lengths %x need %d, want %x need %d", v, lens, need, wantLens, wantNeed)
			}
		}
	})
}

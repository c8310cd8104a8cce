package classifier

import (
	"sync"
	"testing"

	"weir/internal/flow"
)

// Lookups beside a writer find what their version has, whatever comes and goes.
func TestLookupBesideWriter(t *testing.T) {
	c := New[int](DefaultPrefixes()...)
	mask := flow.Mask{EthType: 0xffff, IPSrc: 0xffffffff, IPDst: 0xffffff00, TpDst: 0xffff}
	key := func(i int) flow.Key {
		return flow.Key{EthType: 0x0800, IPSrc: uint32(i) * 0x9e3779b1, IPDst: uint32(i) << 12, TpDst: uint16(i * 7)}
	}
	const stay, turns = 64, 40
	for i := range stay {
		k := key(i)
		c.Insert(NewRule(&k, &mask, 1, nil, i), 1)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var s Scratch[int]
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				k := key(i % stay)
				var wc flow.Mask
				r := c.Lookup(1, &k, &wc, &s)
				if r == nil || r.Value != i%stay {
					t.Errorf("key %d found %v", i%stay, r)
					return
				}
				if i%stay == 0 {
					if n := len(c.Rules(1)); n != stay {
						t.Errorf("%d rules are listed, want %d", n, stay)
						return
					}
				}
			}
		})
	}
	var churn []*Rule[int]
	for turn := range turns {
		for i := range 200 {
			k := key(stay + i + turn)
			r := NewRule(&k, &mask, 2, nil, -1)
			c.Insert(r, 2)
			churn = append(churn, r)
			k = key(i % stay)
			r = NewRule(&k, &mask, 3, nil, -2)
			c.Insert(r, 2)
			churn = append(churn, r)
		}
		for _, r := range churn {
			c.Remove(r)
		}
		churn = churn[:0]
	}
	close(done)
	wg.Wait()
	if c.Len() != stay {
		t.Errorf("%d rules, want %d", c.Len(), stay)
	}
}

package pqueue

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type item struct{ value, place int }

// A queue does what a list does that is searched through.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := New(func(a, b *item) bool { return a.value < b.value }, func(x *item) *int { return &x.place })
		var all []*item
		take := func(x *item) {
			all = slices.DeleteFunc(all, func(y *item) bool { return y == x })
			if x.place != Absent {
				t.Fatalf("an item that is out notes the place %d", x.place)
			}
		}
		any := func() *item { return rapid.SampledFrom(all).Draw(t, "item") }
		value := rapid.IntRange(0, 9)
		some := func(do func()) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("empty")
				}
				do()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				x := &item{value: value.Draw(t, "value")}
				all = append(all, x)
				q.Push(x)
			},
			"pop":    some(func() { take(q.Pop()) }),
			"remove": some(func() { x := any(); q.Remove(x); take(x) }),
			"fix":    some(func() { x := any(); x.value = value.Draw(t, "value"); q.Fix(x) }),
			"": func(*rapid.T) {
				if q.Len() != len(all) {
					t.Fatalf("%d items, want %d", q.Len(), len(all))
				}
				for _, x := range all {
					if q.First().value > x.value {
						t.Fatalf("%d leaves before %d", q.First().value, x.value)
					}
					if q.items[x.place] != x {
						t.Fatalf("an item is not at %d, which it notes", x.place)
					}
				}
			},
		})
	})
}

// What leaves is let go of, and no operation allocates.
func TestQueueMemory(t *testing.T) {
	q := New(func(a, b *item) bool { return a.value < b.value }, func(x *item) *int { return &x.place })
	items := make([]item, 100)
	for i := range items {
		items[i].value = (i * 37) % 100
		q.Push(&items[i])
	}
	if n := testing.AllocsPerRun(100, func() {
		x := q.Pop()
		x.value += 50
		q.Push(x)
		q.Fix(x)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for last := 0; q.Len() > 0; {
		x := q.Pop()
		if x.value < last {
			t.Errorf("%d leaves after %d", x.value, last)
		}
		last = x.value
	}
	if slices.ContainsFunc(q.items[:100], func(x *item) bool { return x != nil }) {
		t.Error("an empty queue keeps items alive")
	}
}

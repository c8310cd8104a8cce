// Package pqueue is a priority queue whose items may also change their order and
// leave from the middle: a binary heap in which each item knows its place. An
// operation takes logarithmic time and, but for growth, allocates nothing.
package pqueue

// Queue is a priority queue; New makes one. Its owner guards it.
type Queue[T any] struct {
	before func(a, b T) bool
	place  func(T) *int
	items  []T // none comes before its parent, the one at (i-1)/2
}

// Absent is the place of an item that was taken out of its queue.
const Absent = -1

// New returns an empty queue. before says that a leaves the queue before b; place
// points to where an item notes its place, which is the queue's to write: an
// item can be in one queue at a time, once.
func New[T any](before func(a, b T) bool, place func(T) *int) Queue[T] {
	return Queue[T]{before: before, place: place}
}

// Len is the number of items.
func (q *Queue[T]) Len() int { return len(q.items) }

// First is the item that leaves next. There must be one.
func (q *Queue[T]) First() T { return q.items[0] }

// Push adds an item.
func (q *Queue[T]) Push(x T) {
	q.items = append(q.items, x)
	q.up(x, len(q.items)-1)
}

// Pop takes the first item out. There must be one.
func (q *Queue[T]) Pop() T {
	first := q.items[0]
	q.Remove(first)
	return first
}

// Fix finds the place of an item whose order has changed.
func (q *Queue[T]) Fix(x T) {
	if i := *q.place(x); q.up(x, i) == i {
		q.down(x, i)
	}
}

// Remove takes an item out, wherever it is.
func (q *Queue[T]) Remove(x T) {
	var none T
	i, end := *q.place(x), len(q.items)-1
	last := q.items[end]
	q.items[end] = none // keeps nothing alive
	q.items = q.items[:end]
	*q.place(x) = Absent
	if i < end {
		q.put(last, i)
		q.Fix(last)
	}
}

func (q *Queue[T]) put(x T, i int) {
	q.items[i] = x
	*q.place(x) = i
}

// up puts x at i or above, and returns where.
func (q *Queue[T]) up(x T, i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.before(x, q.items[parent]) {
			break
		}
		q.put(q.items[parent], i)
		i = parent
	}
	q.put(x, i)
	return i
}

// down puts x at i or below.
func (q *Queue[T]) down(x T, i int) {
	for {
		child := 2*i + 1
		if child >= len(q.items) {
			break
		}
		if other := child + 1; other < len(q.items) && q.before(q.items[other], q.items[child]) {
			child = other
		}
		if !q.before(q.items[child], x) {
			break
		}
		q.put(q.items[child], i)
		i = child
	}
	q.put(x, i)
}

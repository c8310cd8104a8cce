package loop

import (
	"context"
	"testing"
	"time"

	"weir/internal/clock"
)

func TestLoop(t *testing.T) {
	c := clock.New()
	l := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { l.Run(ctx); close(ended) }()

	n := 0 // owned by the loop
	for range 1000 {
		l.Post(func() { n++ })
	}
	var got int
	l.Call(func() { got = n })
	if got != 1000 {
		t.Errorf("Call ran after %d of 1000 posts", got)
	}

	c.Stop()
	l.AfterFunc(time.Second, func() { n = 7 })
	stopped := l.AfterFunc(time.Second, func() { n = 9 })
	l.Call(func() { stopped.Stop() })
	c.Warp(time.Second, 0)
	l.Call(func() { got = n })
	if got != 7 {
		t.Errorf("after the warp n is %d, want 7", got)
	}

	cancel()
	<-ended
	l.Call(func() { t.Error("ran after the end") })
	if l.Post(func() {}) {
		t.Error("an ended loop takes posts")
	}
}

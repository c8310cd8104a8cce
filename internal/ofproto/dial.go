package ofproto

import (
	"context"
	"time"

	"weir/internal/stream"
)

// dialer keeps an active target connected. It belongs to the goroutine in run.
type dialer struct {
	t      *target
	events chan dialEvent
	cancel context.CancelFunc // ends an attempt that is under way
}

// dialEvent is news of a connection: it has a session, or it ended.
type dialEvent struct {
	session *session // nil: it ended
	why     string   // as [stream.FSM.Disconnected] has it
}

// dial keeps an active target connected until ctx ends.
func (t *target) dial(ctx context.Context) {
	defer close(t.done)
	d := &dialer{t: t, events: make(chan dialEvent, 4), cancel: func() {}}
	defer d.drop()
	clk := t.m.b.be.clock
	t.locked(func(f *stream.FSM) { f.Enable(clk.Now()) })
	for {
		var act stream.Action
		t.locked(func(f *stream.FSM) { act = f.Run(clk.Now()) })
		switch act {
		case stream.Connect:
			d.connect(ctx)
		case stream.Disconnect:
			d.drop()
			t.locked(func(f *stream.FSM) { f.Disconnected(clk.Now(), "") })
			continue
		case stream.Probe:
			if s := t.current(); s != nil {
				s.probe()
			}
		}
		if !d.wait(ctx) {
			return
		}
	}
}

// drop ends the attempt or the connection there is.
func (d *dialer) drop() {
	d.cancel()
	if s := d.t.current(); s != nil {
		s.close()
	}
}

// connect begins an attempt, and a session when that succeeds.
func (d *dialer) connect(ctx context.Context) {
	t := d.t
	t.locked(func(f *stream.FSM) { f.Connecting(t.m.b.be.clock.Now()) })
	ctx, d.cancel = context.WithCancel(ctx)
	go func() {
		c, err := stream.Dial(ctx, t.name, t.streamOptions())
		if err != nil {
			d.events <- dialEvent{why: stream.ErrText(err)}
			return
		}
		s := t.newSession(c)
		if s == nil {
			_ = c.Close()
			return
		}
		d.events <- dialEvent{session: s}
		why := s.run()
		s.close()
		d.events <- dialEvent{why: why}
	}()
}

// wait waits until something is due or happened; false when ctx has ended.
func (d *dialer) wait(ctx context.Context) bool {
	t := d.t
	clk := t.m.b.be.clock
	var wait time.Duration
	waits := false
	t.locked(func(f *stream.FSM) { wait, waits = f.Wait(clk.Now()) })
	var timeout chan struct{}
	if waits {
		timeout = make(chan struct{})
		timer := clk.AfterFunc(wait, func() { close(timeout) })
		defer timer.Stop()
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.force:
		t.locked(func(f *stream.FSM) { f.ForceReconnect(clk.Now()) })
	case <-t.changed:
	case <-timeout:
	case ev := <-d.events:
		t.mu.Lock()
		t.session = ev.session
		if ev.session == nil {
			t.fsm.Disconnected(clk.Now(), ev.why)
		}
		t.mu.Unlock()
	}
	return true
}

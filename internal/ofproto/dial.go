package ofproto

import (
	"context"

	"weir/internal/stream"
)

// dial keeps an active target connected until ctx ends.
func (t *target) dial(ctx context.Context) {
	defer close(t.done)
	t.link.Maintain(ctx, stream.Upkeep{Dial: t.open, Serve: t.serve})
}

// open connects to an active target and agrees with it on a version.
func (t *target) open(ctx context.Context) (*stream.Conn, error) {
	c, err := stream.Dial(ctx, t.name, t.streamOptions())
	if err != nil {
		return nil, err
	}
	s := t.newSession(c, t.link)
	if s == nil {
		_ = c.Close()
		return nil, context.Canceled
	}
	defer context.AfterFunc(ctx, s.close)()
	t.present(s)
	if err := s.begin(); err != nil {
		s.close()
		t.present(nil)
		return nil, err
	}
	return c, nil
}

// serve has the session of a connection that open made until it ends.
func (t *target) serve(ctx context.Context, _ *stream.Conn) (why string, err error) {
	s := t.current()
	defer t.present(nil)
	defer s.close()
	defer context.AfterFunc(ctx, s.close)()
	defer s.watch()()
	return s.converse(), nil
}

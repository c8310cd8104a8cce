package vswitchd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/internal/datapath"
	"weir/internal/trace"
	"weir/internal/unixctl"
)

const (
	// sightingEvery is the least time between two packets that are explained, so
	// that a flood costs no more than 50 explanations a second.
	sightingEvery = 20 * time.Millisecond
	// askEvery is how often it is asked whether the client is still there.
	askEvery = 250 * time.Millisecond
)

// sighted is a packet with the data path that it passed through.
type sighted struct {
	*datapath.Sighting
	by *provider
}

// seenPackets is the answer of ofproto/trace --live.
type seenPackets struct {
	list  []*trace.Seen
	ended string // why it isn't all that was asked for; empty: it is
}

// String is one report after another.
func (s seenPackets) String() string {
	var b strings.Builder
	for i, p := range s.list {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if s.ended != "" {
		b.WriteString(s.ended + "\n")
	}
	return b.String()
}

// Document is all packets.
func (s seenPackets) Document() any {
	docs := []any{}
	for _, p := range s.list {
		docs = append(docs, p.Document())
	}
	return map[string]any{"packets": docs, "ended": s.ended}
}

// traceLive answers ofproto/trace --live: it explains packets as they pass, until
// there were enough, or the client goes away.
func (s *Switch) traceLive(r *unixctl.Request, l *trace.Live) (string, error) {
	packets := make(chan sighted, 16)
	done := make(chan struct{})
	defer close(done)
	watching := false
	for _, p := range s.providers() {
		stop, err := s.watch(p, l, packets, done)
		if err != nil {
			return "", err
		}
		if stop != nil {
			defer stop()
			watching = true
		}
	}
	if !watching {
		if l.Bridge != "" {
			return "", fmt.Errorf("%s: unknown bridge", l.Bridge)
		}
		return "", errors.New("there is no bridge to watch")
	}
	var expired <-chan time.Time
	if l.Timeout > 0 {
		expired = time.After(l.Timeout)
	}
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	out := seenPackets{}
	r.Progress(fmt.Sprintf("waiting for %d packets that match %s", l.Count, l.Filter))
	for len(out.list) < l.Count {
		select {
		case p := <-packets:
			out.list = append(out.list, s.explain(l, p, len(out.list)+1))
			r.Progress(fmt.Sprintf("%d of %d packets", len(out.list), l.Count))
		case <-expired:
			out.ended = fmt.Sprintf("%d of %d packets passed within %s.", len(out.list), l.Count, l.Timeout)
			return r.Answer(out)
		case <-ask.C:
			if r.Gone() {
				return "", errors.New("the client has gone")
			}
		case <-r.Ctx.Done():
			return "", errors.New("the switch ends")
		}
	}
	return r.Answer(out)
}

// watch has a data path show the packets that are asked for; no stop says that it
// has none.
func (s *Switch) watch(p *provider, l *trace.Live, packets chan<- sighted, done <-chan struct{}) (stop func(), err error) {
	w, err := l.Watch(p.Snapshot())
	if err != nil || w == nil {
		return nil, err
	}
	d, ok := p.dp.(datapath.Watcher)
	if !ok {
		return nil, fmt.Errorf("data path %s can't show packets as they pass", p.dp.Name())
	}
	w.Every, w.C = sightingEvery, make(chan *datapath.Sighting, 4)
	go func() {
		for {
			select {
			case x := <-w.C:
				select {
				case packets <- sighted{x, p}:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return d.Watch(w), nil
}

func (s *Switch) explain(l *trace.Live, p sighted, number int) *trace.Seen {
	names := p.by.dp.Namer()
	return l.Explain(&trace.Env{Config: p.by.Snapshot(), Now: s.clock.Now()}, names, p.Sighting, number)
}

package vlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// RateLimit bounds how often a message is logged: a token bucket that fills with
// PerMinute tokens a minute up to Burst. What it swallows is counted, and told
// before the next message that passes. The zero value takes the defaults. Its
// mutex owns it.
type RateLimit struct {
	// PerMinute and Burst are set before first use; 0 means 1 and 5.
	PerMinute, Burst uint32

	mu           sync.Mutex
	begun        bool
	tokens       float64
	filled       time.Time
	dropped      uint32
	first, final time.Time // of the dropped messages
}

// now is the clock that rate limits ask; daemons replace it by one that tests
// can stop.
var now atomic.Pointer[func() time.Time]

// SetNow makes rate limits read the time from fn.
func SetNow(fn func() time.Time) { now.Store(&fn) }

func currentTime() time.Time {
	if fn := now.Load(); fn != nil {
		return (*fn)()
	}
	return time.Now()
}

// admit says whether a message may pass now; if so, report tells of those
// dropped before, or is empty.
func (rl *RateLimit) admit(t time.Time) (pass bool, report string) {
	rl.mu.Lock()
	defer rl.mu.Unlock()
	perMinute, burst := max(rl.PerMinute, 1), float64(rl.Burst)
	if rl.Burst == 0 {
		burst = 5
	}
	if !rl.begun {
		rl.begun, rl.tokens, rl.filled = true, burst, t
	}
	rl.tokens = min(burst, rl.tokens+t.Sub(rl.filled).Minutes()*float64(perMinute))
	rl.filled = t
	if rl.tokens < 1 {
		if rl.dropped == 0 {
			rl.first = t
		}
		rl.final = t
		rl.dropped++
		return false, ""
	}
	rl.tokens--
	if rl.dropped > 0 {
		report = fmt.Sprintf("Dropped %d log messages in last %d seconds (most recently, %d seconds ago) due to excessive rate",
			rl.dropped, int(t.Sub(rl.first).Seconds()), int(t.Sub(rl.final).Seconds()))
		rl.dropped = 0
	}
	return true, report
}

// LogRL is Log, limited by rl.
func (m *Module) LogRL(rl *RateLimit, l Level, format string, args ...any) {
	if !m.Enabled(l) {
		return
	}
	if !m.unlimited.Load() {
		pass, report := rl.admit(currentTime())
		if !pass {
			return
		}
		if report != "" {
			out.write(m, l, report)
		}
	}
	out.write(m, l, fmt.Sprintf(format, args...))
}

// ErrRL is Err, limited by rl.
func (m *Module) ErrRL(rl *RateLimit, format string, args ...any) { m.LogRL(rl, Err, format, args...) }

// WarnRL is Warn, limited by rl.
func (m *Module) WarnRL(rl *RateLimit, format string, args ...any) {
	m.LogRL(rl, Warn, format, args...)
}

// InfoRL is Info, limited by rl.
func (m *Module) InfoRL(rl *RateLimit, format string, args ...any) {
	m.LogRL(rl, Info, format, args...)
}

// DbgRL is Dbg, limited by rl.
func (m *Module) DbgRL(rl *RateLimit, format string, args ...any) { m.LogRL(rl, Dbg, format, args...) }

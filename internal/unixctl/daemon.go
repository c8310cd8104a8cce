package unixctl

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/coverage"
	"weir/internal/paths"
	"weir/internal/vlog"
)

// SocketPath returns the name of the control socket of this process, which is
// that program's: the argument of --unixctl where it was given (relative to the
// run directory), else RUNDIR/PROGRAM.PID.ctl.
func SocketPath(program, option string) string {
	if option != "" {
		return paths.InRunDir(option)
	}
	return paths.InRunDir(fmt.Sprintf("%s.%d.ctl", program, os.Getpid()))
}

// RegisterMemory adds memory/show, which prints the usage that fn returns, each
// as NAME:COUNT, in the order given; those of count 0 are left out.
func (s *Server) RegisterMemory(fn func() []Usage) {
	s.Register("memory/show", "", 0, 0, func(r *Request) (string, error) { return r.Answer(usages(fn())) })
}

// usages are what a daemon holds of several things.
type usages []Usage

// String leaves out what there is none of.
func (us usages) String() string {
	var words []string
	for _, u := range us {
		if u.Count > 0 {
			words = append(words, fmt.Sprintf("%s:%d", u.Name, u.Count))
		}
	}
	return strings.Join(words, " ")
}

// Document is the counts by name.
func (us usages) Document() any {
	m := map[string]int{}
	for _, u := range us {
		m[u.Name] = u.Count
	}
	return m
}

// Usage is how many of something a daemon holds.
type Usage struct {
	Name  string
	Count int
}

// FollowClock has the process's counters and rate limits live by the daemon's
// clock. Where several daemons share a process, the first one's clock counts.
func FollowClock(c *clock.Clock) {
	followed.Do(func() {
		vlog.SetNow(c.Now)
		c.Every(coverage.Interval, coverage.Tick)
	})
}

var followed sync.Once

// RegisterTime adds time/stop and time/warp, which tests use to drive the clock.
// A warp has done all that became due when it answers; it ends early with the daemon,
// or when nobody waits for the answer any more.
func (s *Server) RegisterTime(c *clock.Clock) {
	s.Register("time/stop", "", 0, 0, func(*Request) (string, error) { c.Stop(); return "", nil })
	s.Register("time/warp", "[large_msecs] msecs", 1, 2, func(r *Request) (string, error) {
		var ms [2]int64
		for i, arg := range r.Args {
			n, err := strconv.ParseInt(arg, 10, 32)
			if err != nil || n <= 0 {
				return "", fmt.Errorf("invalid MSECS")
			}
			ms[i] = n
		}
		total, step := ms[0], ms[1]
		on := func() bool { return r.Ctx.Err() == nil && !r.Gone() }
		c.WarpWhile(time.Duration(total)*time.Millisecond, time.Duration(step)*time.Millisecond, on)
		return "warped", nil
	})
}

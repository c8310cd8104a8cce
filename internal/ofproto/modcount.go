package ofproto

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/internal/openflow"
)

// When the flow mods of a connection are logged: modReportDelay after the first,
// but not sooner than modReportInterval after the report before, and when the
// connection ends. So does Open vSwitch 3.1.
const (
	modReportDelay    = 10 * time.Second
	modReportInterval = time.Minute
)

// modCount counts the flow mods of a connection that changed the tables, until
// they are reported. A request of many counts once for each message.
type modCount struct {
	mu               sync.Mutex
	adds, dels, mods int
	first, last      time.Time // of those counted
	reported         time.Time // when there was a report, zero before the first
}

// add counts n flow mods with a command, carried out now.
func (c *modCount) add(cmd openflow.FlowModCommand, n int, now time.Time) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.adds+c.dels+c.mods == 0 {
		c.first = now
	}
	c.last = now
	switch cmd {
	case openflow.FlowAdd:
		c.adds += n
	case openflow.FlowModify, openflow.FlowModifyStrict:
		c.mods += n
	default:
		c.dels += n
	}
}

// due is the report, if it is time for one, or "".
func (c *modCount) due(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.first.Add(modReportDelay)) || !c.reported.IsZero() && now.Before(c.reported.Add(modReportInterval)) {
		return ""
	}
	return c.take(now)
}

// end is the report at the end of a connection, "" if there is nothing to say.
func (c *modCount) end(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(now)
}

// take writes the report and begins to count anew. The caller holds mu.
func (c *modCount) take(now time.Time) string {
	total := c.adds + c.dels + c.mods
	if total == 0 {
		return ""
	}
	first, last := int(now.Sub(c.first)/time.Second), int(now.Sub(c.last)/time.Second)
	var when string
	switch {
	case last == 0:
		when = fmt.Sprintf("in the last %d s", first)
	case first == last:
		when = fmt.Sprintf("%d s ago", first)
	default:
		when = fmt.Sprintf("in the %d s starting %d s ago", first-last, first)
	}
	var kinds []string
	for _, k := range []struct {
		n    int
		name string
	}{{c.adds, "adds"}, {c.dels, "deletes"}, {c.mods, "modifications"}} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	c.adds, c.dels, c.mods, c.reported = 0, 0, 0, now
	return fmt.Sprintf("%d flow_mods %s (%s)", total, when, strings.Join(kinds, ", "))
}

// logMods logs a report on the session's flow mods.
func (s *session) logMods(report string) {
	if report != "" {
		connmgrLog.Info("%s<->%s: %s", s.m.b.name, s.conn.Name, report)
	}
}

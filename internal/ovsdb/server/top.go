package server

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"weir/internal/unixctl"
)

// top answers ovsdb-server/top: what clients, tables and conditions cost, the
// dearest first, at most as many of each as the argument says.
func (s *Server) top(r *unixctl.Request) (string, error) {
	limit := 20
	if len(r.Args) > 0 {
		n, err := strconv.Atoi(r.Args[0])
		if err != nil || n < 1 {
			return "", fmt.Errorf("%s: give the number of lines of each kind, at least 1", r.Args[0])
		}
		limit = n
	}
	u := s.Usage()
	u.Clients = u.Clients[:min(limit, len(u.Clients))]
	u.Tables = u.Tables[:min(limit, len(u.Tables))]
	u.Conditions = u.Conditions[:min(limit, len(u.Conditions))]
	if r.JSON {
		return r.ReplyJSON(u)
	}
	return u.text(), nil
}

// text prints three tables.
func (u *Usage) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...any) {
		for _, c := range cells[:max(0, len(cells)-1)] {
			fmt.Fprintf(w, "%v\t", c)
		}
		fmt.Fprintln(w, cells[max(0, len(cells)-1):]...) // at the left
	}
	line("busy ms", "requests", "received", "sent", "queued", "updates", "monitors", "waiting", " client")
	for _, c := range u.Clients {
		name := " " + c.Name
		if c.Role != "" {
			name += " (role " + c.Role + ")"
		}
		line(milliseconds(c.Busy), c.Requests, c.Received, c.Sent, c.Queued, c.Updates, c.Monitors, c.Waiting, name)
	}
	line()
	line("busy ms", "rows", "changed", "monitors", "compared", "made", " table")
	for _, t := range u.Tables {
		line(milliseconds(t.Busy), t.Rows, t.Changes, t.Monitors, t.Compared, t.Made, " "+t.Database+":"+t.Table)
	}
	line()
	line("busy ms", "clients", "compared", "made", " table, condition, columns")
	for _, c := range u.Conditions {
		line(milliseconds(c.Busy), c.Clients, c.Compared, c.Made, fmt.Sprintf(" %s:%s %s %s", c.Database, c.Table, c.Condition, strings.Join(c.Columns, ",")))
	}
	_ = w.Flush() // to memory
	return b.String()
}

func milliseconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 1, 64) }

package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Costs are told apart by client, table and condition, and clients that ask for
// the same share them.
func TestUsage(t *testing.T) {
	h := newHarness(t)
	writer := h.client()
	watchers := []*client{h.client(), h.client(), h.client()}
	conditions := []string{`[["name","==","a3"]]`, `[["name","==","a3"]]`, `[["i","<",100]]`}
	for i, w := range watchers {
		w.call("monitor_cond", fmt.Sprintf(`["db","m",{"root":[{"columns":["name"],"where":%s}]}]`, conditions[i]))
	}
	for i := range 5 {
		writer.call("transact", fmt.Sprintf(`["db",{"op":"insert","table":"root","row":{"name":"a%d","i":%d}}]`, i, i))
	}
	var u *Usage
	done := func() bool {
		u = h.Usage()
		n := int64(0)
		for _, c := range u.Conditions {
			n += c.Compared
		}
		requests, sent := int64(0), int64(0)
		for _, c := range u.Clients {
			requests, sent = requests+c.Requests, sent+c.Updates
		}
		return requests == 8 && n == 10 && sent == 7 // two distinct conditions, five rows each
	}
	for i, w := range watchers {
		for range []int{1, 1, 5}[i] {
			w.next() // that is how long what is sent becomes more
		}
	}
	for end := time.Now().Add(time.Minute); !done() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if len(u.Clients) != 4 || len(u.Conditions) != 2 {
		t.Fatalf("%d clients, %+v", len(u.Clients), u.Conditions)
	}
	clients := map[string]int{}
	for _, c := range u.Conditions {
		clients[c.Condition] = c.Clients
		if c.Compared != 5 || c.Database != "db" || c.Table != "root" || c.Made == 0 {
			t.Errorf("%+v", c)
		}
	}
	if clients[conditions[0]] != 2 || clients[conditions[2]] != 1 {
		t.Errorf("clients by condition: %v", clients)
	}
	for _, table := range u.Tables {
		if table.Database == "db" && (table.Rows != 5 || table.Changes != 5 || table.Monitors != 3 || table.Compared != 10) {
			t.Errorf("%+v", table)
		}
	}
	var requests, updates int64
	for _, c := range u.Clients {
		requests, updates = requests+c.Requests, updates+c.Updates
		if c.Received == 0 || c.Sent == 0 || c.Remote != "punix:sock" {
			t.Errorf("%+v", c)
		}
	}
	if requests != 8 || updates != 7 {
		t.Errorf("%d requests, %d updates", requests, updates)
	}
	if text := u.text(); !strings.Contains(text, `db:root [["i","<",100]] name`) {
		t.Errorf("%s", text)
	}
	if got := h.memory().String(); !strings.Contains(got, "monitors:2 n-weak-refs:0 sessions:4") {
		t.Errorf("memory: %s", got)
	}

	// What clients that are gone have cost stays in the totals.
	before := h.Totals()
	for _, w := range watchers {
		_ = w.Close()
	}
	for end := time.Now().Add(time.Minute); len(h.Usage().Clients) != 1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	after := h.Totals()
	if after.Busy < before.Busy { // the last request's time is counted after its reply
		t.Errorf("busy: %v, before %v", after.Busy, before.Busy)
	}
	if after.Busy = before.Busy; after != before {
		t.Errorf("totals: %+v, before %+v", after, before)
	}
	h.clearCounters()
	if text := h.perfCounters().String(); !strings.HasPrefix(text, "sessions: 0\nrequests: 0\nupdates: 0\n") {
		t.Errorf("cleared: %s", text)
	}
}

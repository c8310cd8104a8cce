package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/go-cmp/cmp"
)

// accounts is how many rows the transactions of TestSerializable touch.
const accounts = 3

// accountTxn is a transaction: it adds to some rows and reads all of them.
type accountTxn struct{ add [accounts]int }

func (x accountTxn) ops() string {
	ops := ""
	for i, n := range x.add {
		if n != 0 {
			ops += fmt.Sprintf(`{"op":"mutate","table":"root","where":[["name","==","%d"]],"mutations":[["i","+=",%d]]},`, i, n)
		}
	}
	return ops + `{"op":"select","table":"root","where":[],"columns":["name","i"]}`
}

// accountModel is what a server does if it runs transactions one by one.
var accountModel = porcupine.Model{
	Init: func() any { return [accounts]int{} },
	Step: func(state, input, output any) (bool, any) {
		now := state.([accounts]int)
		for i, n := range input.(accountTxn).add {
			now[i] += n
		}
		return output.([accounts]int) == now, now
	},
}

// TestSerializable: what transactions of many clients at once answer is explained
// by some order of them that agrees with the times of requests and replies.
func TestSerializable(t *testing.T) {
	h := newHarness(t)
	setup := h.client()
	for i := range accounts {
		setup.transact(fmt.Sprintf(`{"op":"insert","table":"root","row":{"name":"%d"}}`, i))
	}
	const clients, each = 6, 40
	var mu sync.Mutex
	var history []porcupine.Operation
	start := time.Now()
	var wg sync.WaitGroup
	for id := range clients {
		c := h.client()
		wg.Go(func() {
			for range each {
				var x accountTxn
				if rand.IntN(3) > 0 { // else it only reads
					x.add[rand.IntN(accounts)] = 1 + rand.IntN(3)
					x.add[rand.IntN(accounts)] -= rand.IntN(2)
				}
				op := porcupine.Operation{ClientId: id, Input: x, Call: time.Since(start).Nanoseconds()}
				answer := c.transact(x.ops())
				op.Return = time.Since(start).Nanoseconds()
				op.Output = balances(t, answer)
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if result := porcupine.CheckOperationsTimeout(accountModel, history, time.Minute); result != porcupine.Ok {
		t.Errorf("%d transactions: %v", len(history), result)
	}
}

// balances takes the last operation's rows from an answer.
func balances(t *testing.T, answer string) (out [accounts]int) {
	var results []struct {
		Rows []struct {
			Name string
			I    int
		}
	}
	if err := json.Unmarshal([]byte(answer), &results); err != nil || len(results) == 0 {
		t.Errorf("%s: %v", answer, err)
		return out
	}
	for _, r := range results[len(results)-1].Rows {
		out[r.Name[0]-'0'] = r.I
	}
	return out
}

// view is what a client that monitors has: rows by UUID, columns as JSON.
type view map[string]map[string]string

// rowUpdate is a <row-update> or a <row-update2>.
type rowUpdate struct {
	Old, New                json.RawMessage
	Initial, Insert, Modify map[string]json.RawMessage
	Delete                  json.RawMessage
}

// apply takes <table-updates> or <table-updates2>.
func (v view) apply(t *testing.T, raw json.RawMessage) {
	var updates map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &updates); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	for id, text := range updates["root"] {
		var u rowUpdate
		if err := json.Unmarshal(text, &u); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(text, &members)
		_, isDelete := members["delete"]
		switch {
		case isDelete, u.Old != nil && u.New == nil:
			if v[id] == nil {
				t.Fatalf("deletion of a row that isn't there: %s", text)
			}
			delete(v, id)
		case u.New != nil:
			var columns map[string]json.RawMessage
			_ = json.Unmarshal(u.New, &columns)
			v[id] = map[string]string{}
			v.set(id, columns)
		case u.Modify != nil:
			if v[id] == nil {
				t.Fatalf("change of a row that isn't there: %s", text)
			}
			v.set(id, u.Modify)
		default:
			if v[id] != nil {
				t.Fatalf("insertion of a row that is there: %s", text)
			}
			v[id] = map[string]string{"name": `""`, "i": "0"}
			v.set(id, u.Initial)
			v.set(id, u.Insert)
		}
	}
}

func (v view) set(id string, columns map[string]json.RawMessage) {
	for name, value := range columns {
		v[id][name] = string(value)
	}
}

// watcher is a client with a monitor of one of the three kinds.
type watcher struct {
	method, where string
	view          view
	c             *client
	slow          bool
}

func (w *watcher) start(t *testing.T, h *harness) {
	w.c, w.view = h.client(), view{}
	request := `{"columns":["name","i"]}`
	if w.where != "" {
		request = `{"columns":["name","i"],"where":` + w.where + `}`
	}
	params := `["db","m",{"root":[` + request + `]}`
	if w.method == "monitor_cond_since" {
		params += `,"00000000-0000-0000-0000-000000000000"`
	}
	result, _ := w.c.call(w.method, params+`]`)
	if w.method == "monitor_cond_since" {
		var parts []json.RawMessage
		if err := json.Unmarshal([]byte(result), &parts); err != nil || len(parts) != 3 {
			t.Fatalf("%s: %v", result, err)
		}
		result = string(parts[2])
	}
	w.view.apply(t, json.RawMessage(result))
}

// follow takes updates up to the one after which the row "end" is there.
func (w *watcher) follow(t *testing.T) {
	for n := 0; ; n++ {
		if w.slow && n%5 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		for _, row := range w.view {
			if row["name"] == `"end"` {
				return
			}
		}
		r := w.c.next()
		var params []json.RawMessage
		if err := json.Unmarshal(r.Params, &params); err != nil {
			t.Errorf("%s: %v", r.Params, err)
			return
		}
		w.view.apply(t, params[len(params)-1])
	}
}

// TestMonitorsReplay: whoever applies the updates of a monitor, of any kind, with
// or without conditions, quick or slow, ends with what a select shows.
func TestMonitorsReplay(t *testing.T) {
	h := newHarness(t)
	h.client().transact(insertOp("first"))
	const cond = `[["i",">=",3],["name","==","end"]]`
	watchers := []*watcher{
		{method: "monitor"}, {method: "monitor_cond"}, {method: "monitor_cond_since"},
		{method: "monitor_cond", where: cond}, {method: "monitor_cond_since", where: cond},
		{method: "monitor", slow: true}, {method: "monitor_cond_since", where: cond, slow: true},
	}
	var following, writing sync.WaitGroup
	late := []*watcher{{method: "monitor_cond"}, {method: "monitor_cond_since", where: cond}}
	for _, w := range watchers {
		w.start(t, h)
		following.Go(func() { w.follow(t) })
	}
	big := fmt.Sprintf("%0*d", 20_000, 7) // so that a client that doesn't read falls behind
	for id := range 4 {
		c := h.client()
		writing.Go(func() {
			for n := range 60 {
				name := fmt.Sprintf("%d-%d", id, rand.IntN(8))
				switch rand.IntN(4) {
				case 0:
					c.transact(fmt.Sprintf(`{"op":"delete","table":"root","where":[["name","==",%q]]}`, name))
				case 1:
					c.transact(fmt.Sprintf(`{"op":"update","table":"root","where":[["name","==",%q]],"row":{"i":%d}}`, name, rand.IntN(6)))
				case 2:
					c.transact(fmt.Sprintf(`{"op":"mutate","table":"root","where":[["i","<",3]],"mutations":[["i","+=",%d]]}`, n%3-1))
				default: // fails where the name is in use
					c.transact(fmt.Sprintf(`{"op":"insert","table":"root","row":{"name":%q,"i":%d}},{"op":"insert","table":"root","row":{"name":"%s%d"}}`, name, rand.IntN(6), big, rand.Uint64()))
				}
			}
		})
	}
	for _, w := range late {
		w.start(t, h)
		following.Go(func() { w.follow(t) })
	}
	writing.Wait()
	c := h.client()
	c.transact(`{"op":"insert","table":"root","row":{"name":"end","i":9}}`)
	following.Wait()
	all := selectAll(t, c)
	some := maps.Clone(all)
	maps.DeleteFunc(some, func(_ string, row map[string]string) bool { return row["i"] < "3" || row["i"][0] == '-' })
	for _, w := range append(watchers, late...) {
		want := all
		if w.where != "" {
			want = some
		}
		if diff := cmp.Diff(want, w.view); diff != "" {
			t.Errorf("%s %s: %.2000s", w.method, w.where, diff)
		}
	}
}

func selectAll(t *testing.T, c *client) view {
	var results []struct{ Rows []map[string]json.RawMessage }
	answer := c.transact(`{"op":"select","table":"root","where":[],"columns":["_uuid","name","i"]}`)
	if err := json.Unmarshal([]byte(answer), &results); err != nil || len(results) != 1 {
		t.Fatalf("%.300s: %v", answer, err)
	}
	v := view{}
	for _, row := range results[0].Rows {
		var id [2]string
		_ = json.Unmarshal(row["_uuid"], &id)
		v[id[1]] = map[string]string{"name": string(row["name"]), "i": string(row["i"])}
	}
	return v
}

package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestUpdatePieces: updates of many rows go out in several pieces, and what arrives
// is what one select shows; clients that are being sent a first reply share it.
func TestUpdatePieces(t *testing.T) {
	const rows = 3000
	h := newHarness(t)
	writer, watcher := h.client(), h.client()
	names := func(update string) map[string]bool {
		var tables map[string]map[string]map[string]struct{ Name string }
		if err := json.Unmarshal([]byte(update), &tables); err != nil {
			t.Fatalf("%v in an update of %d bytes", err, len(update))
		}
		out := map[string]bool{}
		for _, row := range tables["root"] {
			for _, now := range row {
				out[now.Name] = true
			}
		}
		return out
	}
	watcher.call("monitor_cond", `["db","early",{"root":[{"columns":["name","ms"]}]}]`)
	ops := make([]string, rows)
	for i := range ops {
		ops[i] = insertOp(fmt.Sprintf("row %d", i))
	}
	writer.transact(strings.Join(ops, ","))
	n := watcher.next()
	var params []json.RawMessage
	if err := json.Unmarshal(n.Params, &params); err != nil || n.Method != "update2" {
		t.Fatalf("%s: %v", n.Method, err)
	}
	if got := names(string(params[1])); len(got) != rows {
		t.Errorf("the update has %d rows", len(got))
	}
	for range 2 {
		late := h.client()
		result, _ := late.call("monitor_cond", `["db","late",{"root":[{"columns":["name","ms"]}]}]`)
		got := names(result)
		for i := range rows {
			if !got[fmt.Sprintf("row %d", i)] {
				t.Fatalf("row %d is not in the first reply, which has %d", i, len(got))
			}
		}
	}
	db := h.Lookup("db")
	spec, err := parseSpec(db.Layout(), versionCond, []byte(`{"root":[{"columns":["name","ms"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	first, cache := db.initial(spec, db.Snapshot())
	again, _ := db.initial(spec, db.Snapshot())
	if len(first) < 3 || &first[0][0] != &again[0][0] {
		t.Errorf("a first reply of %d pieces isn't shared", len(first))
	}
	if len(cache.bySpec) == 0 {
		t.Error("nothing is kept")
	}
}

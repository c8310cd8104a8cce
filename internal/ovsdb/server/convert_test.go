package server

import (
	"encoding/json"
	"strings"
	"testing"
)

// A client that connects when a conversion has been answered keeps its connection:
// only those that were there before must look at the schema again.
func TestConvertSparesLaterClients(t *testing.T) {
	h := newHarness(t)
	for i := range 300 {
		converter := h.client()
		if r, _ := converter.call("convert", `["db",`+testSchema+`]`); r != "{}" {
			t.Fatal(r)
		}
		c := h.client()
		c.send("list_dbs", "[]")
		var r reply
		if err := json.NewDecoder(c.Conn).Decode(&r); err != nil {
			t.Fatalf("conversion %d: %v", i, err)
		}
		if !strings.Contains(string(r.Result), `"db"`) {
			t.Fatalf("%s", r.Result)
		}
	}
}

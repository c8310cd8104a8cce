package openflow

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessageJSON(t *testing.T) {
	stats := FlowStatsReply{Stats: []FlowStats{{
		Match: testMatch(t, "tcp,nw_src=10.0.0.0/8"), Cookie: 0xffffffffffffffff, TableID: 2, Priority: 7,
		Packets: 1 << 60, Actions: []Action{&Output{Port: 3}, &Output{Port: PortNormal}},
	}}}
	MergeReplies(&stats, &FlowStatsReply{Stats: []FlowStats{{Cookie: 1}}})
	b := AppendJSON(nil, "OFPST_FLOW reply", MsgHeader{Version: V13}, &stats, nil)
	if !json.Valid(b) {
		t.Fatalf("not JSON: %s", b)
	}
	var got struct {
		Message, Version string
		Stats            []struct {
			Cookie  string
			TableID int `json:"table_id"`
			Packets json.Number
			Match   map[string]any
			Actions []string
		}
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{"OFPST_FLOW reply", "OpenFlow13", 2, "0xffffffffffffffff", 2, json.Number("1152921504606846976"),
		map[string]any{"tcp": true, "nw_src": "10.0.0.0/8"}, []string{"output:3", "NORMAL"}},
		[]any{got.Message, got.Version, len(got.Stats), got.Stats[0].Cookie, got.Stats[0].TableID, got.Stats[0].Packets,
			got.Stats[0].Match, got.Stats[0].Actions}); d != "" {
		t.Error(d)
	}
}

// Every message that can be decoded has valid JSON.
func FuzzMessageJSON(f *testing.F) {
	f.Add([]byte{1, 0, 0, 8, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, m, err := Decode(b, DecodeOptions{})
		if err != nil {
			return
		}
		if out := AppendJSON(nil, Name(b), h, m, nil); !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
	})
}

package openflow

import (
	"encoding/binary"
	"testing"
)

// A table of OpenFlow 1.0 that can wildcard every field says OFPFW_ALL, the whole
// count of address bits included (OpenFlow 1.0, 5.2.3), as controllers expect.
func TestTableStatsWildcards10(t *testing.T) {
	var f TableFeatures
	f.Match, f.Wildcard = fields10(1<<22 - 1)
	b, err := Encode(P10, 1, &TableStatsReply{Stats: []TableStats{{}}, Features: []TableFeatures{f}})
	if err != nil {
		t.Fatal(err)
	}
	const wildcards = 8 + 4 + 4 + 32 // ofp_header, ofp_stats_reply, ofp_table_stats up to it
	if got := binary.BigEndian.Uint32(b[wildcards:]); got != 1<<22-1 {
		t.Errorf("%#x, want OFPFW_ALL, %#x", got, 1<<22-1)
	}
}

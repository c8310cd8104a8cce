package openflow

import (
	"strings"
	"testing"

	"weir/internal/flow"
)

// Programs compare the lines of ovs-ofctl monitor whole, and the original's have
// no priority.
func TestFlowUpdateText(t *testing.T) {
	for _, v := range []Version{V10, V14} {
		m := &FlowMonitorReply{Updates: []FlowUpdate{{Event: UpdateAdded, TableID: 3, Priority: 7, Match: flow.Match{}, Actions: []Action{&Output{Port: PortNormal}}}}}
		b, err := Encode(v.Protocol(), 5, m)
		if err != nil {
			t.Fatal(err)
		}
		text := FormatMessage(b, PrintOptions{})
		if want := " event=ADDED table=3 cookie=0 actions=NORMAL\n"; !strings.HasSuffix(text, "\n"+want) {
			t.Errorf("version %v: %q", v, text)
		}
	}
}

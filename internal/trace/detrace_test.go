package trace

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/internal/datapath"
	"weir/internal/openflow"
)

// dpFlow is a flow of the data path.
func dpFlow(t *testing.T, key, actions string) *datapath.Flow {
	t.Helper()
	k, m, err := datapath.ParseKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := datapath.ParseActions(actions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &datapath.Flow{UFID: datapath.UFID{1}, Key: *k, Mask: *m, Actions: a}
}

func TestDetrace(t *testing.T) {
	env := newEnv(t, "cookie=0x12,priority=100,ip,in_port=1,actions=resubmit(,1)")
	g, _, err := openflow.ParseGroupMod("group_id=7,type=all,bucket=output:2,bucket=output:3", int(openflow.GroupAdd), openflow.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Config.Bridges["br0"].Pipeline.GroupMod(g, t0); err != nil {
		t.Fatal(err)
	}
	add(t, env, "table=1,priority=5,nw_dst=10.0.0.2,ip,actions=group:7,resubmit(,2)")
	const key = "in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,frag=no)"
	names := env.Datapath.Namer()
	for _, tc := range []struct {
		key, actions string
		names        bool
		want         string
	}{
		{key, "2,3", false, `bridge("br0")
cookie=0x12, table=0 priority=100,ip,in_port=1,actions=resubmit(,1)
cookie=0x0, table=1 priority=5,ip,nw_dst=10.0.0.2,actions=group:7,resubmit(,2)
group_id=7,type=all,bucket=bucket_id:0,actions=output:2,bucket=bucket_id:1,actions=output:3
table=2 no match
in_port: 1
outputs: 2,3
`},
		{key, "3", true, `bridge("br0")
cookie=0x12, table=0 priority=100,ip,in_port=p1,actions=resubmit(,1)
cookie=0x0, table=1 priority=5,ip,nw_dst=10.0.0.2,actions=group:7,resubmit(,2)
group_id=7,type=all,bucket=bucket_id:0,actions=output:p2,bucket=bucket_id:1,actions=output:p3
table=2 no match
in_port: p1
outputs: p2,3
The flow tables have changed: the data path's flow is about to be changed, too.
`},
		{strings.Replace(key, "in_port(1)", "in_port(2)", 1), "drop", false, "bridge(\"br0\")\ntable=0 no match\nin_port: 2\noutputs: none\n"},
	} {
		o, err := Detrace(env.Config, dpFlow(t, tc.key, tc.actions), names, tc.names)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.String(); got != tc.want {
			t.Errorf("got\n%s\nwant\n%s", got, tc.want)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Error(err)
		}
	}
	if _, err := Detrace(env.Config, dpFlow(t, "in_port(99),eth(),eth_type(0x1234)", "drop"), names, false); err == nil {
		t.Error("a flow of a port that isn't there was explained")
	}
}

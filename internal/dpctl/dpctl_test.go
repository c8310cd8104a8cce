package dpctl

import (
	"strings"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev/dummy"
)

// step is one command with what it prints; an error is printed after "!".
type step struct{ command, want string }

// commands are those on a data path of dummies.
func commands(t *testing.T) *Commands {
	t.Helper()
	clk := clock.New()
	set := dummy.NewSet(clk)
	local, err := set.Provider("dummy-internal").Open("ovs-dummy", nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := userspace.New(userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true, Clock: clk, Local: local})
	if err != nil {
		t.Fatal(err)
	}
	return &Commands{
		Program: "ovs-vswitchd", Now: func() time.Time { return clk.Now() },
		List:    func() []datapath.Datapath { return []datapath.Datapath{d} },
		Devices: set.Providers(),
	}
}

func run(t *testing.T, steps []step) {
	t.Helper()
	c := commands(t)
	for _, s := range steps {
		words := strings.Split(s.command, " ")
		out, ok, err := c.Run(words[0], words[1:], false)
		if !ok {
			t.Fatalf("no command %s", words[0])
		}
		if err != nil {
			out += "!" + err.Error()
		}
		if out != s.want {
			t.Errorf("%s printed\n%s\nwant\n%s", s.command, out, s.want)
		}
	}
}

// Commands that want a flow or a file take what stands alone for that, even if a data
// path has the same name; those that want none take it for the data path.
func TestDataPathAlone(t *testing.T) {
	c := commands(t)
	for _, name := range []string{"add-flow", "mod-flow", "add-flows", "mod-flows", "get-flow", "del-flow"} {
		if out, _, err := c.Run(name, []string{"dummy@ovs-dummy"}, false); err == nil {
			t.Errorf("%s dummy@ovs-dummy printed %q, no error", name, out)
		}
	}
	for _, name := range []string{"del-flows", "dump-flows", "dump-conntrack"} {
		if _, _, err := c.Run(name, []string{"dummy@ovs-dummy"}, false); err != nil {
			t.Errorf("%s dummy@ovs-dummy: %v", name, err)
		}
	}
}

const key = "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x1234)"

func TestCommands(t *testing.T) {
	run(t, []step{
		{"dump-dps", "dummy@ovs-dummy\n"},
		{"add-if dummy@ovs-dummy p1,type=dummy p2,type=dummy,port_no=5", ""},
		{"add-if dummy@ovs-dummy p9,type=foo", "!ovs-vswitchd: p9: failed to open network device (Address family not supported by protocol)"},
		{"show", "dummy@ovs-dummy:\n  lookups: hit:0 missed:0 lost:0\n  flows: 0\n  port 0: ovs-dummy (dummy-internal)\n  port 1: p1 (dummy)\n  port 5: p2 (dummy)\n"},
		{"dump-flows", ""},
		{"add-flow " + key + " 5", ""},
		{"add-flow " + key + " 5", "!ovs-vswitchd: updating flow table (File exists)"},
		{"dump-flows --names", "flow-dump from the main thread:\n" + strings.Replace(key, "in_port(1)", "in_port(p1)", 1) + ", packets:0, bytes:0, used:never, actions:p2\n"},
		{"dump-flows filter=in_port=2", ""},
		{"dump-flows type=bad", "!ovs-vswitchd: Failed to parse type (bad) (Invalid argument)"},
		{"mod-flow " + key + " drop", ""},
		{"dump-flows dummy@ovs-dummy", "flow-dump from the main thread:\n" + key + ", packets:0, bytes:0, used:never, actions:drop\n"},
		{"add-flow foo(1) 1", "!ovs-vswitchd: parsing flow key (syntax error at foo(1)) (Invalid argument)"},
		{"add-flow in_port(1),eth() 1", "!ovs-vswitchd: updating flow table (Invalid argument)"},
		{"add-flow in_port(1) blah", "!ovs-vswitchd: parsing actions (Invalid argument)"},
		{"del-flow -s " + key, "packets:0, bytes:0, used:never\n"},
		{"del-flow " + key, "!ovs-vswitchd: deleting flow (No such file or directory)\nPerhaps you need to specify a UFID?"},
		{"del-if dummy@ovs-dummy p2", ""},
		{"del-if dummy@ovs-dummy p2", "!ovs-vswitchd: no port named p2"},
		{"add-flow a b c d", "!\"dpctl/add-flow\" command takes at most 3 arguments"},
		{"parse-actions 1,2 recirc(1)", "1,2\nrecirc(0x1)\n"},
		{"parse-actions blah", "!ovs-vswitchd: odp_actions_from_string (Invalid argument)"},
		{"normalize-actions in_port(1) 100,2,10", "input flow: in_port(1)\nno vlan: no mpls: 2,10,100\n"},
		{"normalize-actions in_port(1) push_vlan(vid=1,pcp=0),push_vlan(vid=2,pcp=0),1,pop_vlan,2", "input flow: in_port(1)\nvlan(vid=1,pcp=0): no mpls: 2vlan(vid=2,pcp=0): vlan(vid=1,pcp=0): no mpls: 1\n"},
		{"normalize-actions in_port(1) push_vlan(vid=1,pcp=0),1,pop_vlan,2", "input flow: in_port(1)\nno vlan: no mpls: 2vlan(vid=1,pcp=0): no mpls: 1\n"},
	})
}

func TestConntrack(t *testing.T) {
	run(t, []step{
		{"dump-conntrack", ""},
		{"dump-conntrack -m dummy@ovs-dummy zone=5", ""},
		{"dump-conntrack nosuch", "!ovs-vswitchd: datapath not found (Invalid argument)"},
		{"flush-conntrack zone=5 ct_nw_src=10.0.0.1", ""},
		{"flush-conntrack zone=x", "!ovs-vswitchd: invalid zone x (Invalid argument)"},
		{"flush-conntrack dummy@ovs-dummy foo", "!ovs-vswitchd: field foo missing value (Invalid argument)"},
		{"ct-stats-show", "Connections Stats:\n    Total: 0\n"},
		{"ct-get-nconns", "0\n"},
		{"ct-set-limits default=5", "!ovs-vswitchd: no data path tracks connections yet: there is nothing that ct-set-limits could show or change"},
	})
}

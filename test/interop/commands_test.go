package interop

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	anyUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyDate = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d+`)
)

// normal takes from a tool's output what differs from run to run: UUIDs, dates
// and the order of rows.
func normal(out string) string {
	out = anyUUID.ReplaceAllString(out, "<uuid>")
	out = anyDate.ReplaceAllString(out, "<date>")
	lines := strings.Split(out, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// compareCommands runs command lines, one after another, with our tool on one
// server and theirs on another one, and compares what they print and their exit
// status.
func compareCommands(t *testing.T, tool, schema string, options []string, lines string) {
	stacks := map[side]*stack{}
	for _, of := range []side{ours, theirs} {
		s := emptyStack(t)
		s.run(ours, "ovsdb-tool", "create", s.path("conf.db"), "../../schema/"+schema)
		s.startServer(ours)
		stacks[of] = s
	}
	for line := range strings.Lines(lines) {
		args := append(slices.Clone(options), strings.Fields(line)...)
		for i := range args {
			args[i] = strings.Trim(args[i], "'")
		}
		a, errA := stacks[ours].try(ours, tool, args...)
		b, errB := stacks[theirs].try(theirs, tool, args...)
		text := func(err error) string {
			if err == nil {
				return "exit status 0"
			}
			return err.Error()
		}
		if normal(a) != normal(b) || text(errA) != text(errB) {
			t.Errorf("%s %s\nours (%s):\n%s\ntheirs (%s):\n%s", tool, strings.TrimSpace(line), text(errA), a, text(errB), b)
		}
	}
}

// TestVsctlCommands compares ovs-vsctl with Debian's, errors included.  What
// releases 3.1 (Debian 12), 3.5 (Debian 13) and 4.0 print each in its own way is not
// among the commands.
func TestVsctlCommands(t *testing.T) {
	compareCommands(t, "ovs-vsctl", "vswitch.ovsschema", []string{"--no-wait", "-vsyslog:off"}, strings.TrimSpace(`
show
add-br br0
add-br br0
--may-exist add-br br0
add-port br0 p1
add-port br0 p1
--may-exist add-port br0 p1
add-br p1
add-port brx p1
del-port p9
del-port br0 br0
del-br p1
add-port br0 p2 tag=5000
add-port br0 p2 tg=5
add-port br0 p2 tag
add-port br0 p2 tag=5 -- set Interface p2 type=internal
add-bond br0 b0 e1
add-bond br0 b0 e1 e2 lacp=active
--may-exist add-bond br0 b0 e1 e3
--may-exist add-port br0 b0
list-ports br0
list-ifaces br0
port-to-br b0
iface-to-br e1
iface-to-br br0
port-to-br e1
add-br fb br0 10
--may-exist add-br fb br0 11
--may-exist add-br fb
--may-exist add-br br0 fb 10
add-br fb2 br0 10
add-br fb3 br0 5000
add-br fb3 brx 5
add-br fb3 br0
add-br fb3 fb 7
br-to-vlan fb
br-to-parent fb
list-br
--real list-br
--fake list-br
br-exists zz
show
add-port fb fp1
list-ports fb
del-port br0 fp1
del-port fb fp1
set-controller br0 tcp:1.2.3.4 tcp:5.6.7.8:1
get-controller br0
set-controller br0 bogus
get-controller fb
set-controller fb tcp:1
set-fail-mode br0 xx
set-fail-mode br0 secure
get-fail-mode br0
get-fail-mode brx
set-manager ptcp:1 ptcp:2
get-manager
set-ssl a b c
get-ssl
br-set-external-id br0 k v
br-get-external-id br0
br-get-external-id br0 k
br-set-external-id fb q w
br-get-external-id fb
show
list Port p2
list Port e1
list Brdge br0
list c x
list bri br0 br1
find port tag~5
find port tag
find port zz=3
get port p2 tag
get port p2 tag:3
get port p2 external_ids:foo
--if-exists get port p2 external_ids:foo
--if-exists get port px tag
set port p2 tag=9 trunks=1,3,5-7
get port p2 tag trunks
set port p2 name=z
set port p2 tag=x
set port p2 tag:3=4
set port p2 external_ids:a=b external_ids:c=d
set port p2 external_ids=foo=bar,baz=quux
set port p2 external_ids=foo
get port p2 external_ids
add port p2 trunks 8 9
remove port p2 trunks 9
remove port p2 external_ids foo
remove port p2 external_ids baz=e
get port p2 external_ids
clear port p2 trunks
clear port p2 interfaces
clear port pq external_ids
remove port p2 interfaces 5
create port name=zz
create QoS type=linux-htb
-- --id=@x create QoS type=a -- set port p2 qos=@x
set port p2 qos=@y
-- --id=x create QoS type=z
destroy QoS foo
destroy QoS
--all destroy QoS br0
list QoS
wait-until port p1 tag=[]
--columns=name,tag,trunks,external_ids -f table list port
--columns=name,tag -f csv list port
--columns=name,tag -f html list port
--columns=name,tag -f list -d bare list port
--columns=name,tag -f table -d json list port
--columns=nme list bridge
-f xx list port
-d xx list port
--columns=name find port name!=p1
--columns=name find port tag=[]
--columns=name find port 'trunks{>=}1'
--columns=name find port 'external_ids:foo!=x'
--columns=name find port name<p2
get Open_vSwitch . next_cfg
-- --id=@m create Mirror name=foo -- set bridge br0 mirrors=@m
-- --id=@m get mirror foo -- remove bridge br0 mirrors @m
list mirror
add-aa-mapping br0 3 4
get-aa-mapping br0
add-zone-tp netdev zone=1 tcp_syn_sent=1
list-zone-tp netdev
-- --id=@d create Datapath datapath_version=0 -- set Open_vSwitch . datapaths:netdev=@d
add-zone-tp netdev zone=1 tcp_syn_sent=1 icmp_reply=2
list-zone-tp netdev
del-bond-iface bd i9
del-br br0
show
emer-reset
foo
add-br
add-br a b c d
-- --may-exist=3 add-br a
-- --id create Bridge
-- --foo add-br a
`))
}

// TestVsctlRace has many clients add one bridge and ports to it at once: each
// succeeds, and nothing comes twice or is lost.
func TestVsctlRace(t *testing.T) {
	for _, server := range []side{ours, theirs} {
		s := newStack(t, server)
		// Two that both make the first row of all can't: the second is an error.
		s.run(ours, "ovs-vsctl", "--no-wait", "init")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				p := fmt.Sprintf("p%d", i)
				if out, err := s.try(ours, "ovs-vsctl", "--no-wait", "--may-exist", "add-br", "br0", "--", "--may-exist", "add-port", "br0", p); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wg.Wait()
		if got, want := s.run(ours, "ovs-vsctl", "list-ports", "br0"), "p0\np1\np2\np3\np4\np5\np6\np7\n"; got != want {
			t.Errorf("server %s: ports:\n%s", server, got)
		}
	}
}

// TestVtepCommands compares vtep-ctl with Debian's.
func TestVtepCommands(t *testing.T) {
	compareCommands(t, "vtep-ctl", "vtep.ovsschema", []string{"-vsyslog:off"}, strings.TrimSpace(`
add-ps a
add-ps a
add-port a p1
add-port a p1
add-port q p1
list-ports q
del-port q p1
del-ps q
add-ls ls1
add-ls ls1
add-ls ls2
bind-ls a p1 300 ls1
bind-ls a p1 300 ls2
bind-ls a p1 5000 ls2
bind-ls a q 400 ls2
bind-ls a p1 400 q
list-bindings a p1
unbind-ls a p1 301
show
set-replication-mode ls1 source_node
get-replication-mode ls1
set-replication-mode ls1 foo
add-lr r1
add-lr r1
lr-exists r2
del-lr r2
add-ucast-local ls1 00:11:22:33:44:55 10.0.0.10
add-ucast-local ls1 00:11:22:33:44:66 vxlan_over_ipv4 10.0.0.11
add-ucast-local ls1 00:11:22:33:44:66 foo 10.0.0.11
add-ucast-local ls1 00:11:22:33:44:55 10.0.0.13
add-mcast-local ls1 01:11:22:33:44:55 10.0.0.14
add-mcast-local ls1 01:11:22:33:44:55 10.0.0.15
list-local-macs ls1
del-mcast-local ls1 01:11:22:33:44:55 10.0.0.14
list-local-macs ls1
clear-local-macs ls1
list-local-macs ls1
list Physical_Locator
add-mcast-remote ls1 01:11:22:33:44:55 10.0.0.14
list-remote-macs ls1
set-manager ptcp:5 tcp:4 foo
get-manager
list Physical_Port p1
del-ls ls1
show
`))
}

package script

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shown are the arguments of the commands that show something, by program. Each
// answers `--format json` with a document that has all that its text has.
var shown = map[string]map[string]string{
	"ovsdb-server": {
		"ovsdb-server/get-active-ovsdb-server": "", "ovsdb-server/get-db-storage-status": "Open_vSwitch", "ovsdb-server/get-sync-exclude-tables": "",
		"ovsdb-server/list-dbs": "", "ovsdb-server/list-remotes": "", "ovsdb-server/perf-counters-show": "", "ovsdb-server/sync-status": "",
		"ovsdb-server/tlog-list": "", "ovsdb-server/top": "", "memory/show": "",
	},
	"ovs-vswitchd": {
		"bfd/show": "", "bond/list": "", "bond/show": "", "bridge/dump-flows": "br0", "cfm/show": "", "dpctl/cache-get-size": "", "dpctl/ct-get-nconns": "", "dpctl/ct-stats-show": "", "dpctl/dump-conntrack": "", "dpctl/dump-dps": "",
		"dpctl/dump-flows": "-m", "dpctl/list-commands": "", "dpctl/normalize-actions": "in_port(1) 3,2", "dpctl/parse-actions": "push_vlan(vid=5,pcp=0),1", "dpctl/show": "-s",
		"dpif-netdev/bond-show": "", "dpif-netdev/pmd-perf-show": "", "dpif-netdev/pmd-rxq-show": "", "dpif-netdev/pmd-sleep-show": "",
		"dpif-netdev/pmd-stats-show": "", "dpif/dump-dps": "", "dpif/dump-flows": "br0", "dpif/show": "", "dpif/show-dp-features": "br0", "dpif/show-slow": "",
		"drops/explain": "br0 in_port=1,icmp", "drops/show": "", "fdb/show": "br0", "fdb/stats-show": "br0", "lacp/show": "", "lacp/show-stats": "",
		"memory/show": "", "netdev-dummy/conn-state": "", "ofproto/list": "", "ofproto/list-tunnels": "", "ofproto/trace": "br0 in_port=1,udp,udp_dst=67",
		"ofproto/trace-packet-out": "br0 in_port=1,udp output:2", "qos/show-types": "p1", "rstp/show": "", "stp/show": "", "tnl/ports/show": "", "upcall/show": "",
		"ovs/route/lookup": "1.1.9.9", "ovs/route/rule/show": "", "ovs/route/show": "", "tnl/arp/aging": "", "tnl/arp/show": "", "tnl/egress_port_range": "",
		"tnl/neigh/aging": "", "tnl/neigh/retrans_time": "", "tnl/neigh/show": "",
	},
	"ovs-testcontroller": {},
}

// everywhere are those of every program.
var everywhere = map[string]string{"coverage/show": "", "list-commands": "", "vlog/list": "", "vlog/list-pattern": ""}

// doing are the commands that do something instead, and those that can't answer
// here: of clusters, single flows and counters, devices with queues, hardware.
var doing = regexp.MustCompile(`^(exit|version|set-options|coverage/read-counter|time/.*|vlog/(close|reopen|set|(en|dis)able-rate-limit)|` +
	`cluster/.*|ovsdb/file/.*|ovsdb-server/((add|remove)-.*|compact|(dis)?connect-.*|disable-.*|memory-.*|perf-counters-clear|re(load|connect)|set-.*|tlog-set)|` +
	`bfd/set-forwarding|bond/(hash|migrate|.*-member)|bridge/reconnect|dpctl/(flush-conntrack|(add|del|mod|set|get)-.*|offload-stats-show)|` +
	`dpif-dummy/change-port-number|dpif-netdev/pmd-(perf-log-set|rxq-rebalance|stats-clear)|dpif/set-dp-features|drops/clear|fdb/(add|del|flush|stats-clear)|mdb/show|` +
	`netdev-dummy/(ip.addr|receive|set-admin-state)|ofproto/(detrace|tnl-push-pop)|ovs/route/(rule/)?(add|del)|tnl/(arp|neigh)/(flush|set)|qos/show|revalidator/.*|upcall/(en|dis|set-).*)$`)

// absent are commands of parts that this version lacks: they fail and say so. One
// that works belongs to those that show or do something.
var absent = regexp.MustCompile(`^(autoattach/.*|cfm/set-fault|dpctl/(cache-set-size|ct-.*|dump-conntrack-exp|ipf-.*)|dpif/offload/.*|mdb/flush|r?stp/tcn)$`)

// daemons is a directory with a running database, switch and controller.
type daemons struct {
	*testing.T
	bin, dir string
}

func (d *daemons) run(name string, args ...string) string {
	d.Helper()
	out, err := d.try(name, args...)
	if err != nil {
		d.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

// try runs a program; what it says to stderr is in the error.
func (d *daemons) try(name string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(d.bin, name), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+d.dir, "OVS_LOGDIR="+d.dir, "OVS_DBDIR="+d.dir, "OVS_SYSCONFDIR="+d.dir, "OVS_SYSLOG_METHOD=null", "OVS_CTL_TIMEOUT=60")
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, &errors)
	}
	return string(out), err
}

func startDaemons(t *testing.T) *daemons {
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "weir-js-") // socket paths are short: not t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	d := &daemons{t, bin, dir}
	t.Cleanup(func() { endDaemons(dir); _ = os.RemoveAll(dir) })
	schema, _ := filepath.Abs("../../schema/vswitch.ovsschema")
	d.run("ovsdb-tool", "create", "conf.db", schema)
	d.run("ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--remote=punix:db.sock", "conf.db")
	d.run("ovs-vsctl", "--no-wait", "init")
	d.run("ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--enable-dummy", "--disable-system")
	d.run("ovs-testcontroller", "--detach", "--no-chdir", "--pidfile", "--unixctl="+dir+"/controller.ctl", "punix:controller")
	d.run("ovs-vsctl", strings.Fields("add-br br0 -- set Bridge br0 datapath-type=dummy -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1 -- add-port br0 p2 tag=5 -- set Interface p2 type=dummy ofport_request=2")...)
	d.run("ovs-appctl", "time/stop")
	d.run("ovs-ofctl", "add-flow", "br0", "cookie=0x77,udp,udp_dst=67,actions=drop")
	for _, port := range []int{67, 68} {
		d.run("ovs-appctl", "netdev-dummy/receive", "p1", fmt.Sprintf("in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=%d)", port))
	}
	d.run("ovs-appctl", "revalidator/wait")
	d.run("ovs-appctl", "netdev-dummy/ip4addr", "br0", "1.1.2.88/24")
	d.run("ovs-appctl", "ovs/route/add", "1.1.9.0/24", "br0", "1.1.2.1")
	d.run("ovs-appctl", "ovs/route/add", "1.1.8.0/24", "br0", "1.1.2.2", "pkt_mark=1234", "table=100")
	d.run("ovs-appctl", "ovs/route/rule/add", "from=1.1.2.88/32", "prio=1000", "table=100")
	d.run("ovs-appctl", "tnl/arp/set", "br0", "1.1.2.92", "f8:bc:12:44:34:b6")
	return d
}

// TestJSON asks every command of every daemon that shows something for JSON.
func TestJSON(t *testing.T) {
	d := startDaemons(t)
	for _, program := range []string{"ovsdb-server", "ovs-vswitchd", "ovs-testcontroller"} {
		target := program
		if program == "ovs-testcontroller" {
			target = d.dir + "/controller.ctl"
		}
		for line := range strings.Lines(d.run("ovs-appctl", "-t", target, "list-commands")) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			args, ok := shown[program][name]
			if !ok {
				args, ok = everywhere[name]
			}
			switch {
			case name == "The":
			case ok && doing.MatchString(name):
				t.Errorf("%s: %s both shows and does", program, name)
			case ok:
				command := append([]string{"-t", target, name}, strings.Fields(args)...)
				text := d.run("ovs-appctl", command...)
				d.sameFacts(program+" "+name, text, d.run("ovs-appctl", append([]string{"--format", "json"}, command...)...))
			case absent.MatchString(name):
				if out, err := d.try("ovs-appctl", "-t", target, name); err == nil {
					t.Errorf("%s: %s works now (%s): add it to this test", program, name, out)
				}
			case !doing.MatchString(name):
				t.Errorf("%s: does %s show something? Add it to this test", program, name)
			}
		}
	}
}

// tools are command lines of the programs that show something by themselves.
var tools = []string{
	"ovs-dpctl -s show", "ovs-dpctl dump-dps", "ovs-dpctl dump-flows", "ovs-dpctl list-commands", "ovs-dpctl cache-get-size",
	"ovs-dpctl parse-actions push_vlan(vid=5,pcp=0),1", "ovs-dpctl normalize-actions in_port(1) 3,2",
	"ovs-ofctl show br0", "ovs-ofctl dump-desc br0", "ovs-ofctl dump-tables br0", "ovs-ofctl dump-table-features br0", "ovs-ofctl dump-table-desc br0",
	"ovs-ofctl dump-flows br0", "ovs-ofctl dump-aggregate br0", "ovs-ofctl dump-ports br0", "ovs-ofctl dump-ports-desc br0", "ovs-ofctl queue-stats br0",
	"ovs-ofctl dump-groups br0", "ovs-ofctl dump-group-stats br0", "ovs-ofctl dump-group-features br0", "ovs-ofctl dump-meters br0", "ovs-ofctl meter-stats br0",
	"ovs-ofctl meter-features br0", "ovs-ofctl dump-tlv-map br0", "ovs-ofctl get-frags br0",
	"ovs-vsctl show", "ovs-vsctl list Port", "ovs-vsctl find Interface name=p1", "ovsdb-client list-dbs", "ovsdb-client list-tables", "ovsdb-client list-columns Open_vSwitch Port",
	"ovsdb-client dump Open_vSwitch Port name", "ovsdb-client get-schema", "ovsdb-tool show-log",
}

// TestJSONOfTools asks the programs that show something by themselves.
func TestJSONOfTools(t *testing.T) {
	d := startDaemons(t)
	for _, line := range tools {
		words := strings.Fields(line)
		if words[0] == "ovs-ofctl" {
			words = append([]string{"ovs-ofctl", "-O", "OpenFlow15"}, words[1:]...)
		}
		text, format := d.run(words[0], words[1:]...), []string{"--format=json"}
		if line == "ovsdb-client get-schema" {
			format = nil // it is JSON
		}
		d.sameFacts(line, text, d.run(words[0], append(format, words[1:]...)...))
	}
}

// sameFacts fails where JSON is none, only wraps the text, or lacks a name, an
// address or a number of the text.
func (d *daemons) sameFacts(what, text, document string) {
	d.Helper()
	var doc any
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		d.Errorf("%s: %v in %s", what, err, document)
		return
	}
	if m, ok := doc.(map[string]any); ok && m["reply-format"] == "plain" {
		d.Errorf("%s: no JSON of its own: %s", what, document)
		return
	}
	for _, fact := range fact.FindAllString(changing.ReplaceAllString(text, ""), -1) {
		if hex, err := strconv.ParseUint(fact, 0, 64); err == nil && strings.HasPrefix(fact, "0x") && strings.Contains(document, strconv.FormatUint(hex, 10)) {
			continue
		}
		if !strings.Contains(document, fact) {
			d.Errorf("%s: the text has %q, the document hasn't:\n%s%s", what, fact, text, document)
			return
		}
	}
}

var (
	// fact is a name with a digit, an address, or a number of three digits.
	fact = regexp.MustCompile(`[0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9]+(\.[0-9]+){3}|\b[a-z][a-z_-]*[0-9]+\b|0x[0-9a-f]+|\b[0-9]{3,}\b`)
	// changing is what a second question answers differently, numbers of
	// explanations and ratios, and names that share their beginnings in braces.
	changing = regexp.MustCompile(`hash=.*|20[0-9]{2}-[0-9-]+ [0-9:.]+|\(OF.*\) \(xid=.*\):|supported on .*|arbitrary mask.*|exact match.*|Time:.*|for interface: .*|[0-9.]+/sec|\(.*/.*\)|[0-9.]+ ?(s|%|seconds|cycles)\b.*|(received bytes|sent bytes|requests|updates): .*`)
)

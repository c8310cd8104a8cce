package reliability

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/unixctl"
	"weir/test/programs"
)

// Every command of both daemons, with arguments that it wants and with others, many at
// a time: nothing ends a daemon, or has it stand still, or costs a descriptor or a
// goroutine for good.
func TestRandomCommands(t *testing.T) {
	for _, name := range []string{switchName, serverName} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.start()
			p.furnish()
			commands := p.commands(name)
			before := p.descriptors(name)
			seconds := 3
			if long() {
				seconds = 100
			}
			end := time.Now().Add(time.Duration(seconds) * time.Second)
			var wg sync.WaitGroup
			for i := range uint64(8) {
				wg.Go(func() {
					c := &commander{t: t, path: p.path(name + ".ctl"), commands: commands, rng: rand.New(rand.NewPCG(seed(), i))}
					defer c.hangUp()
					for time.Now().Before(end) && !t.Failed() {
						c.command()
					}
				})
			}
			wg.Wait()
			p.well(name, before)
		})
	}
}

// seed is that of random tests: WEIR_SEED, else always the same.
func seed() (n uint64) {
	_, _ = fmt.Sscan(os.Getenv("WEIR_SEED"), &n)
	return n
}

// well requires that a daemon goes on as one that nobody troubled, with about as many
// descriptors as before and a modest number of goroutines. It ends the daemon.
func (p *pair) well(name string, before int) {
	p.t.Helper()
	if p.over(name) {
		p.t.Errorf("%s has ended", name)
		return
	}
	_, _ = p.appctl(name, "time/warp", "1000") // where the time was stopped
	if out, err := p.appctl(name, "list-commands"); err != nil {
		p.t.Errorf("%s does not answer: %v %s", name, err, out)
	}
	p.undo(name)
	const added = 30
	if !programs.Wait(func() bool { return p.descriptors(name) < before+added }) {
		p.t.Errorf("%s had %d descriptors and has %d", name, before, p.descriptors(name))
	}
	for what, n := range p.goroutines(name) {
		if n > added {
			p.t.Errorf("%s has %d goroutines created by %s", name, n, what)
		}
	}
}

// undo takes away what commands added, each of which costs a goroutine or more.
func (p *pair) undo(name string) {
	p.t.Helper()
	if name != serverName {
		return
	}
	remotes, err := p.appctl(name, "ovsdb-server/list-remotes")
	if err != nil {
		p.t.Error(err)
	}
	c, err := unixctl.Dial(p.path(name + ".ctl"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	for remote := range strings.Lines(remotes) {
		if _, _, err := c.Transact("ovsdb-server/remove-remote", []string{strings.TrimSuffix(remote, "\n")}); err != nil {
			p.t.Error(err)
		}
	}
	if _, _, err := c.Transact("ovsdb-server/disconnect-active-ovsdb-server", nil); err != nil {
		p.t.Error(err)
	}
}

// furnish gives commands something to find.
func (p *pair) furnish() {
	p.t.Helper()
	p.run("ovs-vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy", "fail-mode=secure",
		"--", "add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy",
		"--", "add-port", "br0", "p2", "tag=5", "--", "set", "Interface", "p2", "type=dummy",
		"--", "add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=vxlan", "options:remote_ip=1.2.3.4", "options:key=7",
		"--", "add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev")
	p.run("ovs-ofctl", "add-flow", "br0", "priority=5,actions=NORMAL")
	p.run("ovs-ofctl", "add-flow", "br0", "udp,actions=controller,set_field:5->reg0,resubmit(,1)")
	p.run("ovs-ofctl", "add-flow", "br0", "table=1,actions=learn(table=2,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]),flood")
}

// namedCommand is a command with the words that describe its arguments.
type namedCommand struct {
	name  string
	usage []string
}

// commands lists those of a daemon but the one that ends it.
func (p *pair) commands(name string) (list []namedCommand) {
	p.t.Helper()
	out, err := p.appctl(name, "list-commands")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if words[0] != "The" && words[0] != "exit" {
			list = append(list, namedCommand{words[0], words[1:]})
		}
	}
	if len(list) < 10 {
		p.t.Fatalf("too few commands: %s", out)
	}
	return list
}

// commander is a client that sends random commands, one after the other.
type commander struct {
	t        *testing.T
	path     string
	commands []namedCommand
	rng      *rand.Rand
	client   *unixctl.Client
}

func (c *commander) hangUp() {
	if c.client != nil {
		c.client.Close()
		c.client = nil
	}
}

// command sends one and waits for its answer. One that waits for packets is left
// unanswered.
func (c *commander) command() {
	if c.client == nil || c.rng.IntN(50) == 0 {
		c.hangUp()
		var err error
		if c.client, err = unixctl.Dial(c.path); err != nil {
			c.t.Errorf("no connection: %v", err)
			return
		}
	}
	cmd := c.commands[c.rng.IntN(len(c.commands))]
	args := c.arguments(cmd)
	limit := patience
	if slices.Contains(args, "--live") {
		limit = 100 * time.Millisecond
	}
	late := time.AfterFunc(limit, c.client.Close)
	_, remote, err := c.client.Transact(cmd.name, args)
	switch {
	case err != nil && limit != patience:
		c.hangUp()
	case err != nil && errors.Is(err, net.ErrClosed):
		c.t.Errorf("%s %q: no answer in %v", cmd.name, args, limit)
	case err != nil:
		c.t.Errorf("%s %q: %v", cmd.name, args, err)
	case remote != nil && strings.Contains(remote.Error(), "internal error"):
		c.t.Errorf("%s %q: %v", cmd.name, args, remote)
	}
	late.Stop()
}

// arguments makes some: most of the kinds that the usage names, in their places.
func (c *commander) arguments(cmd namedCommand) (args []string) {
	for _, word := range cmd.usage {
		if strings.HasPrefix(word, "[") && c.rng.IntN(3) == 0 {
			continue
		}
		args = append(args, c.word(strings.Trim(word, "[].{}<>|")))
	}
	switch c.rng.IntN(6) {
	case 0:
		args = append(args, c.word(""))
	case 1:
		if len(args) > 0 {
			args = slices.Delete(args, len(args)-1, len(args))
		}
	}
	if cmd.name == "time/warp" {
		for i := range args { // what takes long takes long
			args[i] = fmt.Sprint(c.rng.IntN(3000) - 10)
		}
	}
	return args
}

// word is an argument for what the usage calls so, or for nothing.
func (c *commander) word(usage string) string {
	var kinds []string
	for kind := range pools {
		if usage != "" && regexp.MustCompile(`(?i)`+kind).MatchString(usage) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	switch {
	case strings.Contains(usage, "|") && len(kinds) == 0 || strings.HasPrefix(usage, "-") && c.rng.IntN(3) > 0:
		return c.mutate(c.pick(strings.FieldsFunc(usage, func(r rune) bool { return strings.ContainsRune("|[]{}", r) })))
	case len(kinds) == 0 || c.rng.IntN(4) == 0:
		var all []string
		for kind := range pools {
			all = append(all, kind)
		}
		slices.Sort(all)
		return c.mutate(c.pick(pools[c.pick(all)]))
	}
	return c.mutate(c.pick(pools[c.pick(kinds)]))
}

func (c *commander) pick(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return from[c.rng.IntN(len(from))]
}

// odd are bytes that an argument may get.
const odd = "(),:=/[]{}-+ \x01\xff0123456789"

// mutate changes one argument of eight.
func (c *commander) mutate(s string) string {
	if c.rng.IntN(8) > 0 {
		return s
	}
	b := []byte(s)
	switch at := c.rng.IntN(len(b) + 1); c.rng.IntN(5) {
	case 0:
		b = slices.Insert(b, at, odd[c.rng.IntN(len(odd))])
	case 1:
		b = b[:at]
	case 2:
		b = b[at:]
	case 3:
		if at < len(b) {
			b[at] ^= 1 << c.rng.IntN(7)
		}
	default:
		b = append(b, b[at:]...)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "?"), "\x00", "?") // which no string of JSON-RPC may have
}

// pools are arguments by what the usage of commands calls them, as a pattern.
var pools = map[string][]string{
	`bridge|^dp|BRIDGE`:                           {"br0", "br1", "br2", "dummy@ovs-dummy", "netdev@ovs-netdev", "ovs-dummy", "system@ovs-system", "@", "dummy@"},
	`port|iface|interface|netdev|name|dev|member`: {"p1", "p2", "br0", "v0", "1", "65534", "LOCAL", "p9", "0", "4294967295"},
	`flow|packet|filter`: {
		"in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=67)",
		"in_port(p1),packet_type(ns=0,id=0),eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135),nd(target=::1)",
		"recirc_id(1),tunnel(tun_id=1,src=1.2.3.4,dst=5.6.7.8,geneve({class=1,type=2,len=4,0x1}),flags(csum)),in_port(2),eth()",
		"in_port=1,udp,udp_dst=67", "in_port=p1,dl_vlan=5,tcp6", "mpls,mpls_label=5,mpls_ttl=0", "arp,in_port=LOCAL", "ct_state=+trk,ip,metadata=5",
		"505400000007505400000005080045000028000000004011f96bc0a80001c0a8000200080000", "5054", "", "icmp6", "nsh,nsh_mdtype=1",
	},
	`actions`: {
		"1", "output:2", "drop", "push_vlan(vid=5,pcp=0),1", "clone(clone(clone(1)))", "sample(sample=50%,actions(2))", "ct(commit)", "recirc(1)",
		"set(ipv4(ttl=1)),userspace(pid=1,slow_path(action))", "check_pkt_len(size=5,gt(1),le(2))", "trunc(100),1", "resubmit(,1),normal,learn(table=1)",
		"tnl_push(tnl_port(3),header(size=50,type=4,eth(dst=1:1:1:1:1:1,src=2:2:2:2:2:2,dl_type=0x0800)),out_port(1))", "encap(nsh(md_type=1)),2", "group:1,meter:3",
	},
	`ip|gw|from`: {"1.2.3.4", "1.2.3.0/24", "::1", "fe80::/10", "0.0.0.0/0", "from=1.1.1.1", "from=all", "256.1.1.1", "src=1.2.3.4", "1.2.3.4/33", "::ffff:1.2.3.4/129"},
	`mac`:        {"50:54:00:00:00:05", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:00", "50:54:00:00:00", "z"},
	`secs|limit|number|count|vlan|min|max|qid|len|basis|hash|it|ms|size|^-?[ab]|time|interval|ufid|core|table|mark|zone`: {
		"0", "1", "-1", "5", "100", "4095", "65535", "65536", "2147483647", "4294967296", "9223372036854775808", "1e9", "0x10", "ufid:00000000-0000-0000-0000-000000000001", "id=7", "table=all", "pmd=0",
	},
	`OPTIONS|--`: {"--names", "--ct-next=trk,new", "--ct-next", "-generate", "-consistent", "--live", "-m", "--", "-nh", "-pmd", "-secs", "-it", "-us", "--len"},
	`spec|PATTERN|module|COUNTER`: {"dbg", "bridge:file:warn", "PATTERN:file:%m", "PATTERN:console:%", "ANY:ANY:off", "FACILITY:daemon", "xlate_actions",
		"file:err", "bridge", "PATTERN:file:%D{%Y}%0100m%"},
	`DB|REMOTE|SERVER`: {"Open_vSwitch", "Open_vSwitch:Bridge", "nonesuch", "_Server", "conf.db", "copy.db", "punix:x.sock", "ptcp:0:127.0.0.1", "db:Open_vSwitch,Open_vSwitch,manager_options",
		"db:Open_vSwitch,Bridge,name", "tcp:127.0.0.1:1", "pssl:0", "unix:nowhere", "ptcp:", "Open_vSwitch,Bridge", "Open_vSwitch:Port,Open_vSwitch:Interface"},
	`file|odd`: {"", " ", "-", "\x01", "%s%n%d", "{}", "[", "\"", "äöü€", strings.Repeat("a", 70000), strings.Repeat("(", 3000), strings.Repeat("clone(", 500), "flows.txt", "/dev/null", "."},
}

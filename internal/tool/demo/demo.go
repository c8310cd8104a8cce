// Package demo is `weir demo`: it shows the switch at work on real packets.
// Everything happens inside network namespaces of its own, the switch
// included, so that the machine's network is never touched; they, the database
// and the sockets are gone when it ends, also after Ctrl-C.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/cli"
	"weir/internal/lab"
)

// host is one of the demonstration's hosts, on a bridge by a veth pair.
type host struct {
	name, bridge string
	vlan         int
	ip, mac      string
}

// port is the host's port on its bridge.
func (h host) port() string { return "to-" + h.name }

// The hosts. Two bridges stand in the namespace of the switch, joined by a
// trunk, so that alice and bob meet across it.
var (
	alice = host{name: "alice", bridge: "br-left", vlan: 10, ip: "10.77.0.1", mac: "02:77:00:00:00:01"}
	bob   = host{name: "bob", bridge: "br-right", vlan: 10, ip: "10.77.0.2", mac: "02:77:00:00:00:02"}
	carol = host{name: "carol", bridge: "br-left", vlan: 20, ip: "10.77.0.3", mac: "02:77:00:00:00:03"}

	hosts   = []host{alice, bob, carol}
	bridges = []string{"br-left", "br-right"}
)

// errInterrupted ends the demonstration after Ctrl-C.
var errInterrupted = errors.New("interrupted")

// Main runs the demonstration and returns 0 where everything happened as the
// text says it would, 130 after Ctrl-C, 1 otherwise.
func Main(ctx context.Context, env *cli.Env) int {
	if len(env.Args) > 0 {
		if env.Args[0] == "-h" || env.Args[0] == "--help" {
			fmt.Fprintln(env.Stdout, "weir demo: the switch at work\nusage: weir demo\nShows the switch at work between network namespaces of its own. Needs root.")
			return 0
		}
		return env.Fatal("demo: unexpected argument %q (it takes none)", env.Args[0])
	}
	if os.Geteuid() != 0 {
		return env.Fatal("demo: making network namespaces needs root: run it with sudo")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{env: env, ctx: ctx}
	err := d.run()
	d.cleanUp()
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(env.Stdout, "\nInterrupted; everything that the demonstration made is gone again.")
		return 130
	case err != nil:
		return env.Fatal("demo: %v", err)
	}
	fmt.Fprintln(env.Stdout, "\nDone; the namespaces, the switch and its database are gone again.")
	return 0
}

// demo is one run. One goroutine owns it.
type demo struct {
	env  *cli.Env
	ctx  context.Context
	self string // path of this program
	dir  string // the sockets, database and logs of this run
}

func (d *demo) run() error {
	var err error
	if d.self, err = os.Executable(); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
		return err
	}
	removeOrphans()
	steps := []struct {
		title string
		do    func() error
	}{
		{"Starting database and switch in one process: weir up", d.start},
		{"Two bridges, a trunk between them, three hosts", d.build},
		{"The topology, as the database has it", d.draw},
		{"Hosts of one VLAN reach each other, across the trunk; VLANs are apart", d.pings},
		{"An OpenFlow rule that drops what bob sends", d.dropBob},
		{"What the bridges have learned", d.macs},
		{"What the data path does now", d.flows},
		{"TCP from alice to bob, and over a bare veth pair", d.throughput},
	}
	for i, s := range steps {
		fmt.Fprintf(d.env.Stdout, "\n=== %d/%d  %s\n", i+1, len(steps), s.title)
		if err := s.do(); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, s.title, err)
		}
		if d.ctx.Err() != nil {
			return errInterrupted
		}
	}
	return nil
}

// cleanUp ends the switch and removes all that run made.
func (d *demo) cleanUp() {
	d.ctx = context.Background()
	if d.dir == "" {
		return
	}
	if _, err := os.Stat(filepath.Join(d.dir, "ovs-vswitchd.pid")); err == nil {
		if _, err := d.tool("weir", "down"); err != nil {
			fmt.Fprintf(d.env.Stderr, "%s: demo: %v\n", d.env.Name, err)
		}
	}
	lab.RemoveNamespaces(ours())
	os.RemoveAll(d.dir)
}

func (d *demo) start() error {
	if err := lab.AddNamespace(switchSpace()); err != nil {
		return err
	}
	if err := lab.WithoutIPv6(switchSpace()); err != nil {
		return err
	}
	out, err := d.inSpace(switchSpace(), d.self, "up")
	d.show(out)
	return err
}

func (d *demo) build() error {
	for _, br := range bridges {
		if err := d.sayTool("ovs-vsctl", "add-br", br); err != nil {
			return err
		}
	}
	// Which data path it is, and why where it isn't the one in the kernel.
	if err := d.sayTool("ovs-vsctl", "get", "Bridge", bridges[0], "status"); err != nil {
		return err
	}
	if err := lab.IP("-n " + switchSpace() + " link add trunk-left type veth peer name trunk-right"); err != nil {
		return err
	}
	for _, side := range []string{"left", "right"} {
		if err := lab.IP("-n " + switchSpace() + " link set trunk-" + side + " up"); err != nil {
			return err
		}
		if err := d.sayTool("ovs-vsctl", "add-port", "br-"+side, "trunk-"+side, "trunks=10,20"); err != nil {
			return err
		}
	}
	for _, h := range hosts {
		if err := h.attach(); err != nil {
			return err
		}
		if err := d.sayTool("ovs-vsctl", "add-port", h.bridge, h.port(), fmt.Sprintf("tag=%d", h.vlan)); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) pings() error {
	if err := d.expectPing(alice, bob, true); err != nil {
		return err
	}
	return d.expectPing(alice, carol, false)
}

func (d *demo) dropBob() error {
	rule := fmt.Sprintf("cookie=0xb0b,priority=100,dl_src=%s,actions=drop", bob.mac)
	if err := d.sayTool("ovs-ofctl", "add-flow", bob.bridge, rule); err != nil {
		return err
	}
	if err := d.expectPing(alice, bob, false); err != nil {
		return err
	}
	fmt.Fprintln(d.env.Stdout, "  Why? The switch explains a packet from bob to alice:")
	in, err := d.tool("ovs-vsctl", "get", "Interface", bob.port(), "ofport")
	if err != nil {
		return err
	}
	packet := fmt.Sprintf("in_port=%s,icmp,dl_src=%s,dl_dst=%s,nw_src=%s,nw_dst=%s",
		strings.TrimSpace(in), bob.mac, alice.mac, bob.ip, alice.ip)
	for _, command := range [][]string{
		{"ovs-appctl", "ofproto/trace", bob.bridge, packet},
		{"ovs-ofctl", "dump-flows", bob.bridge},
		{"ovs-ofctl", "del-flows", bob.bridge, "cookie=0xb0b/-1"},
	} {
		if err := d.sayTool(command[0], command[1:]...); err != nil {
			return err
		}
	}
	return d.expectPing(alice, bob, true)
}

func (d *demo) macs() error {
	for _, br := range bridges {
		if err := d.sayTool("ovs-appctl", "fdb/show", br); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) flows() error {
	if err := d.expectPing(alice, bob, true); err != nil {
		return err
	}
	return d.sayTool("ovs-appctl", "dpctl/dump-flows", "--names")
}

func (d *demo) throughput() error {
	one, two, addr, err := addBarePair()
	if err != nil {
		return err
	}
	const each = 2 * time.Second
	bare, err := lab.MeasureTCP(d.ctx, one, two, addr, each)
	if err != nil {
		return fmt.Errorf("bare veth pair: %w", err)
	}
	ours, err := lab.MeasureTCP(d.ctx, namespace(alice.name), namespace(bob.name), bob.ip, each)
	if err != nil {
		return fmt.Errorf("through the switch: %w", err)
	}
	fmt.Fprintf(d.env.Stdout, "  %-42s %6.2f Gbit/s\n", "bare veth pair", bare/1e9)
	fmt.Fprintf(d.env.Stdout, "  %-42s %6.2f Gbit/s (%.2f of the bare pair)\n", "alice - br-left - trunk - br-right - bob", ours/1e9, ours/bare)
	return nil
}

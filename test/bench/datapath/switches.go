package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir/internal/lab"
)

// subject is something that forwards between s1 and s2 of the switch's
// namespace.
type subject struct {
	name string
	// start starts it on the stage; nil: the hosts are joined directly.
	start func(*stage) error
	stop  func(*stage)
	// program is where it has a program, nil if it isn't an Open vSwitch.
	program func(name string) string
}

// switches are what is measured, in the order of the table.
var switches = []subject{
	{name: "veth"},
	{name: "bridge", start: startBridge},
	{name: "C", start: func(st *stage) error { return startOVS(st, "netdev") }, stop: stopOVS, program: debian},
	{name: "userspace", start: func(st *stage) error { return startOVS(st, "netdev") }, stop: stopOVS, program: ours},
	{name: "ebpf", start: func(st *stage) error { return startOVS(st, "ebpf") }, stop: stopOVS, program: ours},
}

func switchNames() (names []string) {
	for _, s := range switches {
		names = append(names, s.name)
	}
	return names
}

func ours(name string) string {
	path, err := filepath.Abs("bin/" + name)
	if err != nil {
		return name
	}
	return path
}

func debian(name string) string {
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name
		}
	}
	return name
}

func startBridge(st *stage) error {
	in := "-n " + st.sw + " link "
	return lab.IP(in+"add br0 type bridge", in+"set br0 up", in+"set s1 master br0", in+"set s2 master br0")
}

// startOVS starts a database and a switch with a bridge of the two ports, and
// flows between them.
func startOVS(st *stage, datapathType string) error {
	if st.sub.name == "C" {
		// Its data path drops packets with partial checksums, so that nothing but
		// what hosts compute checksums for arrives.
		for _, ns := range []string{nsSrc, nsDst} {
			if _, err := st.in(ns, "ethtool", "-K", "e0", "tx", "off"); err != nil {
				return err
			}
		}
	}
	schema := "/usr/share/openvswitch/vswitch.ovsschema"
	if abs, err := filepath.Abs("schema/vswitch.ovsschema"); err == nil && st.sub.name != "C" {
		schema = abs
	}
	return st.tools(
		"ovsdb-tool create "+st.path("conf.db")+" "+schema,
		"ovsdb-server --detach --no-chdir --pidfile --log-file --remote=punix:"+st.path("db.sock")+" "+st.path("conf.db"),
		"ovs-vsctl --no-wait init",
		"ovs-vswitchd --detach --no-chdir --pidfile --log-file",
		"ovs-vsctl add-br br0 -- set bridge br0 datapath_type="+datapathType+" fail_mode=secure"+
			" -- add-port br0 s1 -- set interface s1 ofport_request=1 -- add-port br0 s2 -- set interface s2 ofport_request=2",
		"ovs-ofctl add-flow br0 in_port=1,actions=2",
		"ovs-ofctl add-flow br0 in_port=2,actions=1",
	)
}

func stopOVS(st *stage) {
	_, _ = st.tool("ovs-appctl", "-t", "ovs-vswitchd", "exit", "--cleanup")
	_, _ = st.tool("ovs-appctl", "-t", "ovsdb-server", "exit")
	for range 100 {
		if _, err := os.Stat(st.path("ovs-vswitchd.pid")); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "ovs-vswitchd did not end")
}

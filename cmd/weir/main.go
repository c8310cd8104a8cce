// Command weir is every program of Weir in one binary. The name it is run by, or
// its first argument, says which one.
package main

import (
	"os"

	"weir/internal/tool/appctl"
	"weir/internal/tool/ctl"
	"weir/internal/tool/demo"
	"weir/internal/tool/dpctl"
	"weir/internal/tool/multicall"
	"weir/internal/tool/ofctl"
	"weir/internal/tool/ovsdbclient"
	"weir/internal/tool/ovsdbserver"
	"weir/internal/tool/ovsdbtool"
	"weir/internal/tool/pcap"
	"weir/internal/tool/pki"
	"weir/internal/tool/testcontroller"
	"weir/internal/tool/up"
	"weir/internal/tool/vsctl"
	"weir/internal/tool/vswitchd"
	"weir/internal/tool/vtepctl"
)

// binary is the table of all programs.
var binary = multicall.Binary{
	Name: "weir",
	Programs: map[string]multicall.Program{
		"ovs-appctl": appctl.Main,
		"ovs-vsctl":  vsctl.Main,
		"vtep-ctl":   vtepctl.Main,
		"ovs-dpctl":  dpctl.Main,
		"ovs-ofctl":  ofctl.Main,
		"ovsdb-tool": ovsdbtool.Main,
		"ovs-ctl":    ctl.Main,
		"ovs-save":   ctl.SaveMain,

		"ovs-kmod-ctl": ctl.KmodMain,

		"ovs-vswitchd": vswitchd.Main,

		"ovs-pcap":           pcap.Main,
		"ovs-tcpundump":      pcap.UndumpMain,
		"ovs-pki":            pki.Main,
		"ovs-testcontroller": testcontroller.Main,
		"ovsdb-client":       ovsdbclient.Main,
		"ovsdb-server":       ovsdbserver.Main,
	},
	Verbs: map[string]multicall.Program{
		"demo": demo.Main,
		"up":   up.Up(ovsdbserver.Main, vswitchd.Main),
		"down": up.Down,
	},
}

func main() { os.Exit(binary.Main()) }

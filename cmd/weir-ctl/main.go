// Command weir-ctl is the programs of Weir that run for a moment, and that
// scripts run by the hundred, in a binary of their own: what the switch is made
// of would triple the time that they take to start. `weir` has them all, too.
package main

import (
	"os"

	"weir/internal/tool/appctl"
	"weir/internal/tool/multicall"
	"weir/internal/tool/ovsdbclient"
	"weir/internal/tool/ovsdbtool"
	"weir/internal/tool/pki"
	"weir/internal/tool/vsctl"
	"weir/internal/tool/vtepctl"
)

var binary = multicall.Binary{
	Name: "weir-ctl",
	Programs: map[string]multicall.Program{
		"ovs-appctl":   appctl.Main,
		"ovs-pki":      pki.Main,
		"ovs-vsctl":    vsctl.Main,
		"ovsdb-client": ovsdbclient.Main,
		"ovsdb-tool":   ovsdbtool.Main,
		"vtep-ctl":     vtepctl.Main,
	},
}

func main() { os.Exit(binary.Main()) }

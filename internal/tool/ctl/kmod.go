package ctl

import (
	"context"
	"fmt"

	"weir/internal/cli"
	"weir/internal/version"
)

// KmodMain is ovs-kmod-ctl(8). Both of its commands succeed and say why there is
// nothing to do: the data paths are no kernel modules.
func KmodMain(_ context.Context, env *cli.Env) int {
	if len(env.Args) != 1 {
		return env.Fatal("exactly one argument, a command, is required (use --help for help)")
	}
	switch command := env.Args[0]; command {
	case "insert", "remove":
		fmt.Fprintln(env.Stdout, noModule)
	case "-h", "--help", "help":
		fmt.Fprintf(env.Stdout, kmodUsage, env.Name, env.Name)
	case "-V", "--version", "version":
		fmt.Fprintln(env.Stdout, version.Line("ovs-kmod-ctl"))
	default:
		return env.Fatal("unknown command \"%s\" (use --help for help)", command)
	}
	return 0
}

const noModule = "No kernel module is needed."

const kmodUsage = `%s: kernel modules of Open vSwitch, of which none is needed
usage: %s insert|remove|version|help

Commands:
  insert, remove  nothing to do, as there is no module
  version         print the version
  help            print this text
`

// Command weir is every program of Weir in one binary. The name it is run by, or
// its first argument, says which one.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"weir/internal/cli"
	"weir/internal/tool/appctl"
	"weir/internal/tool/ctl"
	"weir/internal/tool/demo"
	"weir/internal/tool/dpctl"
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

// programs is the table of all programs, each with a link of its name.
var programs = map[string]func(context.Context, *cli.Env) int{
	"ovs-appctl": appctl.Main,
	"ovs-vsctl":  vsctl.Main,
	"vtep-ctl":   vtepctl.Main,
	"ovs-dpctl":  dpctl.Main,
	"ovs-ofctl":  ofctl.Main,
	"ovsdb-tool": ovsdbtool.Main,
	"ovs-ctl":    ctl.Main,

	"ovs-vswitchd": vswitchd.Main,

	"ovs-pcap":           pcap.Main,
	"ovs-tcpundump":      pcap.UndumpMain,
	"ovs-pki":            pki.Main,
	"ovs-testcontroller": testcontroller.Main,
	"ovsdb-client":       ovsdbclient.Main,
	"ovsdb-server":       ovsdbserver.Main,
}

// verbs is the table of what only `weir VERB` does.
var verbs = map[string]func(context.Context, *cli.Env) int{
	"demo": demo.Main,
	"up":   up.Up(ovsdbserver.Main, vswitchd.Main),
	"down": up.Down,
}

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) == 0 {
		return 1
	}
	ctx := context.Background()
	name := filepath.Base(os.Args[0])
	if chosen := programName(name); programs[chosen] != nil {
		env := cli.ProcessEnv(name, os.Args[1:])
		env.Program = chosen
		return programs[chosen](ctx, env)
	}
	if len(os.Args) < 2 {
		usage(os.Stderr)
		return 1
	}
	switch arg := os.Args[1]; arg {
	case "-h", "--help", "help":
		usage(os.Stdout)
		return 0
	case "-V", "--version", "version":
		return cli.ProcessEnv("weir", nil).PrintVersion()
	case "--programs": // for the Makefile, which makes the links
		for _, name := range slices.Sorted(maps.Keys(programs)) {
			fmt.Println(name)
		}
		return 0
	default:
		if program, ok := programs[arg]; ok {
			return program(ctx, cli.ProcessEnv(arg, os.Args[2:]))
		}
		if verb, ok := verbs[arg]; ok {
			return verb(ctx, cli.ProcessEnv("weir", os.Args[2:]))
		}
		fmt.Fprintf(os.Stderr, "weir: no program is called \"%s\"\n", arg)
		usage(os.Stderr)
		return 1
	}
}

// programName picks the program: by the variable that a daemon hands to itself,
// by the file that was executed, by argv[0], in this order. The file comes before
// argv[0] because callers may give that any value (bash's exec -a).
func programName(argv0 string) string {
	for _, name := range []string{os.Getenv(cli.ProgramVariable), filepath.Base(executedFile())} {
		if _, ok := programs[name]; ok {
			return name
		}
	}
	return argv0
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: weir PROGRAM [ARG...]\nor run a link of a program's name. The programs are:\n")
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		fmt.Fprintf(w, "  %s\n", name)
	}
	fmt.Fprintln(w, "Beside them, weir has these of its own:")
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		fmt.Fprintf(w, "  weir %s\n", name)
	}
}

// Package ctl is ovs-ctl(8): it starts, stops and checks the daemons as start-up
// scripts do, creating or upgrading the database first, and keeps OpenFlow flows
// over a restart.
package ctl

import (
	"context"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/version"
)

// Main runs ovs-ctl. Its exit status is 0 on success, also where there was
// nothing to do, and 1 otherwise.
func Main(ctx context.Context, env *cli.Env) int {
	o := defaults()
	command, err := o.parse(env.Args)
	if err != nil {
		return env.Fatal("%v (use --help for help)", err)
	}
	c := &control{env: env, ctx: ctx, opts: o}
	switch command {
	case "help":
		c.usage()
		return 0
	case "--version":
		fmt.Fprintln(env.Stdout, version.Line("ovs-ctl"))
		return 0
	}
	do, ok := commands[command]
	if !ok {
		return env.Fatal("unknown command \"%s\" (use --help for help)", command)
	}
	if err := do(c); err != nil {
		if err == errSilent {
			return 1
		}
		return env.Fatal("%v", err)
	}
	return 0
}

// commands is the table of commands.
var commands = map[string]func(*control) error{
	"start":                      (*control).start,
	"stop":                       func(c *control) error { return c.stop(false) },
	"restart":                    (*control).restart,
	"status":                     (*control).status,
	"version":                    (*control).versions,
	"delete-transient-ports":     (*control).deleteTransientPorts,
	"record-hostname-if-not-set": (*control).recordHostname,
	"load-kmod":                  (*control).loadKmod,
	"force-reload-kmod":          (*control).forceReload,
	"enable-protocol":            (*control).enableProtocol,
	"start-ovs-ipsec":            unsupported("start-ovs-ipsec", "IPsec is not supported yet"),
	"stop-ovs-ipsec":             unsupported("stop-ovs-ipsec", "IPsec is not supported yet"),
}

// errSilent ends with status 1 where the reason is printed already.
var errSilent = fmt.Errorf("failed")

func unsupported(command, cure string) func(*control) error {
	return func(*control) error { return fmt.Errorf("%s is not supported: %s", command, cure) }
}

// control is one run of ovs-ctl. One goroutine owns it.
type control struct {
	env  *cli.Env
	ctx  context.Context
	opts *options
}

// say prints what is being done, with the mark that start-up scripts show.
func (c *control) say(format string, args ...any) {
	fmt.Fprintf(c.env.Stdout, format+".\n", args...)
}

// versions prints the versions of both daemons.
func (c *control) versions() error {
	for _, name := range []string{"ovsdb-server", "ovs-vswitchd"} {
		fmt.Fprintln(c.env.Stdout, version.Line(name))
	}
	return nil
}

// status tells which of the daemons run; it fails where one that should does not.
func (c *control) status() error {
	var stopped bool
	for _, name := range c.daemons() {
		if pid := running(name); pid != 0 {
			fmt.Fprintf(c.env.Stdout, "%s is running with pid %d\n", name, pid)
		} else {
			fmt.Fprintf(c.env.Stdout, "%s is not running\n", name)
			stopped = true
		}
	}
	if stopped {
		return errSilent
	}
	return nil
}

// daemons lists the daemons under control, in the order in which they start.
func (c *control) daemons() []string {
	var names []string
	if c.opts.ovsdbServer {
		names = append(names, "ovsdb-server")
	}
	if c.opts.ovsVswitchd {
		names = append(names, "ovs-vswitchd")
	}
	return names
}

// loadKmod does what there is to do: a data path that needs openvswitch.ko finds
// it by itself, the others need none.
func (c *control) loadKmod() error {
	fmt.Fprintln(c.env.Stdout, noModule)
	return nil
}

// forceReload restarts the daemons, which is what of reloading a module remains
// where there is none; package scripts call it after an upgrade.
func (c *control) forceReload() error {
	if !c.opts.ovsdbServer || !c.opts.ovsVswitchd {
		return fmt.Errorf("force-reload-kmod restarts both daemons: it doesn't go with --no-ovsdb-server or --no-ovs-vswitchd")
	}
	if err := c.loadKmod(); err != nil {
		return err
	}
	return c.restart()
}

func (c *control) usage() {
	fmt.Fprintf(c.env.Stdout, usageText, c.env.Name, c.env.Name)
	for _, line := range optionHelp {
		fmt.Fprintln(c.env.Stdout, strings.TrimRight("  "+line, " "))
	}
}

const usageText = `%s: starts, stops and checks the daemons of Open vSwitch
usage: %s [OPTIONS] COMMAND

Commands:
  start                       start the daemons that don't run yet
  stop                        stop the daemons and forwarding
  restart                     stop and start the daemons; OpenFlow flows are kept,
                              and a data path in the kernel forwards meanwhile
  status                      say whether the daemons run (exit status 0: all do)
  version                     print the versions of the daemons
  load-kmod                   nothing to do: no kernel module is needed
  force-reload-kmod           the same as restart
  enable-protocol             have iptables accept a protocol, unless it has a rule for it
  delete-transient-ports      delete ports with other_config:transient=true
  record-hostname-if-not-set  record the host's name in the database, once
  help                        print this text

Options:
`

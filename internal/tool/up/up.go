// Package up is `weir up` and `weir down`: the database server and the switch in
// one process on a default database, for a laptop or a container. They keep their
// pidfiles and control sockets, so that every tool works against them unchanged.
package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/internal/cli"
	"weir/internal/clock"
	"weir/internal/daemon"
	"weir/internal/memory"
	"weir/internal/paths"
	"weir/internal/tool/ctl"
	"weir/internal/unixctl"
	"weir/internal/vlog"
)

// name is the program's in the pidfile, the control socket and the log.
const name = "weir"

// Daemon is the main function of one of the daemons.
type Daemon func(context.Context, *cli.Env) int

// Up returns the main function of `weir up`, which runs the two daemons given.
func Up(server, vswitch Daemon) Daemon {
	return func(ctx context.Context, env *cli.Env) int {
		u := &up{ctx: ctx, env: env, server: server, vswitch: vswitch}
		return u.main()
	}
}

// up is one `weir up`. The goroutine of main owns it.
type up struct {
	ctx             context.Context
	env             *cli.Env
	server, vswitch Daemon

	options    daemon.Options
	foreground bool
}

func (u *up) main() int {
	u.env.Name, u.env.Program = name, name
	u.options = daemon.Options{Pidfile: true, Network: true}
	p := &cli.Parser{Options: append(u.options.CLI(),
		cli.Option{Long: "foreground", Set: func(string) error { u.foreground = true; return nil }},
		cli.Help(func(env *cli.Env) { fmt.Fprintf(env.Stdout, usage, daemon.Usage(name), cli.LogUsage(name)) }))}
	return p.Start(u.env, func(_ []cli.Parsed, words []string) int { return u.begin(words) })
}

// begin becomes a daemon, unless it is to stay in the foreground, and runs both.
func (u *up) begin(words []string) int {
	if len(words) > 0 {
		return u.env.Fatal("up: unexpected argument \"%s\" (it takes none)", words[0])
	}
	u.options.Detach = !u.foreground
	vlog.SetLevel(nil, vlog.Syslog, vlog.Err)
	if u.options.Detach {
		vlog.SetLevel(nil, vlog.Console, vlog.Warn)
	}
	// A child of ours shall see the same words after "weir".
	u.env.Args = append([]string{"up"}, u.env.Args...)
	if err := os.MkdirAll(paths.RunDir(), 0o755); err != nil {
		return u.env.Fatal("%v", err)
	}
	process, status := u.options.Start(u.env)
	if process == nil {
		return status
	}
	defer process.Close()
	if err := u.run(process); err != nil {
		return u.env.Exit(err)
	}
	return 0
}

func (u *up) run(p *daemon.Process) error {
	control, err := p.Control(name, "")
	if err != nil {
		return err
	}
	go control.Serve()
	file, socket, err := ctl.PrepareDatabase(u.ctx, u.env)
	if err != nil {
		return err
	}
	if vlog.LogFile() == "" {
		if err := vlog.SetLogFile(name + ".log"); err != nil {
			return cli.Silent{Status: 1} // the log has told it
		}
	}
	keeper := memory.Keep(clock.New(), memory.Switch)
	defer keeper.Stop()
	ended := make(chan error, 2)
	if started, err := u.startBoth(p, ended, file, socket); err != nil {
		// Whoever asks for the end before the beginning is over gets it: what then
		// fails on the way is no failure.
		if started > 0 && p.Context().Err() != nil {
			return settle(ended, started)
		}
		return err
	}
	fmt.Fprintf(u.env.Stdout, "Database %s and switch are up in process %d: ovs-vsctl and all other tools work now.\n`weir down` ends them.\n",
		file, os.Getpid())
	p.Ready()
	select {
	case <-p.Context().Done():
		return settle(ended, 2)
	case err := <-ended:
		return err
	}
}

// startBoth starts the database server on a file and at a socket, and then the
// switch. Their ends are told to ended. Of its error, started is how many daemons
// are to be waited for.
func (u *up) startBoth(p *daemon.Process, ended chan<- error, file, socket string) (started int, err error) {
	if err := u.start(p, ended, "ovsdb-server", u.server, []string{file, "--remote=punix:" + socket,
		"--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
		"--private-key=db:Open_vSwitch,SSL,private_key",
		"--certificate=db:Open_vSwitch,SSL,certificate",
		"--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert", "--pidfile"}); err != nil {
		return 0, err
	}
	if err := u.describe(); err != nil {
		return 1, err
	}
	return 2, u.start(p, ended, "ovs-vswitchd", u.vswitch, []string{"unix:" + socket, "--pidfile"})
}

// settle waits until the daemons that were started have ended, for as long as
// ovs-ctl would.
func settle(ended <-chan error, started int) error {
	patience := time.After(5 * time.Second)
	for range started {
		select {
		case <-ended:
		case <-patience:
			return errors.New("a daemon does not end; leaving all the same")
		}
	}
	return nil
}

// describe records what describes the system. What it prints on the way is of no
// interest here unless it fails.
func (u *up) describe() error {
	env := *u.env
	var said bytes.Buffer
	env.Stdout = &said
	return ctl.DescribeSystem(u.ctx, &env)
}

// start runs a daemon in this process and waits until it serves. Its end is told
// to ended.
func (u *up) start(p *daemon.Process, ended chan<- error, name string, main Daemon, args []string) error {
	env, ready := p.Guest(u.env, name, args)
	early := make(chan int, 1)
	go func() {
		status := main(p.Context(), env)
		early <- status
		ended <- fmt.Errorf("%s has ended with status %d", name, status)
	}()
	select {
	case <-ready:
		return nil
	case status := <-early:
		return cli.Silent{Status: max(status, 1)} // it has told why
	case <-p.Context().Done():
		return errors.New("asked to exit while starting")
	}
}

// Down is the main function of `weir down`.
func Down(_ context.Context, env *cli.Env) int {
	env.Name = name
	if len(env.Args) > 0 {
		if env.Args[0] == "-h" || env.Args[0] == "--help" {
			fmt.Fprintln(env.Stdout, "weir down: ends database and switch\nusage: weir down\nEnds the database and the switch that `weir up` started.")
			return 0
		}
		return env.Fatal("down: unexpected argument \"%s\" (it takes none)", env.Args[0])
	}
	pidfile := paths.InRunDir(name + ".pid")
	if _, err := os.Stat(pidfile); err != nil {
		return env.Fatal("down: nothing is up here: there is no %s", pidfile)
	}
	vlog.SetLevel(nil, vlog.Console, vlog.Off)
	client, err := dial()
	if err != nil {
		return env.Fatal("down: %v", err)
	}
	defer client.Close()
	if _, remote, err := client.Transact("exit", nil); remote != nil || err != nil {
		return env.Fatal("down: %v", errors.Join(remote, err))
	}
	for range 1500 {
		if _, err := os.Stat(pidfile); err != nil {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return env.Fatal("down: the switch does not end (see %s)", paths.InLogDir(name+".log"))
}

// dial connects to the process that is up, also while it is only about to open
// its control socket.
func dial() (client *unixctl.Client, err error) {
	for range 100 {
		if client, err = unixctl.Dial(name); err == nil {
			return client, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, err
}

const usage = `weir up: database and switch in one process
usage: weir up [OPTIONS]
Runs in the background until ` + "`weir down`" + `.

Options:
  --foreground            stay in the foreground
%s%s
Other options:
  -h, --help              display this help message
`

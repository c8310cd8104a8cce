package daemon

import (
	"context"

	"weir/internal/cli"
)

// guest is what a daemon that runs inside another daemon's process finds in its
// environment.
type guest struct {
	host  *Process
	ready chan struct{}
}

// Guest returns an environment in which another daemon's main function can run
// inside this process: it writes its own pidfile and control socket and ends with
// this one, but leaves detaching and signals to it. ready is closed once it
// serves.
func (p *Process) Guest(env *cli.Env, name string, args []string) (guestEnv *cli.Env, ready <-chan struct{}) {
	g := &guest{host: p, ready: make(chan struct{})}
	inner := *env
	inner.Name, inner.Program, inner.Args, inner.Host = name, name, args, g
	return &inner, g.ready
}

// startGuest is Start inside another daemon.
func (o *Options) startGuest(g *guest, pidfile string) (*Process, error) {
	if pidfile != "" && !o.OverwritePidfile {
		if err := checkPidfile(pidfile); err != nil {
			return nil, err
		}
	}
	for _, option := range o.logging {
		if err := option.apply(option.value); err != nil {
			return nil, err
		}
	}
	p := &Process{options: &Options{}, role: role{guest: g}}
	p.ctx, p.cancel = context.WithCancel(g.host.ctx)
	g.host.AtExit(p.Close)
	if pidfile != "" {
		if err := p.writePidfile(pidfile); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// IsGuest reports whether the daemon runs inside another one's process.
func (p *Process) IsGuest() bool { return p.role.guest != nil }

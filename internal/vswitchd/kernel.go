package vswitchd

import (
	"context"
	"maps"
	"slices"
	"syscall"

	"weir/internal/datapath/ebpf"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/internal/ofproto"
	"weir/internal/vlog"
)

// hostDevices are the kinds of device of this machine, for the data path
// behind a type.
func (c *composer) hostDevices(typ string) netdev.Providers {
	switch {
	case c.host == nil:
		return nil
	case typ != "netdev" && !c.isDummy(typ) && c.kernelChoice(typ).kind == "ebpf":
		return c.host.KernelProviders(c.owners[typ])
	}
	return c.host.Providers()
}

// router finds the next hops of in-band control, nil with
// --disable-system-route.
func (c *composer) router() ofproto.Router {
	if c.host == nil || c.providers.NoRoutes {
		return nil
	}
	return c.host.NextHop
}

// followLinks hears of devices that come, go or change in the kernel, until
// the switch ends.
func (c *composer) followLinks() {
	if c.host == nil {
		return
	}
	c.host.OnChange(c.sw.linksChanged)
	c.sw.workers = append(c.sw.workers, worker{"listening to changes of network devices", c.host.Run})
}

// followRoutes hears of the routes and addresses by which tunnels of the user-space
// data path leave, until the switch ends; a change of them, or of neighbours, has
// flows looked at again.
func (c *composer) followRoutes() {
	r := c.reach
	r.Routes.OnChange(c.sw.reachChanged)
	r.Neighbours.OnChange(c.sw.reachChanged)
	c.dummies.OnAddresses(r.Routes.SetAddresses)
	if c.host == nil && c.providers.NoRoutes {
		return
	}
	c.sw.workers = append(c.sw.workers, worker{"listening to changes of routes", func(ctx context.Context) error {
		return linux.FollowRoutes(ctx, r.Routes, !c.providers.NoRoutes)
	}})
}

// reachChanged has the flows looked at again that leave through tunnels. Any
// goroutine may call it.
func (s *Switch) reachChanged() {
	for _, p := range s.providersNow() {
		p.ReachChanged()
	}
}

// linksChanged looks again at the devices that were missing and those that may
// be gone. Any goroutine may call it.
func (s *Switch) linksChanged() {
	for _, p := range s.providers() {
		if d, ok := p.dp.(*ebpf.DP); ok {
			d.DevicesChanged()
		}
	}
	s.loop.Post(func() {
		for _, i := range s.ifaces {
			if g, ok := i.dev.(interface{ Gone() bool }); ok && g.Gone() {
				s.closeInterface(i)
				s.configureBundle(i.port)
				s.failInterface(i, "could not open network device "+i.conf.Name+" ("+vlog.Strerror(syscall.ENODEV)+")")
			}
		}
		s.retry = slices.Collect(maps.Keys(s.failed))
		s.retryFailed()
		s.checkPatches()
		s.refresh()
	})
}

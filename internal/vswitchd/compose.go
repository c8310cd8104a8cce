package vswitchd

import (
	"runtime"
	"slices"

	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/netdev/linux"
	"weir/internal/netdev/patch"
	"weir/internal/ofproto"
	"weir/internal/upcall"
	"weir/internal/vlog"
)

// DummyMode says how far dummies stand in for the real thing
// (ovs-vswitchd --enable-dummy).
type DummyMode uint8

// Modes of --enable-dummy.
const (
	DummyOff      DummyMode = iota
	DummyEnabled            // types "dummy" beside the others
	DummySystem             // also in the place of "system"
	DummyOverride           // also in the place of every type that needs the kernel
)

// Providers chooses the kinds of data path and device.
type Providers struct {
	Dummy    DummyMode
	NoSystem bool // leave out what needs the kernel (--disable-system)
	NoRoutes bool // don't use the host's routes (--disable-system-route)
}

// composer makes data paths and devices.
type composer struct {
	providers Providers
	opts      *Options
	dummies   *dummy.Set
	host      *linux.Host // nil with --disable-system
	sw        *Switch
}

// Compose makes a switch of the kinds of data path and device that this
// program has.
func Compose(p Providers, o Options) *Switch {
	c := &composer{providers: p, opts: &o, dummies: dummy.NewSet(o.Clock)}
	if !p.NoSystem {
		c.host = linux.NewHost()
	}
	types := []string{"netdev", "system"}
	if p.Dummy != DummyOff {
		types = append(types, "dummy")
	}
	for _, typ := range types {
		o.Datapaths = append(o.Datapaths, DatapathType{typ, func() (Backend, error) { return c.open(typ) }})
	}
	o.Devices = c.devices
	for _, typ := range types {
		o.InterfaceTypes = append(o.InterfaceTypes, c.devices(typ).Types()...)
	}
	slices.Sort(o.InterfaceTypes)
	o.InterfaceTypes = slices.Compact(o.InterfaceTypes)
	c.sw = New(o)
	c.sw.dummies = c.dummies
	c.sw.dpctl = c.registerDPCtl
	c.followLinks()
	return c.sw
}

// isDummy reports whether the dummy data path stands behind a type.
func (c *composer) isDummy(typ string) bool {
	switch c.providers.Dummy {
	case DummyOverride:
		return true
	case DummySystem:
		return typ == "dummy" || typ == "system"
	case DummyEnabled:
		return typ == "dummy"
	}
	return false
}

// devices are the kinds of device that bridges of a data path type can have.
func (c *composer) devices(typ string) netdev.Providers {
	ps := netdev.Providers{patch.Provider()}
	internal := c.dummies.Provider("dummy-internal")
	internal.Type = "internal"
	switch c.providers.Dummy {
	case DummyOverride:
		ps = append(ps, internal, c.dummies.Provider("system"), c.dummies.Provider("tap"))
	case DummySystem:
		ps = append(ps, c.dummies.Provider("system"))
	}
	if c.isDummy(typ) {
		ps = append(ps, internal)
	}
	if c.providers.Dummy != DummyOff {
		ps = append(ps, c.dummies.Providers()...)
	}
	return append(ps, c.kernelDevices()...)
}

// provider is a data path with its bridges.
type provider struct {
	*ofproto.Backend
	dp    *userspace.DP
	local netdev.Device
}

// NewBridge makes a bridge.
func (p *provider) NewBridge(cfg ofproto.Config) (Bridge, error) {
	b, err := p.Backend.NewBridge(cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Close ends everything behind the data path.
func (p *provider) Close() {
	p.Backend.Close()
	if err := p.dp.Close(); err != nil {
		log.Warn("%s: closing the data path: %v", p.dp.Name(), err)
	}
	if p.local != nil {
		_ = p.local.Close()
	}
}

// open makes the data path of a type. The type "system" is openvswitch.ko's,
// or one of eBPF programs; until there is one of them the data path in this
// process stands in, which is said in the log.
func (c *composer) open(typ string) (Backend, error) {
	conf := userspace.Config{Type: typ, Name: "ovs-" + typ, Clock: c.opts.Clock, Workers: runtime.NumCPU()}
	p := &provider{}
	if c.isDummy(typ) {
		dev, err := c.dummies.Provider("dummy-internal").Open(conf.Name, nil)
		if err != nil {
			return nil, err
		}
		conf.Synchronous, conf.Local, p.local = true, dev, dev
	} else if typ == "system" {
		vlog.For("dpif").Info("no data path in the kernel is available yet: the one in user space stands in for datapath_type \"system\"")
	}
	dp, err := userspace.New(conf)
	if err != nil {
		return nil, err
	}
	p.dp = dp
	p.Backend = ofproto.NewBackend(ofproto.Options{
		Datapath: dp, Clock: c.opts.Clock, Stream: c.opts.Stream, RunDir: c.opts.RunDir,
		Upcall: upcallConfig(c.sw.other), Router: c.router(),
	})
	p.SetBundleIdleTimeout(bundleTimeout(c.sw.other))
	dp.Start()
	p.Start()
	return p, nil
}

var _ datapath.Datapath = (*userspace.DP)(nil)

// upcallConfig reads the limits of revalidation out of other_config.
func upcallConfig(other map[string]string) upcall.Config {
	ms := func(key string, def, min int64) int64 { return intOption(other, key, def, min, 1<<31) }
	return upcall.Config{
		FlowLimit:     int(intOption(other, "flow-limit", 200000, 0, 1<<31)),
		MaxIdle:       millis(ms("max-idle", 10000, 500)),
		MaxRevalidate: millis(ms("max-revalidator", 500, 100)),
	}
}

package vswitchd

import (
	"os"
	"slices"

	"weir/internal/datapath/ebpf"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/netdev/linux"
	"weir/internal/netdev/patch"
	"weir/internal/numa"
	"weir/internal/tunnel"
	"weir/internal/tunnel/neigh"
	"weir/internal/tunnel/route"
	"weir/internal/upcall"
	"weir/internal/vlog"
	"weir/internal/xlate"
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
	// Topology is the cores that threads of data paths run on; without any, the
	// host's count.
	Topology numa.Topology
}

// composer makes data paths and devices.
type composer struct {
	providers Providers
	opts      *Options
	dummies   *dummy.Set
	host      *linux.Host // nil with --disable-system
	probes    *ebpf.Probes
	discarded bool                   // what no bridge uses is gone
	fallen    map[string]string      // why the eBPF data path of a type could not be opened
	owners    map[string]linux.Owner // of the devices of data paths in the kernel, by type
	reach     *xlate.Reach
	sw        *Switch
}

// Compose makes a switch of the kinds of data path and device that this
// program has.
func Compose(p Providers, o Options) *Switch {
	if len(p.Topology.Cores) == 0 {
		p.Topology = numa.Host(os.DirFS("/sys"))
	}
	logTopology(&p.Topology)
	c := &composer{providers: p, opts: &o, dummies: dummy.NewSet(o.Clock), probes: new(ebpf.Probes), fallen: map[string]string{}, owners: map[string]linux.Owner{}}
	c.reach = &xlate.Reach{Routes: route.NewTable(), Neighbours: neigh.New(), Egress: new(tunnel.EgressPorts)}
	if !p.NoSystem {
		c.host = linux.NewHost()
	}
	types := []string{"netdev", "system"}
	if !p.NoSystem {
		types = append(types, "ebpf")
	}
	if p.Dummy != DummyOff {
		types = append(types, "dummy")
	}
	for _, typ := range types {
		o.Datapaths = append(o.Datapaths, DatapathType{typ, func() (Backend, error) { return c.open(typ) }})
	}
	o.Devices = c.devices
	for _, typ := range types {
		o.InterfaceTypes = append(o.InterfaceTypes, c.offered(typ)...)
	}
	slices.Sort(o.InterfaceTypes)
	o.InterfaceTypes = slices.Compact(o.InterfaceTypes)
	o.Settled = c.discardLeftovers
	c.sw = New(o)
	c.sw.dummies, c.sw.reach = c.dummies, c.reach
	c.sw.dpctl = c.registerDPCtl
	c.followLinks()
	c.followRoutes()
	return c.sw
}

// logTopology says which cores there are.
func logTopology(t *numa.Topology) {
	l := vlog.For("ovs_numa")
	nodes := t.Nodes()
	for _, n := range nodes {
		cores := 0
		for _, c := range t.Cores {
			if c.Node == n {
				cores++
			}
		}
		l.Info("Discovered %d CPU cores on NUMA node %d", cores, n)
	}
	l.Info("Discovered %d NUMA nodes and %d CPU cores", len(nodes), len(t.Cores))
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
	ps = append(ps, c.tunnels(typ)...)
	return append(ps, c.hostDevices(typ)...)
}

// upcallConfig reads the limits of revalidation out of other_config.
func upcallConfig(other map[string]string) upcall.Config {
	ms := func(key string, def, min int64) int64 { return intOption(other, key, def, min, 1<<31) }
	return upcall.Config{
		FlowLimit:     int(intOption(other, "flow-limit", 200000, 0, 1<<31)),
		MaxIdle:       millis(ms("max-idle", 10000, 500)),
		MaxRevalidate: millis(ms("max-revalidator", 500, 100)),
		MinPPS:        int(intOption(other, "min-revalidate-pps", 5, 1, 1<<31-1)),
	}
}

package vswitchd

import (
	"fmt"
	"runtime"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev"
	"weir/internal/ofproto"
	"weir/internal/vlog"
)

// keeper is a data path whose forwarding can go on when the process ends, and
// that takes over what an earlier process left behind.
type keeper interface {
	// Settle says that all ports are there: what else was adopted may go.
	Settle()
	// Destroy is Close that leaves nothing behind.
	Destroy() error
}

// provider is a data path with its bridges.
type provider struct {
	*ofproto.Backend
	dp    datapath.Datapath
	local netdev.Device
	// chosen says what kind of data path it is, and why that one.
	chosen choice
	// probed is what the kernel was asked for, for that choice; nil: nothing.
	probed []ebpf.Feature
}

// choice is the kind of data path behind a type of bridge.
type choice struct {
	kind   string // "ebpf" or "userspace"; empty: there was no choice
	reason string // why it isn't what was asked for; empty: it is
}

// NewBridge makes a bridge.
func (p *provider) NewBridge(cfg ofproto.Config) (Bridge, error) {
	b, err := p.Backend.NewBridge(cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Status is for Bridge.status: where there was a choice, which data path it is,
// and why.
func (p *provider) Status() map[string]string {
	m := map[string]string{}
	if p.chosen.kind != "" {
		m["datapath"] = p.chosen.kind
	}
	if p.chosen.reason != "" {
		m["datapath_reason"] = p.chosen.reason
	}
	return m
}

// tune tells the data path's threads and caches what other_config of the
// Open_vSwitch row says.
func (p *provider) tune(other map[string]string) {
	if t, ok := p.dp.(datapath.Tuner); ok {
		t.Tune(other)
	}
}

// tunePort does the same for other_config of an interface's row.
func (p *provider) tunePort(name string, other map[string]string) {
	if t, ok := p.dp.(datapath.Tuner); ok {
		t.TunePort(name, other)
	}
}

// Settle says that what the database wants has been made.
func (p *provider) Settle() {
	if k, ok := p.dp.(keeper); ok {
		p.Engine().Release() // first, so that what Settle brings up is answered
		k.Settle()
	}
}

// Keeps reports whether forwarding goes on after Leave.
func (p *provider) Keeps() bool {
	_, ok := p.dp.(keeper)
	return ok
}

// Leave ends this process's part of the data path; flows and ports stay.
func (p *provider) Leave() {
	p.Backend.Leave()
	if err := p.dp.Close(); err != nil {
		log.Warn("%s: leaving the data path: %v", p.dp.Name(), err)
	}
}

// Close ends everything behind the data path.
func (p *provider) Close() {
	p.Backend.Close()
	end := p.dp.Close
	if k, ok := p.dp.(keeper); ok {
		end = k.Destroy
	}
	if err := end(); err != nil {
		log.Warn("%s: closing the data path: %v", p.dp.Name(), err)
	}
	p.CloseUnderlays()
	if p.local != nil {
		_ = p.local.Close()
	}
}

// open makes the data path of a type, with what serves its bridges.
func (c *composer) open(typ string) (Backend, error) {
	p := &provider{}
	if err := c.choose(typ, p); err != nil {
		return nil, err
	}
	p.Backend = ofproto.NewBackend(ofproto.Options{
		Datapath: p.dp, Clock: c.opts.Clock, Stream: c.opts.Stream, RunDir: c.opts.RunDir,
		Upcall: upcallConfig(c.sw.other), Router: c.router(), Reach: c.reach, DevicesFirst: c.inKernel(typ),
	})
	p.SetBundleIdleTimeout(bundleTimeout(c.sw.other))
	p.tune(c.sw.other)
	if p.Keeps() {
		p.Engine().Hold() // until the ports are there that its flows name
	}
	p.dp.(interface{ Start() }).Start()
	p.Start()
	return p, nil
}

// choose opens the data path behind a type. The types "system" and "ebpf" are
// eBPF programs in the kernel where it can run them, else user space.
func (c *composer) choose(typ string, p *provider) (err error) {
	conf := userspace.Config{Type: typ, Name: "ovs-" + typ, Clock: c.opts.Clock, Workers: runtime.NumCPU(), Topology: c.providers.Topology, Egress: c.egress()}
	switch {
	case c.isDummy(typ):
		p.local, err = c.dummies.Provider("dummy-internal").Open(conf.Name, nil)
		if err != nil {
			return err
		}
		conf.Synchronous, conf.Local = true, p.local
	case typ == "netdev":
	default:
		p.chosen = c.kernelChoice(typ)
		if c.host != nil {
			p.probed = c.probes.All()
		}
		if p.chosen.kind == "ebpf" {
			p.dp, err = c.openEBPF(typ)
			if err == nil {
				return nil
			}
			p.chosen = choice{"userspace", err.Error()}
			c.fallen[typ] = p.chosen.reason
		}
		c.discard(typ)
		vlog.For("dpif").Info("datapath_type \"%s\": the data path in user space stands in for the one in the kernel: %s", typ, p.chosen.reason)
	}
	p.dp, err = userspace.New(conf)
	return err
}

func (c *composer) openEBPF(typ string) (datapath.Datapath, error) {
	dp, err := ebpf.New(ebpf.Config{
		Type: typ, Name: "ovs-" + typ, RunDir: c.opts.RunDir, Clock: c.opts.Clock, Probes: c.probes,
		MaxFlows: int(intOption(c.sw.other, "ebpf-max-flows", 0, 0, 1<<24)),
	})
	if err != nil {
		return nil, fmt.Errorf("eBPF programs can't be loaded: %w", err)
	}
	c.owners[typ] = dp.Owner()
	vlog.For("dpif").Info("datapath_type \"%s\": eBPF programs in the kernel forward", typ)
	return dp, nil
}

// kernelChoice is what stands behind the types "system" and "ebpf".
func (c *composer) kernelChoice(typ string) choice {
	switch {
	case c.fallen[typ] != "":
		return choice{"userspace", c.fallen[typ]}
	case c.host == nil:
		return choice{"userspace", "--disable-system was given"}
	}
	if err := c.probes.Available(); err != nil {
		return choice{"userspace", err.Error()}
	}
	return choice{kind: "ebpf"}
}

// discardLeftovers removes what an earlier process left in the kernel of data
// paths that no bridge uses any more.
func (c *composer) discardLeftovers() {
	if c.discarded || c.host == nil {
		return
	}
	c.discarded = true
	for _, typ := range []string{"system", "ebpf"} {
		if c.sw.backends[typ] == nil {
			c.discard(typ)
		}
	}
}

// discard removes what an earlier process left in the kernel of a data path, whose
// programs would go on forwarding beside what forwards now.
func (c *composer) discard(typ string) {
	if c.host == nil {
		return
	}
	if err := ebpf.Discard("ovs-"+typ, c.opts.RunDir); err != nil {
		log.Warn("removing what is left of the data path ovs-%s: %v", typ, err)
	}
}

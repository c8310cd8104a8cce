package vswitchd

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/coverage"
	"weir/internal/loop"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/stream"
	"weir/internal/unixctl"
	"weir/internal/vlog"
	"weir/internal/xlate"
)

var log = vlog.For("bridge")

// Options are what a Switch is made of.
type Options struct {
	Database  string // connection method of the database
	Clock     *clock.Clock
	Loop      *loop.Loop
	Stream    stream.Options
	Datapaths []DatapathType
	// Settled, when not nil, is called whenever all is there that the database
	// wants.
	Settled func()
	// Devices opens the interfaces of a data path type.
	Devices func(datapathType string) netdev.Providers
	// InterfaceTypes are all the types of interface known.
	InterfaceTypes []string
	RunDir         string
	// Ready is called once the first configuration is in force.
	Ready func()
}

// Switch keeps the bridges as the database wants them. The loop owns all its
// fields.
type Switch struct {
	opts     Options
	clock    *clock.Clock
	loop     *loop.Loop
	db       *client.Client
	desired  *Desired
	other    map[string]string // Open_vSwitch.other_config in force
	managers []netip.AddrPort  // that bridges carry traffic of

	backends map[string]*backend // by data path type, while in use
	// inUse are the providers among the backends, for those who don't want to
	// wait for the loop.
	inUse   atomic.Pointer[[]*provider]
	bridges map[ovsdb.UUID]*bridge
	byName  map[string]*bridge
	ports   map[ovsdb.UUID]*port
	ifaces  map[string]*iface // by name
	patches map[string]*iface // the patch ports among them
	failed  map[*iface]bool   // to be tried again by the next run
	retry   []*iface          // by this run
	moved   map[*bridge]bool  // whose devices came, went or changed

	writer     writer
	seen       *client.Snapshot
	ready      bool
	closed     bool
	connected  bool
	contended  bool
	restoring  bool // flow-restore-wait
	posted     bool // a run is waiting on the loop
	ticker     *clock.Timer
	nextStats  time.Time
	statsEvery time.Duration // as nextStats was set by
	vlanLimit  int           // in force; -1 before the first configuration
	unsent     unsent
	missing    map[string]bool       // unsupported features that were reported
	dummies    *dummy.Set            // nil: none
	reach      *xlate.Reach          // nil: none
	dpctl      func(*unixctl.Server) // registers dpctl/, nil: none
	workers    []worker
}

// New prepares a switch. It does nothing until Run.
func New(o Options) *Switch {
	s := &Switch{
		opts: o, clock: o.Clock, loop: o.Loop,
		desired:  NewDesired(),
		backends: map[string]*backend{},
		bridges:  map[ovsdb.UUID]*bridge{},
		byName:   map[string]*bridge{},
		ports:    map[ovsdb.UUID]*port{},
		ifaces:   map[string]*iface{},
		patches:  map[string]*iface{},
		failed:   map[*iface]bool{},
		moved:    map[*bridge]bool{},
		missing:  map[string]bool{},
	}
	s.vlanLimit = -1
	s.writer = newWriter(s)
	s.db = client.New(client.Config{
		Remote: o.Database, Database: "Open_vSwitch", Tables: tablesRead,
		Lock: "ovs_vswitchd", Clock: o.Clock, Stream: o.Stream,
		Notify: s.Poke,
	})
	return s
}

// tablesRead is what the switch reads of the database. What it only writes
// isn't monitored, so that its own status doesn't come back to it.
var tablesRead = map[string][]string{
	"Open_vSwitch": {"bridges", "next_cfg", "cur_cfg", "other_config", "external_ids", "datapaths",
		"iface_types", "datapath_types", "dpdk_initialized", "dpdk_version", "ssl", "manager_options"},
	"Manager": {"target", "connection_mode"},
	"Bridge": {"name", "datapath_type", "datapath_id", "datapath_version", "fail_mode", "protocols", "controller",
		"flood_vlans", "flow_tables", "other_config", "ports", "stp_enable", "rstp_enable",
		"mcast_snooping_enable", "mirrors", "netflow", "sflow", "ipfix", "auto_attach"},
	"Port": {"name", "interfaces", "tag", "trunks", "cvlans", "vlan_mode", "mac", "protected", "bond_mode",
		"lacp", "qos", "other_config", "fake_bridge"},
	"Interface": {"name", "type", "options", "other_config", "ofport", "ofport_request", "mac", "mtu_request", "error",
		"ingress_policing_rate", "ingress_policing_kpkts_rate", "bfd", "cfm_mpid", "lldp"},
	"Controller": {"target", "type", "connection_mode", "max_backoff", "inactivity_probe", "enable_async_messages",
		"controller_rate_limit", "controller_burst_limit", "controller_queue_size",
		"local_ip", "local_netmask", "local_gateway", "other_config"},
	"Mirror": {"name", "select_all", "select_src_port", "select_dst_port", "select_vlan", "output_port", "output_vlan",
		"snaplen", "filter"},
	"QoS":                       {"queues"},
	"Queue":                     {"dscp"},
	"Flow_Sample_Collector_Set": {"bridge"},
	"Flow_Table":                {"name", "flow_limit", "overflow_policy", "groups", "prefixes"},
	"SSL":                       nil,
	"Datapath":                  {"ct_zones", "ct_zone_default_limit"},
}

// Run keeps the switch until ctx ends; an error says why it can't. The loop must be
// running.
func (s *Switch) Run(ctx context.Context) error {
	s.loop.Call(s.tick)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, w := range s.workers {
		wg.Go(func() { w.keep(ctx, s.clock) })
	}
	if err := s.db.Run(ctx); ctx.Err() == nil {
		return fmt.Errorf("database %q: %w", s.opts.Database, err)
	}
	return nil
}

// Poke has the switch look at the database and its devices soon. Any
// goroutine may call it.
func (s *Switch) Poke() {
	s.loop.Post(func() {
		if !s.posted {
			s.posted = true
			s.loop.Post(func() {
				s.posted = false
				s.run()
			})
		}
	})
}

// statusInterval is how often devices and controllers are looked at for
// changes of status.
const statusInterval = 100 * time.Millisecond

func (s *Switch) tick() {
	if s.closed {
		return
	}
	s.refresh()
	if s.reach != nil {
		s.reach.Neighbours.Expire(s.clock.Now())
	}
	s.ticker = s.loop.AfterFunc(statusInterval, s.tick)
}

// run brings the switch to the newest snapshot.
func (s *Switch) run() {
	if s.closed {
		return
	}
	st := s.db.Status()
	if st.Contended != s.contended {
		s.contended = st.Contended
		if st.Contended {
			log.Err("another ovs-vswitchd process is running, disabling this process (pid %d) until it goes away", os.Getpid())
		}
	}
	if !st.HasLock {
		s.connected = false
		return
	}
	if !s.connected {
		s.connected = true
		s.writer.forget() // the server may have lost what was ephemeral
	}
	if snap := s.db.Snapshot(); snap != s.seen {
		s.seen = snap
		s.reconcile(snap)
	}
	s.writer.flush()
}

var coverReconfigure = coverage.New("bridge_reconfigure")

// reconcile makes what changed in the database be so.
func (s *Switch) reconcile(snap *client.Snapshot) {
	was := s.desired.snap
	ch := s.desired.Update(snap)
	if !ch.Empty() {
		coverReconfigure.Inc()
		if ch.Open {
			s.configureOpen()
		}
		s.apply(ch)
		if open := s.desired.Open; open != nil {
			s.writer.curCfg(open)
			s.writer.identity(open)
			s.capabilities()
		}
		s.refresh()
		s.settle()
	}
	s.writer.forgetGone(was, snap)
	if !s.ready {
		// Also an empty database is a configuration.
		s.ready = true
		s.writer.flush()
		if s.opts.Ready != nil {
			s.opts.Ready()
		}
	}
}

// maxReported bounds what is remembered of what was reported: configurations change
// for ever.
const maxReported = 4096

// report logs once what is asked for in vain.
func (s *Switch) report(object string, list []note) {
	for _, n := range list {
		text := fmt.Sprintf("%s: %s", object, n.text)
		if !s.missing[text] {
			if len(s.missing) >= maxReported {
				clear(s.missing)
			}
			s.missing[text] = true
			log.Info("%s", text)
		}
	}
}

// Close takes the bridges down. With cleanup, also what would otherwise stay
// behind for the next process. It must not be called on the loop, nor while somebody
// may still ask the switch for something: its control socket is closed before.
func (s *Switch) Close(cleanup bool) {
	s.loop.Call(func() {
		s.closed = true
		if s.ticker != nil {
			s.ticker.Stop()
		}
		s.leaveBackends(cleanup)
		for _, b := range s.bridges {
			s.deleteBridge(b)
		}
		s.closeUnusedBackends()
	})
}

// leaveBackends gives up the data paths that forward on for the next process, with
// their bridges; with cleanup there are none.
func (s *Switch) leaveBackends(cleanup bool) {
	for typ, be := range s.backends {
		p, ok := be.Backend.(*provider)
		if !ok || !p.Keeps() || cleanup {
			continue
		}
		p.Leave()
		for id, b := range s.bridges {
			if b.backend == be {
				delete(s.bridges, id)
				delete(s.byName, b.conf.Name)
			}
		}
		delete(s.backends, typ)
	}
	s.publishBackends()
}

// Unlisten takes the bridges' sockets away, for a process that dies without Close.
// Any goroutine may call it.
func (s *Switch) Unlisten() {
	if inUse := s.inUse.Load(); inUse != nil {
		for _, p := range *inUse {
			p.Unlisten()
		}
	}
}

// settle lets the data paths forget what an earlier process left behind and
// nobody claimed, once all is there that the database wants, and flows that are
// being restored.
func (s *Switch) settle() {
	if s.restoring {
		return
	}
	for _, be := range s.backends {
		if p, ok := be.Backend.(*provider); ok {
			p.Settle()
		}
	}
	if s.opts.Settled != nil {
		s.opts.Settled()
	}
}

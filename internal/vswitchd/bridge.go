package vswitchd

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/netdev"
	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/ovsdb"
	"weir/internal/packet"
	"weir/internal/vlog"
)

// DatapathType is a kind of data path that bridges can ask for.
type DatapathType struct {
	// Name is as in Bridge.datapath_type; the empty string means "system".
	Name string
	// Open makes the one data path of this type.
	Open func() (Backend, error)
}

// Backend is a data path with what serves all bridges on it.
type Backend interface {
	NewBridge(ofproto.Config) (Bridge, error)
	Close()
}

// Bridge is what this package asks of a bridge object, an *ofproto.Bridge.
// The loop calls all its methods.
type Bridge interface {
	Configure(ofproto.Config) error
	SetControllers([]ofproto.ControllerConfig)
	ControllerStatus() map[string]ofproto.ControllerStatus
	ReconnectControllers()
	// AddPort adds a device and returns its OpenFlow number: the one asked for
	// if it is free, else another one.
	AddPort(ofproto.PortConfig) (openflow.PortNo, error)
	// DelPort removes a port; its device stays open.
	DelPort(openflow.PortNo) error
	SetPeer(no openflow.PortNo, peer string) error
	SetBundle(ofproto.BundleConfig) error
	DelBundle(name string)
	PortStats(openflow.PortNo) (netdev.Stats, error)
	MirrorStats() map[string]ofproto.MirrorStats
	// Refresh looks for changes of the ports' devices.
	Refresh()
	// Destroy takes the bridge down.
	Destroy()
}

// backend is a data path in use.
type backend struct {
	Backend
	typ     string
	devices netdev.Providers
	users   int // bridges
}

// bridge is an actual bridge.
type bridge struct {
	conf        *BridgeConf
	obj         Bridge
	backend     *backend
	ports       map[ovsdb.UUID]*port
	ofports     map[openflow.PortNo]*iface
	mtus        map[int]int // how many devices that aren't internal have an MTU
	applied     ofproto.Config
	mac         packet.MAC // of the local port
	logged      uint64     // dpid as last logged
	dpid        uint64
	controllers map[string]ofproto.ControllerStatus // as last written
	localIP     localIP                             // as last set
	notes       []note                              // what its configuration asks for in vain
}

// effectiveType is the data path type with its default.
func effectiveType(typ string) string {
	if typ == "" {
		return "system"
	}
	return typ
}

func (s *Switch) backend(typ string) (*backend, error) {
	if b := s.backends[typ]; b != nil {
		return b, nil
	}
	for _, t := range s.opts.Datapaths {
		if t.Name == typ {
			dp, err := t.Open()
			if err != nil {
				return nil, err
			}
			b := &backend{Backend: dp, typ: typ, devices: s.opts.Devices(typ)}
			s.backends[typ] = b
			s.publishBackends()
			return b, nil
		}
	}
	vlog.For("ofproto").Warn("unknown datapath type %s", typ)
	return nil, syscall.EAFNOSUPPORT
}

func (s *Switch) closeUnusedBackends() {
	for typ, b := range s.backends {
		if b.users == 0 {
			delete(s.backends, typ)
			s.publishBackends()
			b.Close()
		}
	}
}

// addBridge makes a bridge without ports, nil if that fails.
func (s *Switch) addBridge(conf *BridgeConf) *bridge {
	fail := func(err error) *bridge {
		log.Err("failed to create bridge %s: %s", conf.Name, vlog.ErrText(err))
		return nil
	}
	if other := s.byName[conf.Name]; other != nil {
		return fail(fmt.Errorf("bridge %s: there are two of this name", conf.Name))
	}
	if strings.ContainsRune(conf.Name, '/') {
		// Names of sockets are made of it, so it must stay within their directory.
		log.Warn("ignoring bridge with invalid name \"%s\"", conf.Name)
		return nil
	}
	be, err := s.backend(effectiveType(conf.DatapathType))
	if err != nil {
		return fail(err)
	}
	b := &bridge{
		conf: conf, backend: be,
		ports:   map[ovsdb.UUID]*port{},
		ofports: map[openflow.PortNo]*iface{},
		mtus:    map[int]int{},
	}
	b.mac = pickMAC(b)
	b.dpid = pickDPID(b)
	b.applied = s.bridgeConfig(b)
	b.obj, err = be.NewBridge(b.applied)
	if err != nil {
		return fail(err)
	}
	be.users++
	s.bridges[conf.UUID] = b
	s.byName[conf.Name] = b
	return b
}

func (s *Switch) deleteBridge(b *bridge) {
	for _, p := range b.ports {
		s.deletePort(p)
	}
	b.obj.Destroy()
	b.backend.users--
	delete(s.bridges, b.conf.UUID)
	delete(s.byName, b.conf.Name)
}

// configureBridge brings all but the ports of a bridge to what is wanted.
func (s *Switch) configureBridge(b *bridge) {
	s.updateAddress(b)
	b.notes = slices.Clone(b.conf.Notes)
	b.applied = s.bridgeConfig(b)
	if b.dpid != b.logged {
		log.Info("bridge %s: using datapath ID %016x", b.conf.Name, b.dpid)
		b.logged = b.dpid
	}
	if err := b.obj.Configure(b.applied); err != nil {
		log.Warn("%v", err)
		b.notes = append(b.notes, invalid("%v", err))
	}
	s.report("bridge "+b.conf.Name, b.notes)
	b.obj.SetControllers(s.controllers(b))
	s.configureLocalIP(b)
	s.writer.bridge(b)
	s.writer.mirrorStats(b)
}

// updateAddress settles the address of the local port, which follows the
// bridge's ports, and the datapath identifier, which follows that.
func (s *Switch) updateAddress(b *bridge) {
	b.mac = pickMAC(b)
	if local := b.ofports[openflow.PortLocal]; local != nil && local.dev != nil && local.dev.MAC() != b.mac {
		if err := local.dev.SetMAC(b.mac); err != nil {
			log.Warn("interface %s: setting MAC address %s failed (%s)", local.conf.Name, b.mac, vlog.ErrText(err))
		}
	}
	if dpid := pickDPID(b); dpid != b.dpid || b.applied.DPID == 0 {
		b.dpid = dpid
	}
}

func (s *Switch) bridgeConfig(b *bridge) ofproto.Config {
	oc := b.conf.OtherConfig
	c := ofproto.Config{
		Name: b.conf.Name, DPID: b.dpid, Secure: b.conf.Secure,
		Versions:      versionNumbers(b.conf.Versions),
		Serial:        oc["dp-sn"],
		Description:   oc["dp-desc"],
		ForwardBPDU:   boolOption(oc, "forward-bpdu", false),
		DisableInBand: boolOption(oc, "disable-in-band", false),
		MACAging:      time.Duration(clampOption(oc, "mac-aging-time", 300, 15, 3600)) * time.Second,
		MACTableSize:  int(clampOption(oc, "mac-table-size", 8192, 10, 1<<20)),
		InBandQueue:   int(intOption(oc, "in-band-queue", -1, 0, 1<<32-1)),
		Managers:      s.managers,
		Tables:        map[uint8]ofproto.TableConfig{},
		Mirrors:       s.mirrors(b),
	}
	for _, v := range b.conf.FloodVLANs {
		c.FloodVLANs = append(c.FloodVLANs, uint16(v))
	}
	for n, t := range b.conf.FlowTables {
		c.Tables[uint8(n)] = ofproto.TableConfig{
			Name: t.Name, Limit: int(t.FlowLimit), Evict: t.Evict, Groups: t.Groups, Prefixes: t.Prefixes,
		}
	}
	return c
}

// versionNumbers are the wire numbers of OpenFlow10, ... OpenFlow15.
func versionNumbers(names []string) []uint8 {
	all := []string{"OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"}
	var out []uint8
	for _, n := range names {
		if i := slices.Index(all, n); i >= 0 {
			out = append(out, uint8(i+1))
		}
	}
	slices.Sort(out)
	return out
}

// controllers are the configured ones. Naming the sockets that each bridge has
// in the run directory anyhow has no effect.
func (s *Switch) controllers(b *bridge) []ofproto.ControllerConfig {
	if s.restoring {
		return nil // none while ovs-ctl puts the flows back
	}
	socket := "punix:" + filepath.Join(s.opts.RunDir, b.conf.Name)
	var out []ofproto.ControllerConfig
	for _, c := range b.conf.Controllers {
		if c.Target == "none" || c.Target == "" || c.Target == socket+".mgmt" || c.Target == socket+".snoop" {
			continue
		}
		if path, ok := strings.CutPrefix(c.Target, "punix:"); ok && !s.mayListen(b, path) {
			log.ErrRL(&addressRL, "bridge %s: Not adding Unix domain socket controller \"%s\": it could overwrite a file outside of %s; use \"punix:%s.NAME\" there instead",
				b.conf.Name, c.Target, s.opts.RunDir, filepath.Join(s.opts.RunDir, b.conf.Name))
			continue
		}
		kind := ofproto.PrimaryController
		if c.Type == "service" {
			kind = ofproto.ServiceController
		}
		probe := time.Duration(c.InactivityMS) * time.Millisecond
		if c.InactivityMS < 0 {
			probe = -1
		}
		out = append(out, ofproto.ControllerConfig{
			Target: c.Target, Kind: kind, Probe: probe,
			MaxBackoff: time.Duration(c.MaxBackoffMS) * time.Millisecond,
			OutOfBand:  c.ConnectionGiven && !c.InBand,
			NoAsync:    !c.EnableAsync,
			RateLimit:  int(c.RateLimit), BurstLimit: int(c.BurstLimit),
			QueueSize:      int(cmp.Or(c.QueueSize, clampOption(b.conf.OtherConfig, "controller-queue-size", 100, 1, 512))),
			MaxConnections: int(intOption(c.OtherConfig, "max-connections", 0, 1, 1<<31-1)),
			DSCP:           int(intOption(c.OtherConfig, "dscp", defaultDSCP, 0, 63)),
		})
	}
	return out
}

// defaultDSCP is the class of OpenFlow connections, CS6, network control.
const defaultDSCP = 48

// mayListen reports whether a socket of the database's choosing may be made at
// path: only directly in the run directory, and named after the bridge, so that
// whoever writes the database can't overwrite other files.
func (s *Switch) mayListen(b *bridge, path string) bool {
	name, ok := strings.CutPrefix(path, strings.TrimSuffix(s.opts.RunDir, "/")+"/")
	return ok && strings.HasPrefix(name, b.conf.Name+".") && !strings.Contains(name, "/")
}

func isPassive(target string) bool {
	kind, _, _ := strings.Cut(target, ":")
	return kind == "ptcp" || kind == "punix" || kind == "pssl"
}

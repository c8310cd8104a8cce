// Package vswitchd makes the switch be what the Open_vSwitch database says
// (ovs-vswitchd.conf.db(5)): a pure function reads the desired bridges, ports
// and interfaces out of a snapshot, the reconciler compares them with what
// there is and calls the bridge objects, data paths and devices to bring both
// together, and the status writer puts what became of it into the database.
//
// It is the composition root of the data path and device providers.
package vswitchd

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/packet"
)

// OpenConf is what the single row of table Open_vSwitch asks for.
type OpenConf struct {
	UUID        ovsdb.UUID
	NextCfg     int64
	OtherConfig map[string]string
	Bridges     []ovsdb.UUID // sorted
	SSL         SSLConf
	Datapaths   map[string]DatapathConf // by type
	// Managers are those that are reached through the bridges (in-band control).
	Managers []netip.AddrPort
	Notes    []note // what is asked for in vain
}

// SSLConf is the public key configuration for controllers (table SSL).
type SSLConf struct {
	PrivateKey, Certificate, CACert string
	Bootstrap                       bool
}

// BridgeConf is one desired bridge, apart from its ports.
type BridgeConf struct {
	UUID         ovsdb.UUID
	Name         string
	DatapathType string // as given; empty is "system"
	Secure       bool   // fail_mode is "secure"
	Versions     []string
	Controllers  []ControllerConf // sorted by target
	FloodVLANs   []int64
	OtherConfig  map[string]string
	FlowTables   map[int64]TableConf
	Mirrors      []MirrorConf // sorted by name
	Ports        []ovsdb.UUID // sorted
	Notes        []note       // what is asked for in vain
}

// TableConf is the configuration of one flow table (table Flow_Table).
type TableConf struct {
	Name      string
	FlowLimit int64 // -1: none
	Evict     bool
	Groups    []string
	Prefixes  []string
}

// ControllerConf is one desired OpenFlow controller (table Controller).
type ControllerConf struct {
	UUID            ovsdb.UUID
	Target          string
	Type            string // "primary" or "service"
	MaxBackoffMS    int64
	InactivityMS    int64 // -1: default
	InBand          bool
	EnableAsync     bool
	RateLimit       int64 // packets per second, 0: none
	BurstLimit      int64
	QueueSize       int64
	OtherConfig     map[string]string
	LocalIP         string
	LocalNetmask    string
	LocalGateway    string
	ConnectionGiven bool // connection_mode is set
	Notes           []note
}

// PortConf is one desired port with its interfaces.
type PortConf struct {
	UUID        ovsdb.UUID
	Name        string
	VLANMode    ofproto.VLANMode
	Tag         int     // of access, native-* and dot1q-tunnel ports; -1 none
	Trunks      []int64 // sorted; empty: all
	CVLANs      []int64
	Priority    string // other_config:priority-tags
	QinQEthType string
	Protected   bool
	Bond        bool
	BondMode    string
	MAC         string
	Interfaces  []*InterfaceConf // sorted by name
	OtherConfig map[string]string
	QueueDSCP   map[uint32]uint8 // by queue
	Notes       []note
}

// InterfaceConf is one desired interface.
type InterfaceConf struct {
	UUID          ovsdb.UUID
	Name          string
	Type          string // as given; empty is "system"
	Options       map[string]string
	OtherConfig   map[string]string
	OfportRequest int64 // 0: none
	Ofport        int64 // as the database last had it; 0: none
	MAC           string
	MTURequest    int64 // 0: none
	Notes         []note
}

func readOpen(s *client.Snapshot) *OpenConf {
	for r := range s.Rows("Open_vSwitch") {
		next, _ := r.Int("next_cfg")
		o := &OpenConf{
			UUID:        r.UUID(),
			NextCfg:     next,
			OtherConfig: r.Map("other_config"),
			Bridges:     r.Refs("bridges"),
			Notes:       notes(r),
		}
		if id, ok := r.Ref("ssl"); ok {
			if t := s.Row("SSL", id); t != nil {
				o.SSL = SSLConf{t.String("private_key"), t.String("certificate"), t.String("ca_cert"), false}
				o.SSL.Bootstrap, _ = t.Bool("bootstrap_ca_cert")
			}
		}
		o.Managers = inBandManagers(s, r)
		for typ, id := range r.StringRefs("datapaths") {
			d := DatapathConf{UUID: id}
			if t := s.Row("Datapath", id); t != nil {
				d.Notes = notes(t)
			}
			if o.Datapaths == nil {
				o.Datapaths = map[string]DatapathConf{}
			}
			o.Datapaths[typ] = d
		}
		return o
	}
	return nil
}

func readBridge(s *client.Snapshot, r *client.Row) *BridgeConf {
	b := &BridgeConf{
		UUID:         r.UUID(),
		Name:         r.String("name"),
		DatapathType: r.String("datapath_type"),
		Secure:       r.String("fail_mode") == "secure",
		Versions:     r.Strings("protocols"),
		FloodVLANs:   r.Ints("flood_vlans"),
		OtherConfig:  r.Map("other_config"),
		Ports:        r.Refs("ports"),
	}
	for _, id := range r.Refs("controller") {
		if c := s.Row("Controller", id); c != nil {
			b.Controllers = append(b.Controllers, readController(c))
		}
	}
	slices.SortFunc(b.Controllers, func(x, y ControllerConf) int { return strings.Compare(x.Target, y.Target) })
	for n, id := range r.IntRefs("flow_tables") {
		if t := s.Row("Flow_Table", id); t != nil {
			if b.FlowTables == nil {
				b.FlowTables = map[int64]TableConf{}
			}
			b.FlowTables[n] = readTable(t)
		}
	}
	readMirrors(s, r, b)
	b.Notes = append(notes(r), sampledFlows(s, r.UUID())...)
	return b
}

func readTable(r *client.Row) TableConf {
	t := TableConf{
		Name:      r.String("name"),
		FlowLimit: -1,
		Evict:     r.String("overflow_policy") == "evict",
		Groups:    r.Strings("groups"),
		Prefixes:  r.Strings("prefixes"),
	}
	if n, ok := r.Int("flow_limit"); ok {
		t.FlowLimit = n
	}
	return t
}

func readController(r *client.Row) ControllerConf {
	c := ControllerConf{
		UUID:         r.UUID(),
		Target:       r.String("target"),
		Type:         r.String("type"),
		MaxBackoffMS: 8000,
		InactivityMS: -1,
		EnableAsync:  true,
		OtherConfig:  r.Map("other_config"),
		LocalIP:      r.String("local_ip"),
		LocalNetmask: r.String("local_netmask"),
		LocalGateway: r.String("local_gateway"),
	}
	if c.Type == "" {
		c.Type = "primary"
		if isPassive(c.Target) {
			c.Type = "service"
		}
	}
	mode := r.String("connection_mode")
	c.ConnectionGiven, c.InBand = mode != "", mode == "in-band"
	if n, ok := r.Int("max_backoff"); ok {
		c.MaxBackoffMS = n
	}
	if n, ok := r.Int("inactivity_probe"); ok {
		c.InactivityMS = n
	}
	if on, ok := r.Bool("enable_async_messages"); ok {
		c.EnableAsync = on
	}
	c.RateLimit, _ = r.Int("controller_rate_limit")
	c.BurstLimit, _ = r.Int("controller_burst_limit")
	c.QueueSize, _ = r.Int("controller_queue_size")
	c.Notes = append(notes(r), c.check()...)
	return c
}

// sampledFlows notes that flows of a bridge are to be sampled.
func sampledFlows(s *client.Snapshot, bridge ovsdb.UUID) []note {
	for c := range s.Rows("Flow_Sample_Collector_Set") {
		if id, ok := c.Ref("bridge"); ok && id == bridge {
			return notes(c)
		}
	}
	return nil
}

func readPort(s *client.Snapshot, r *client.Row) *PortConf {
	oc := r.Map("other_config")
	p := &PortConf{
		UUID:        r.UUID(),
		Name:        r.String("name"),
		Trunks:      r.Ints("trunks"),
		CVLANs:      r.Ints("cvlans"),
		Priority:    oc["priority-tags"],
		QinQEthType: oc["qinq-ethtype"],
		BondMode:    r.String("bond_mode"),
		MAC:         r.String("mac"),
		OtherConfig: oc,
	}
	p.Protected, _ = r.Bool("protected")
	readVLANs(p, r)
	for _, id := range r.Refs("interfaces") {
		if i := s.Row("Interface", id); i != nil {
			p.Interfaces = append(p.Interfaces, readInterface(i))
		}
	}
	slices.SortFunc(p.Interfaces, func(a, b *InterfaceConf) int { return strings.Compare(a.Name, b.Name) })
	p.Bond = len(p.Interfaces) > 1
	if p.Bond {
		p.Notes = append(p.Notes, lack("bonds are not supported yet: none of its interfaces is used"))
	}
	p.Notes = append(p.Notes, notes(r)...)
	if id, ok := r.Ref("qos"); ok {
		p.QueueDSCP = readQueues(s, id)
	}
	return p
}

// readQueues finds the marks of a QoS's queues.
func readQueues(s *client.Snapshot, qos ovsdb.UUID) map[uint32]uint8 {
	out := map[uint32]uint8{}
	if r := s.Row("QoS", qos); r != nil {
		for n, id := range r.IntRefs("queues") {
			if q := s.Row("Queue", id); q != nil {
				if dscp, ok := q.Int("dscp"); ok {
					out[uint32(n)] = uint8(dscp)
				}
			}
		}
	}
	return out
}

// readVLANs settles the VLAN mode: one that isn't given is "access" with a
// tag and "trunk" without; native modes and dot1q-tunnel without a tag have
// no native VLAN to speak of and are trunks of everything.
func readVLANs(p *PortConf, r *client.Row) {
	p.Tag = -1
	tag, hasTag := r.Int("tag")
	if hasTag {
		p.Tag = int(tag)
	}
	switch mode := r.String("vlan_mode"); {
	case mode == "" && hasTag, mode == "access":
		p.VLANMode = ofproto.VLANAccess
		if !hasTag {
			p.Tag = 0
		}
	case mode == "native-tagged" && hasTag:
		p.VLANMode = ofproto.VLANNativeTagged
	case mode == "native-untagged" && hasTag:
		p.VLANMode = ofproto.VLANNativeUntagged
	case mode == "dot1q-tunnel" && hasTag:
		p.VLANMode = ofproto.VLANDot1qTunnel
	default:
		p.VLANMode, p.Tag = ofproto.VLANTrunk, -1
	}
}

func readInterface(r *client.Row) *InterfaceConf {
	i := &InterfaceConf{
		UUID:        r.UUID(),
		Name:        r.String("name"),
		Type:        r.String("type"),
		Options:     r.Map("options"),
		OtherConfig: r.Map("other_config"),
		MAC:         r.String("mac"),
	}
	i.OfportRequest, _ = r.Int("ofport_request")
	i.Ofport, _ = r.Int("ofport")
	i.MTURequest, _ = r.Int("mtu_request")
	i.Notes = notes(r)
	if _, ok := parseMAC(i.MAC); i.MAC != "" && !ok {
		i.Notes = append(i.Notes, invalid("mac: %q is not an Ethernet address: it is ignored", i.MAC))
	}
	return i
}

// EffectiveType is the interface type with its default: "system", or
// "internal" for the bridge's own port, whatever its row says.
func (i *InterfaceConf) EffectiveType(bridge string) string {
	switch {
	case i.Name == bridge:
		return "internal"
	case i.Type == "":
		return "system"
	}
	return i.Type
}

// intOption reads an integer from a map column; bad or out of range is the default.
func intOption(m map[string]string, key string, def, min, max int64) int64 {
	s, ok := m[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < min || n > max {
		return def
	}
	return n
}

// clampOption reads an integer from a map column; out of range it is the nearest
// limit, not a number the default.
func clampOption(m map[string]string, key string, def, min, max int64) int64 {
	n, err := strconv.ParseInt(m[key], 10, 64)
	switch {
	case err != nil:
		return def
	case n < min:
		return min
	case n > max:
		return max
	}
	return n
}

func boolOption(m map[string]string, key string, def bool) bool {
	switch strings.ToLower(m[key]) {
	case "true":
		return true
	case "false":
		return false
	}
	return def
}

// parseMAC reads an address in the six-byte colon form.
func parseMAC(s string) (packet.MAC, bool) {
	var m packet.MAC
	parts := strings.Split(s, ":")
	if len(parts) != len(m) {
		return m, false
	}
	for i, p := range parts {
		b, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return m, false
		}
		m[i] = byte(b)
	}
	return m, true
}

// parseDPID reads other_config:datapath-id: 16 hexadecimal digits, or fewer
// behind 0x; zero isn't one.
func parseDPID(s string) (uint64, bool) {
	hex, prefixed := strings.CutPrefix(s, "0x")
	if len(hex) == 0 || len(hex) > 16 || !prefixed && len(hex) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil && n != 0
}

// maxOfport is the highest number that a port may have (OpenFlow 1.0's
// OFPP_MAX less one, so that every version of the protocol can name it).
const maxOfport openflow.PortNo = 0xfeff

package vsctl

import (
	"fmt"
	"maps"
	"slices"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

// model is the switch as the transaction has it: its bridges, the fake ones
// among them, their ports and interfaces.  It belongs to one dbctl.Context's
// transaction.
type model struct {
	ovs     ovsdb.UUID
	bridges map[string]*bridge
	ports   map[string]*port // the local ports of fake bridges too
	ifaces  map[string]*iface
	added   []ovsdb.UUID // interfaces that the transaction made
	stale   bool
	// partial: the replica has no more than needsPort asks for, and the bridges
	// are those that aren't fake, without their ports.
	partial bool
}

// Stale says that database verbs may have changed what m was made of.
func (m *model) Stale() { m.stale = true }

// bridge is a bridge, or a VLAN of one that is to look like a bridge of its own
// (a fake bridge).
type bridge struct {
	name     string
	row      ovsdb.UUID // of the real one
	parent   *bridge    // of a fake bridge, else nil
	vlan     int64
	children map[int64]*bridge // fake bridges in it, by VLAN
	ports    map[string]*port
	local    *port // the port named as the bridge
}

// real returns the bridge whose row holds b's ports.
func (b *bridge) real() *bridge {
	if b.parent != nil {
		return b.parent
	}
	return b
}

type port struct {
	name   string
	row    ovsdb.UUID
	bridge *bridge
	ifaces map[string]*iface
}

type iface struct {
	name string
	row  ovsdb.UUID
	port *port
}

// begin makes sure that there is the row of Open_vSwitch, and counts next_cfg up
// so that ovs-vswitchd can tell when it has done what is asked.
func begin(c *dbctl.Context) error {
	u, ok := rootRow(c)
	if !ok {
		var err error
		if u, err = c.Txn.Insert("Open_vSwitch"); err != nil {
			return err
		}
	}
	if c.Wait {
		c.Txn.Increment("Open_vSwitch", u, "next_cfg")
	}
	return nil
}

func rootRow(c *dbctl.Context) (ovsdb.UUID, bool) {
	for row := range c.Txn.Rows("Open_vSwitch") {
		return row.UUID(), true
	}
	return ovsdb.UUID{}, false
}

// modelOf returns the model of the context's transaction, building it if it is
// the first to ask or a database command may have changed what it shows.
func modelOf(c *dbctl.Context) *model {
	m, ok := (*c.Data).(*model)
	if ok && !m.stale {
		return m
	}
	var added []ovsdb.UUID
	if ok {
		added = m.added
	}
	m = &model{bridges: map[string]*bridge{}, ports: map[string]*port{}, ifaces: map[string]*iface{}, added: added}
	m.ovs, _ = rootRow(c)
	m.partial = !c.Txn.Snapshot().HasColumn("Bridge", "ports")
	if root := c.Txn.Row("Open_vSwitch", m.ovs); root != nil {
		for _, u := range root.Refs("bridges") {
			m.loadBridge(c, u)
		}
	}
	*c.Data = m
	return m
}

func (m *model) loadBridge(c *dbctl.Context, u ovsdb.UUID) {
	row := c.Txn.Row("Bridge", u)
	if row == nil {
		return
	}
	b := m.addBridge(row.String("name"), u, nil, 0)
	var ports []*client.Row
	for _, u := range row.Refs("ports") {
		if p := c.Txn.Row("Port", u); p != nil {
			ports = append(ports, p)
			if fake, _ := p.Bool("fake_bridge"); fake {
				if vlan, ok := p.Int("tag"); ok {
					m.addBridge(p.String("name"), b.row, b, vlan)
				}
			}
		}
	}
	for _, p := range ports {
		owner := b
		if vlan, ok := p.Int("tag"); ok && b.children[vlan] != nil {
			owner = b.children[vlan]
		}
		at := m.addPort(owner, p.String("name"), p.UUID())
		for _, u := range p.Refs("interfaces") {
			if i := c.Txn.Row("Interface", u); i != nil {
				m.addIface(at, i.String("name"), u)
			}
		}
	}
}

func (m *model) addBridge(name string, row ovsdb.UUID, parent *bridge, vlan int64) *bridge {
	b := &bridge{name: name, row: row, parent: parent, vlan: vlan, children: map[int64]*bridge{}, ports: map[string]*port{}}
	m.bridges[name] = b
	if parent != nil {
		parent.children[vlan] = b
	}
	return b
}

func (m *model) addPort(b *bridge, name string, row ovsdb.UUID) *port {
	p := &port{name: name, row: row, bridge: b, ifaces: map[string]*iface{}}
	if name == b.name {
		b.local = p
	} else {
		b.ports[name] = p
	}
	m.ports[name] = p
	return p
}

func (m *model) addIface(p *port, name string, row ovsdb.UUID) *iface {
	i := &iface{name: name, row: row, port: p}
	p.ifaces[name] = i
	m.ifaces[name] = i
	return i
}

// bridge finds a bridge, real or fake.
func (m *model) bridge(name string) (*bridge, error) {
	if b := m.bridges[name]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("no bridge named %s", name)
}

// realBridge finds a bridge that isn't fake.
func (m *model) realBridge(name string) (*bridge, error) {
	b, err := m.bridge(name)
	if err == nil && b.parent != nil {
		err = fmt.Errorf("%s is a fake bridge", name)
	}
	return b, err
}

// port finds a port that isn't a bridge's local one.
func (m *model) port(name string) (*port, error) {
	if p := m.ports[name]; p != nil && p != p.bridge.local {
		return p, nil
	}
	return nil, fmt.Errorf("no port named %s", name)
}

// iface finds an interface that isn't a bridge's local one.
func (m *model) iface(name string) (*iface, error) {
	if i := m.ifaces[name]; i != nil && i.port != i.port.bridge.local {
		return i, nil
	}
	return nil, fmt.Errorf("no interface named %s", name)
}

// conflicts complains, beginning with what, if something has the name already.
func (m *model) conflicts(name, what string) error {
	if m.bridges[name] != nil {
		return fmt.Errorf("%s because a bridge named %s already exists", what, name)
	}
	if p := m.ports[name]; p != nil {
		return fmt.Errorf("%s because a port named %s already exists on bridge %s", what, name, p.bridge.name)
	}
	if i := m.ifaces[name]; i != nil {
		return fmt.Errorf("%s because an interface named %s already exists on bridge %s", what, name, i.port.bridge.name)
	}
	return nil
}

// mayConflict reports whether adding a port with interfaces of these names to a
// bridge takes a model that isn't partial to decide: the bridge is fake or
// missing, or a bridge, port or interface has such a name.
func (m *model) mayConflict(c *dbctl.Context, bridgeName string, names []string) bool {
	if m.bridges[bridgeName] == nil {
		return true
	}
	for _, table := range []string{"Bridge", "Port", "Interface"} {
		for row := range c.Txn.Rows(table) {
			if slices.Contains(names, row.String("name")) {
				return true
			}
		}
	}
	return false
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// reset gives columns their defaults, those that the server's schema has.
func reset(c *dbctl.Context, table string, u ovsdb.UUID, columns ...string) error {
	row := c.Txn.Row(table, u)
	for _, name := range columns {
		col := row.Table().Column(name)
		if col == nil {
			continue
		}
		if err := c.Txn.Set(table, u, name, col.Type.Default()); err != nil {
			return err
		}
	}
	return nil
}

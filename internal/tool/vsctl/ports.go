package vsctl

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/tool/dbctl"
)

// needsPort asks for what adding a port takes: the names of the bridges, which
// ports and interfaces have one of the names to be used, and the columns of Port
// that settings name. Fake bridges and ports that may be there already need the
// whole model.
func needsPort(n *dbctl.Needs, c *dbctl.Command) error {
	if n.Whole || c.Has("--may-exist") {
		if err := needsModel(n, c); err != nil {
			return err
		}
	}
	n.Table("Open_vSwitch", "bridges")
	n.Table("Bridge", "name")
	n.Columns("Port", "name", "fake_bridge", "tag", "interfaces", "bond_fake_iface")
	n.Columns("Interface", "name", "type", "ofport", "error")
	names := []string{c.Argv[2]}
	for _, arg := range c.Argv[3:] {
		if !strings.Contains(arg, "=") {
			names = append(names, arg)
		} else if err := n.Setting("Port", arg); err != nil {
			return err
		}
	}
	for _, name := range names {
		n.Rows("Port", "name", name)
		n.Rows("Interface", "name", name)
	}
	return nil
}

func cmdAddPort(c *dbctl.Context) error {
	return addPort(c, c.Arg(1), c.Arg(2), []string{c.Arg(2)}, c.Argv[3:])
}

func cmdAddBond(c *dbctl.Context) error {
	n := 3
	for n < len(c.Argv) && !strings.Contains(c.Argv[n], "=") {
		n++
	}
	if n < 5 {
		return fmt.Errorf("add-bond requires at least 2 interfaces, but only %d were specified", n-3)
	}
	return addPort(c, c.Arg(1), c.Arg(2), c.Argv[3:n], c.Argv[n:])
}

// addPort adds a port with its interfaces to a bridge; settings are columns of
// Port.
func addPort(c *dbctl.Context, bridgeName, name string, ifaces, settings []string) error {
	m := modelOf(c)
	if name == "" {
		return fmt.Errorf("port name must not be empty string")
	}
	if m.partial && m.mayConflict(c, bridgeName, append([]string{name}, ifaces...)) {
		return dbctl.ErrWhole
	}
	if p := m.ports[name]; p != nil && c.Has("--may-exist") {
		return checkExisting(c, m, p, bridgeName, ifaces)
	}
	if err := m.allFree(name, ifaces); err != nil {
		return err
	}
	b, err := m.bridge(bridgeName)
	if err != nil {
		return err
	}
	return m.insertPort(c, b, name, ifaces, settings)
}

// allFree fails where a name of a port or its interfaces is taken or empty.
func (m *model) allFree(port string, ifaces []string) error {
	if err := m.conflicts(port, "cannot create a port named "+port); err != nil {
		return err
	}
	for _, i := range ifaces {
		if i == "" {
			return fmt.Errorf("interface name must not be empty string")
		}
		if err := m.conflicts(i, "cannot create an interface named "+i); err != nil {
			return err
		}
	}
	return nil
}

// insertPort makes the rows of a port and its interfaces, and enters them into the
// bridge and the model.
func (m *model) insertPort(c *dbctl.Context, b *bridge, name string, ifaces, settings []string) error {
	var rows []ovsdb.UUID
	for _, i := range ifaces {
		u, err := c.Insert("Interface", dbctl.Values{"name": dbctl.Str(i)})
		if err != nil {
			return err
		}
		rows = append(rows, u)
	}
	v := dbctl.Values{"name": dbctl.Str(name), "interfaces": dbctl.Refs(rows...)}
	if c.Has("--fake-iface") {
		v["bond_fake_iface"] = dbctl.Bool(true)
	}
	if b.parent != nil {
		v["tag"] = dbctl.Int(b.vlan)
	}
	u, err := c.Insert("Port", v)
	if err != nil {
		return err
	}
	for _, arg := range settings {
		if err := c.SetColumn(c.Prog.Schema.Table("Port"), u, arg); err != nil {
			return err
		}
	}
	if err := c.Txn.AddElements("Bridge", b.row, "ports", dbctl.Refs(u)); err != nil {
		return err
	}
	p := m.addPort(b, name, u)
	for n, i := range ifaces {
		m.addIface(p, i, rows[n])
	}
	m.added = append(m.added, rows...)
	return nil
}

// checkExisting tells whether a port that is there already is the one that
// --may-exist means.
func checkExisting(c *dbctl.Context, m *model, p *port, bridgeName string, ifaces []string) error {
	b, err := m.bridge(bridgeName)
	if err != nil {
		return err
	}
	command := "\"--may-exist " + strings.Join(c.Argv, " ") + "\""
	if p.bridge != b {
		return fmt.Errorf("%s but %s is actually attached to bridge %s", command, p.name, p.bridge.name)
	}
	want := slices.Clone(ifaces)
	slices.Sort(want)
	if have := sorted(p.ifaces); !slices.Equal(want, have) {
		return fmt.Errorf("%s but %s actually has interface(s) %s", command, p.name, strings.Join(have, ", "))
	}
	return nil
}

func cmdDelPort(c *dbctl.Context) error {
	m := modelOf(c)
	name := c.Argv[len(c.Argv)-1]
	if m.bridges[name] != nil && !c.Has("--if-exists") {
		return fmt.Errorf("cannot delete port %s because it is the local port for bridge %s (deleting this port requires deleting the entire bridge)", name, name)
	}
	p := m.ports[name]
	what := "port"
	if p != nil && p == p.bridge.local {
		p = nil
	}
	if p == nil && c.Has("--with-iface") {
		what = "port or interface"
		if i := m.ifaces[name]; i != nil && i.port != i.port.bridge.local {
			p = i.port
		}
	}
	if p == nil {
		if c.Has("--if-exists") {
			return nil
		}
		return fmt.Errorf("no %s named %s", what, name)
	}
	if len(c.Argv) == 3 {
		if err := checkBridge(m, p, c.Arg(1), name); err != nil {
			return err
		}
	}
	return m.deletePort(c, p, true)
}

// checkBridge complains if p isn't on the bridge that the user named.
func checkBridge(m *model, p *port, bridgeName, name string) error {
	b, err := m.bridge(bridgeName)
	switch {
	case err != nil:
		return err
	case p.bridge == b:
		return nil
	case p.bridge.parent == b:
		return fmt.Errorf("bridge %s does not have a port %s (although its child bridge %s does)", b.name, name, p.bridge.name)
	}
	return fmt.Errorf("bridge %s does not have a port %s", b.name, name)
}

// deletePort deletes a port with its interfaces, and with unlink takes it from
// its bridge's row, which else goes away too.
func (m *model) deletePort(c *dbctl.Context, p *port, unlink bool) error {
	for _, name := range sorted(p.ifaces) {
		if err := c.Txn.Delete("Interface", p.ifaces[name].row); err != nil {
			return err
		}
		delete(m.ifaces, name)
	}
	if unlink {
		if err := c.Txn.RemoveElements("Bridge", p.bridge.row, "ports", dbctl.Refs(p.row)); err != nil {
			return err
		}
	}
	delete(m.ports, p.name)
	delete(p.bridge.ports, p.name)
	return c.Txn.Delete("Port", p.row)
}

func cmdListPorts(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return err
	}
	for _, name := range sorted(b.ports) {
		c.Printf("%s\n", name)
	}
	return nil
}

func cmdListIfaces(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, p := range b.ports {
		for name := range p.ifaces {
			if name != b.name {
				names[name] = true
			}
		}
	}
	for _, name := range sorted(names) {
		c.Printf("%s\n", name)
	}
	return nil
}

func cmdPortToBr(c *dbctl.Context) error {
	p, err := modelOf(c).port(c.Arg(1))
	if err == nil {
		c.Printf("%s\n", p.bridge.name)
	}
	return err
}

func cmdIfaceToBr(c *dbctl.Context) error {
	i, err := modelOf(c).iface(c.Arg(1))
	if err == nil {
		c.Printf("%s\n", i.port.bridge.name)
	}
	return err
}

func cmdAddBondIface(c *dbctl.Context) error {
	m := modelOf(c)
	p, err := m.port(c.Arg(1))
	if err != nil {
		return err
	}
	name := c.Arg(2)
	if i := m.ifaces[name]; i != nil && c.Has("--may-exist") {
		if i.port == p {
			return nil
		}
		return fmt.Errorf("\"--may-exist add-bond-iface %s %s\" but %s is actually attached to port %s", p.name, name, name, i.port.name)
	}
	if err := m.conflicts(name, "cannot create an interface named "+name); err != nil {
		return err
	}
	u, err := c.Insert("Interface", dbctl.Values{"name": dbctl.Str(name)})
	if err != nil {
		return err
	}
	m.addIface(p, name, u)
	m.added = append(m.added, u)
	return c.Txn.AddElements("Port", p.row, "interfaces", dbctl.Refs(u))
}

func cmdDelBondIface(c *dbctl.Context) error {
	m := modelOf(c)
	name := c.Argv[len(c.Argv)-1]
	i := m.ifaces[name]
	if i == nil {
		if c.Has("--if-exists") {
			return nil
		}
		return fmt.Errorf("no interface named %s", name)
	}
	if len(c.Argv) == 3 {
		p, err := m.port(c.Arg(1))
		if err != nil {
			return err
		}
		if i.port != p {
			return fmt.Errorf("port %s does not have an interface %s", p.name, name)
		}
	}
	if len(i.port.ifaces) == 1 {
		return fmt.Errorf("cannot delete last interface from port %s", i.port.name)
	}
	if err := c.Txn.RemoveElements("Port", i.port.row, "interfaces", dbctl.Refs(i.row)); err != nil {
		return err
	}
	delete(i.port.ifaces, name)
	delete(m.ifaces, name)
	return c.Txn.Delete("Interface", i.row)
}

package vsctl

import (
	"fmt"
	"strconv"

	"weir/internal/cli"
	"weir/internal/ovsdb"
	"weir/internal/tool/dbctl"
)

// needsModel asks for what the model is made of.
func needsModel(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Open_vSwitch", "bridges")
	n.Table("Bridge", "name", "ports")
	n.Table("Port", "name", "fake_bridge", "tag", "interfaces")
	n.Table("Interface", "name", "type", "ofport", "error")
	return nil
}

func cmdAddBr(c *dbctl.Context) error {
	m := modelOf(c)
	name := c.Arg(1)
	if name == "" {
		return fmt.Errorf("bridge name must not be empty string")
	}
	switch len(c.Argv) - 1 {
	case 1:
		return addRealBridge(c, m, name)
	case 3:
		vlan, err := strconv.ParseInt(c.Arg(3), 10, 64)
		if err != nil || vlan < 0 || vlan > 4095 {
			return fmt.Errorf("%s: vlan must be between 0 and 4095", c.Arg(0))
		}
		return addFakeBridge(c, m, name, c.Arg(2), vlan)
	}
	return fmt.Errorf("'%s' command takes exactly 1 or 3 arguments", c.Arg(0))
}

func addRealBridge(c *dbctl.Context, m *model, name string) error {
	if b := m.bridges[name]; b != nil && c.Has("--may-exist") {
		if b.parent != nil {
			return fmt.Errorf("\"--may-exist add-br %s\" but %s is a VLAN bridge for VLAN %d", name, name, b.vlan)
		}
		return nil
	}
	if err := m.conflicts(name, "cannot create a bridge named "+name); err != nil {
		return err
	}
	i, p, err := insertLocal(c, name, dbctl.Values{})
	if err != nil {
		return err
	}
	b, err := c.Insert("Bridge", dbctl.Values{"name": dbctl.Str(name), "ports": dbctl.Refs(p)})
	if err != nil {
		return err
	}
	if err := c.Txn.AddElements("Open_vSwitch", m.ovs, "bridges", dbctl.Refs(b)); err != nil {
		return err
	}
	m.addIface(m.addPort(m.addBridge(name, b, nil, 0), name, p), name, i)
	m.added = append(m.added, i)
	return nil
}

// insertLocal adds a bridge's local port with its interface.
func insertLocal(c *dbctl.Context, name string, v dbctl.Values) (i, p ovsdb.UUID, err error) {
	i, err = c.Insert("Interface", dbctl.Values{"name": dbctl.Str(name), "type": dbctl.Str("internal")})
	if err == nil {
		v["name"], v["interfaces"] = dbctl.Str(name), dbctl.Refs(i)
		p, err = c.Insert("Port", v)
	}
	return i, p, err
}

func addFakeBridge(c *dbctl.Context, m *model, name, parentName string, vlan int64) error {
	if b := m.bridges[name]; b != nil && c.Has("--may-exist") {
		command := fmt.Sprintf("\"--may-exist add-br %s %s %d\"", name, parentName, vlan)
		switch {
		case b.parent == nil:
			return fmt.Errorf("%s but %s is not a VLAN bridge", command, name)
		case b.parent.name != parentName:
			return fmt.Errorf("%s but %s has the wrong parent %s", command, name, b.parent.name)
		case b.vlan != vlan:
			return fmt.Errorf("%s but %s is a VLAN bridge for the wrong VLAN %d", command, name, b.vlan)
		}
		return nil
	}
	if err := m.conflicts(name, "cannot create a bridge named "+name); err != nil {
		return err
	}
	parent := m.bridges[parentName]
	switch {
	case parent != nil && parent.parent != nil:
		return fmt.Errorf("cannot create bridge with fake bridge as parent")
	case parent == nil:
		return fmt.Errorf("parent bridge %s does not exist", parentName)
	case parent.children[vlan] != nil:
		return fmt.Errorf("bridge %s already has a child VLAN bridge %s on VLAN %d", parentName, parent.children[vlan].name, vlan)
	}
	i, p, err := insertLocal(c, name, dbctl.Values{"fake_bridge": dbctl.Bool(true), "tag": dbctl.Int(vlan)})
	if err != nil {
		return err
	}
	if err := c.Txn.AddElements("Bridge", parent.row, "ports", dbctl.Refs(p)); err != nil {
		return err
	}
	m.addIface(m.addPort(m.addBridge(name, parent.row, parent, vlan), name, p), name, i)
	m.added = append(m.added, i)
	return nil
}

func cmdDelBr(c *dbctl.Context) error {
	m := modelOf(c)
	b := m.bridges[c.Arg(1)]
	if b == nil {
		if c.Has("--if-exists") {
			// A port of that name may be a mistake, but isn't an error.
			return nil
		}
		return fmt.Errorf("no bridge named %s", c.Arg(1))
	}
	return m.deleteBridge(c, b)
}

// deleteBridge deletes a bridge with its fake bridges and ports.
func (m *model) deleteBridge(c *dbctl.Context, b *bridge) error {
	for _, child := range b.children {
		if err := m.deleteBridge(c, child); err != nil {
			return err
		}
	}
	for _, name := range sorted(b.ports) {
		if err := m.deletePort(c, b.ports[name], b.parent != nil); err != nil {
			return err
		}
	}
	if b.local != nil {
		if err := m.deletePort(c, b.local, b.parent != nil); err != nil {
			return err
		}
	}
	delete(m.bridges, b.name)
	if b.parent != nil {
		delete(b.parent.children, b.vlan)
		return nil
	}
	if err := c.Txn.RemoveElements("Open_vSwitch", m.ovs, "bridges", dbctl.Refs(b.row)); err != nil {
		return err
	}
	return c.Txn.Delete("Bridge", b.row)
}

func cmdListBr(c *dbctl.Context) error {
	m := modelOf(c)
	onlyReal, onlyFake := c.Has("--real"), c.Has("--fake")
	if onlyReal && onlyFake {
		onlyReal, onlyFake = false, false
	}
	for _, name := range sorted(m.bridges) {
		fake := m.bridges[name].parent != nil
		if fake && !onlyReal || !fake && !onlyFake {
			c.Printf("%s\n", name)
		}
	}
	return nil
}

func cmdBrExists(c *dbctl.Context) error {
	if modelOf(c).bridges[c.Arg(1)] == nil {
		return cli.Silent{Status: 2}
	}
	return nil
}

func cmdBrToVlan(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err == nil {
		c.Printf("%d\n", b.vlan)
	}
	return err
}

func cmdBrToParent(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err == nil {
		c.Printf("%s\n", b.real().name)
	}
	return err
}

// fakePrefix begins the keys with which a fake bridge's external IDs stand in
// its port's external_ids.
const fakePrefix = "fake-bridge-"

// externalIDs returns where a bridge's external IDs are.
func externalIDs(b *bridge) (table string, row ovsdb.UUID, prefix string) {
	if b.parent != nil && b.local != nil {
		return "Port", b.local.row, fakePrefix
	}
	return "Bridge", b.row, ""
}

func needsExternalIDs(n *dbctl.Needs, c *dbctl.Command) error {
	n.Table("Bridge", "external_ids")
	n.Table("Port", "external_ids")
	return needsModel(n, c)
}

func cmdBrSetExternalID(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return err
	}
	table, row, prefix := externalIDs(b)
	key := ovsdb.StringAtom(prefix + c.Arg(2))
	if len(c.Argv) < 4 {
		return c.Txn.RemoveElements(table, row, "external_ids", ovsdb.ScalarDatum(key))
	}
	return c.Txn.SetKeys(table, row, "external_ids",
		ovsdb.MapDatum(ovsdb.String, ovsdb.String, []ovsdb.Pair{{Key: key, Value: ovsdb.StringAtom(c.Arg(3))}}))
}

func cmdBrGetExternalID(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return err
	}
	table, row, prefix := externalIDs(b)
	ids := c.Txn.Row(table, row).Datum("external_ids")
	if len(c.Argv) > 2 {
		if v, ok := ids.Get(ovsdb.StringAtom(prefix + c.Arg(2))); ok {
			c.Printf("%s\n", v.Str())
		}
		return nil
	}
	for i := range ids.Len() {
		key := ids.Key(i).Str()
		if prefix != "" {
			if len(key) < len(prefix) || key[:len(prefix)] != prefix {
				continue
			}
			key = key[len(prefix):]
		}
		c.Printf("%s=%s\n", key, ids.Value(i).Str())
	}
	return nil
}

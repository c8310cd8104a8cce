package vtepctl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/internal/cli"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

func global(c *dbctl.Context) ovsdb.UUID {
	for row := range c.Txn.Rows("Global") {
		return row.UUID()
	}
	return ovsdb.UUID{}
}

// named finds the row of that name, nil if there is none.
func named(c *dbctl.Context, table, name string) *client.Row {
	for row := range c.Txn.Rows(table) {
		if row.String("name") == name {
			return row
		}
	}
	return nil
}

func mustFind(c *dbctl.Context, table, kind, name string) (*client.Row, error) {
	if row := named(c, table, name); row != nil {
		return row, nil
	}
	return nil, fmt.Errorf("no %s named %s", kind, name)
}

// listNames prints the names of a table's rows in order.
func listNames(c *dbctl.Context, table string) {
	var names []string
	for row := range c.Txn.Rows(table) {
		names = append(names, row.String("name"))
	}
	slices.Sort(names)
	for _, n := range names {
		c.Printf("%s\n", n)
	}
}

func needsManager(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Global", "managers")
	n.Table("Manager", "target", "inactivity_probe")
	return nil
}

func cmdGetManager(c *dbctl.Context) error {
	var targets []string
	for _, u := range c.Txn.Row("Global", global(c)).Refs("managers") {
		if row := c.Txn.Row("Manager", u); row != nil {
			targets = append(targets, row.String("target"))
		}
	}
	c.PrintSorted(targets)
	return nil
}

// cmdSetManager puts the managers given in the place of those there are.
func cmdSetManager(c *dbctl.Context) error {
	g := global(c)
	for _, u := range c.Txn.Row("Global", g).Refs("managers") {
		if c.Txn.Row("Manager", u) != nil {
			if err := c.Txn.Delete("Manager", u); err != nil {
				return err
			}
		}
	}
	targets := slices.Clone(c.Argv[1:])
	slices.Sort(targets)
	var rows []ovsdb.UUID
	for _, t := range slices.Compact(targets) {
		kind, _, ok := strings.Cut(t, ":")
		if !ok || !slices.Contains([]string{"tcp", "ssl", "unix", "ptcp", "pssl", "punix"}, kind) {
			log.Warn("target type \"%s\" is possibly erroneous", kind)
		}
		v := dbctl.Values{"target": dbctl.Str(t)}
		if text, given := c.Options["--inactivity-probe"]; given {
			ms, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("value %s on --inactivity-probe is invalid", text)
			}
			v["inactivity_probe"] = ovsdb.ScalarDatum(ovsdb.IntAtom(ms))
		}
		u, err := c.Insert("Manager", v)
		if err != nil {
			return err
		}
		rows = append(rows, u)
	}
	return c.Txn.Set("Global", g, "managers", dbctl.Refs(rows...))
}

func needsSwitches(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Global", "switches")
	n.Table("Physical_Switch", "name", "ports")
	n.Table("Physical_Port", "name", "vlan_bindings")
	n.Table("Logical_Switch", "name", "replication_mode")
	return nil
}

func cmdAddPS(c *dbctl.Context) error {
	if named(c, "Physical_Switch", c.Arg(1)) != nil {
		if c.Has("--may-exist") {
			return nil
		}
		return fmt.Errorf("cannot create physical switch %s because it already exists", c.Arg(1))
	}
	u, err := c.Insert("Physical_Switch", dbctl.Values{"name": dbctl.Str(c.Arg(1))})
	if err != nil {
		return err
	}
	return c.Txn.AddElements("Global", global(c), "switches", dbctl.Refs(u))
}

func physicalSwitch(c *dbctl.Context) (*client.Row, error) {
	return mustFind(c, "Physical_Switch", "physical switch", c.Arg(1))
}

func cmdDelPS(c *dbctl.Context) error {
	ps, err := physicalSwitch(c)
	if err != nil {
		if c.Has("--if-exists") {
			return nil
		}
		return err
	}
	for _, u := range ps.Refs("ports") {
		if err := c.Txn.Delete("Physical_Port", u); err != nil {
			return err
		}
	}
	if err := c.Txn.RemoveElements("Global", global(c), "switches", dbctl.Refs(ps.UUID())); err != nil {
		return err
	}
	return c.Txn.Delete("Physical_Switch", ps.UUID())
}

func cmdListPS(c *dbctl.Context) error {
	listNames(c, "Physical_Switch")
	return nil
}

func cmdPSExists(c *dbctl.Context) error { return exists(c, "Physical_Switch") }

func exists(c *dbctl.Context, table string) error {
	if named(c, table, c.Arg(1)) == nil {
		return cli.Silent{Status: 2}
	}
	return nil
}

// port finds a port of a physical switch, nil if it has none of that name.
func port(c *dbctl.Context, ps *client.Row, name string) *client.Row {
	for _, u := range ps.Refs("ports") {
		if p := c.Txn.Row("Physical_Port", u); p != nil && p.String("name") == name {
			return p
		}
	}
	return nil
}

// portArg finds the port of the first two arguments.
func portArg(c *dbctl.Context) (ps, p *client.Row, err error) {
	if ps = named(c, "Physical_Switch", c.Arg(1)); ps != nil {
		p = port(c, ps, c.Arg(2))
	}
	if p == nil {
		err = fmt.Errorf("no port named %s", c.Arg(2))
	}
	return ps, p, err
}

func cmdListPorts(c *dbctl.Context) error {
	ps, err := physicalSwitch(c)
	if err != nil {
		return err
	}
	var names []string
	for _, u := range ps.Refs("ports") {
		if p := c.Txn.Row("Physical_Port", u); p != nil {
			names = append(names, p.String("name"))
		}
	}
	c.PrintSorted(names)
	return nil
}

func cmdAddPort(c *dbctl.Context) error {
	ps, err := physicalSwitch(c)
	if err != nil {
		return err
	}
	if port(c, ps, c.Arg(2)) != nil {
		if c.Has("--may-exist") {
			return nil
		}
		return fmt.Errorf("cannot create a port named %s on %s because a port with that name already exists", c.Arg(2), c.Arg(1))
	}
	u, err := c.Insert("Physical_Port", dbctl.Values{"name": dbctl.Str(c.Arg(2))})
	if err != nil {
		return err
	}
	return c.Txn.AddElements("Physical_Switch", ps.UUID(), "ports", dbctl.Refs(u))
}

func cmdDelPort(c *dbctl.Context) error {
	ps, p, err := portArg(c)
	if err != nil {
		if c.Has("--if-exists") {
			return nil
		}
		return err
	}
	if err := c.Txn.RemoveElements("Physical_Switch", ps.UUID(), "ports", dbctl.Refs(p.UUID())); err != nil {
		return err
	}
	return c.Txn.Delete("Physical_Port", p.UUID())
}

// parseVLAN parses a VLAN; the database checks its range.
func parseVLAN(text string) (int64, error) {
	vlan, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: VLAN must be an integer between 0 and 4095", text)
	}
	return vlan, nil
}

func cmdBind(c *dbctl.Context) error {
	_, p, err := portArg(c)
	if err != nil {
		return err
	}
	vlan, err := parseVLAN(c.Arg(3))
	if err != nil {
		return err
	}
	ls, err := mustFind(c, "Logical_Switch", "logical switch", c.Arg(4))
	if err != nil {
		return err
	}
	if _, bound := p.IntRefs("vlan_bindings")[vlan]; bound {
		return fmt.Errorf("multiple bindings for vlan %d", vlan)
	}
	return c.Txn.SetKeys("Physical_Port", p.UUID(), "vlan_bindings", ovsdb.MapDatum(ovsdb.Integer, ovsdb.UUIDType,
		[]ovsdb.Pair{{Key: ovsdb.IntAtom(vlan), Value: ovsdb.UUIDAtom(ls.UUID())}}))
}

func cmdUnbind(c *dbctl.Context) error {
	_, p, err := portArg(c)
	if err != nil {
		return err
	}
	vlan, err := parseVLAN(c.Arg(3))
	if err != nil {
		return err
	}
	if _, bound := p.IntRefs("vlan_bindings")[vlan]; !bound {
		return fmt.Errorf("no binding for vlan %d", vlan)
	}
	return c.Txn.RemoveElements("Physical_Port", p.UUID(), "vlan_bindings", ovsdb.ScalarDatum(ovsdb.IntAtom(vlan)))
}

func cmdListBindings(c *dbctl.Context) error {
	_, p, err := portArg(c)
	if err != nil {
		return err
	}
	bindings := p.Datum("vlan_bindings")
	for i := range bindings.Len() {
		if ls := c.Txn.Row("Logical_Switch", bindings.Value(i).UUID()); ls != nil {
			c.Printf("%04d %s\n", bindings.Key(i).Int(), ls.String("name"))
		}
	}
	return nil
}

func cmdSetReplication(c *dbctl.Context) error {
	ls, err := mustFind(c, "Logical_Switch", "logical switch", c.Arg(1))
	if err != nil {
		return err
	}
	if mode := c.Arg(2); mode != "service_node" && mode != "source_node" {
		return fmt.Errorf("Replication mode must be 'service_node' or 'source_node'")
	}
	return c.Txn.Set("Logical_Switch", ls.UUID(), "replication_mode", dbctl.Str(c.Arg(2)))
}

func cmdGetReplication(c *dbctl.Context) error {
	ls, err := mustFind(c, "Logical_Switch", "logical switch", c.Arg(1))
	if err != nil {
		return err
	}
	mode := ls.String("replication_mode")
	if mode == "" {
		mode = "(null)" // what scripts know for the default
	}
	c.Printf("%s\n", mode)
	return nil
}

// logicalCommands returns the commands on logical switches or routers.
func logicalCommands(short, table, kind string) []dbctl.Syntax {
	needs := func(n *dbctl.Needs, _ *dbctl.Command) error {
		n.Table(table, "name")
		return nil
	}
	arg := strings.ToUpper(short)
	return []dbctl.Syntax{
		{Name: "add-" + short, Min: 1, Max: 1, Args: arg, Options: "--may-exist", Needs: needs, Run: func(c *dbctl.Context) error {
			if named(c, table, c.Arg(1)) == nil {
				_, err := c.Insert(table, dbctl.Values{"name": dbctl.Str(c.Arg(1))})
				return err
			}
			if c.Has("--may-exist") {
				return nil
			}
			return fmt.Errorf("cannot create %s %s because it already exists", kind, c.Arg(1))
		}},
		{Name: "del-" + short, Min: 1, Max: 1, Args: arg, Options: "--if-exists", Needs: needs, Run: func(c *dbctl.Context) error {
			row, err := mustFind(c, table, kind, c.Arg(1))
			if err != nil {
				if c.Has("--if-exists") {
					return nil
				}
				return err
			}
			return c.Txn.Delete(table, row.UUID())
		}},
		{Name: "list-" + short, ReadOnly: true, Needs: needs, Run: func(c *dbctl.Context) error {
			listNames(c, table)
			return nil
		}},
		{Name: short + "-exists", Min: 1, Max: 1, Args: arg, ReadOnly: true, Needs: needs, Run: func(c *dbctl.Context) error {
			return exists(c, table)
		}},
	}
}

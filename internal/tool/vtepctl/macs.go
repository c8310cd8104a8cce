package vtepctl

import (
	"slices"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

// defaultEncap is the encapsulation of a locator that doesn't name one.
const defaultEncap = "vxlan_over_ipv4"

// macTables are the tables of unicast and multicast addresses that are local to
// the VTEP or remote.
type macTables struct{ where, ucast, mcast string }

// macCommands returns the commands on local or remote MAC bindings.
func macCommands(where string) []dbctl.Syntax {
	t := macTables{where, "Ucast_Macs_Local", "Mcast_Macs_Local"}
	if where == "remote" {
		t.ucast, t.mcast = "Ucast_Macs_Remote", "Mcast_Macs_Remote"
	}
	return []dbctl.Syntax{
		{Name: "add-ucast-" + where, Min: 3, Max: 4, Args: "LS MAC [ENCAP] IP", Needs: t.needs, Run: onSwitch(t.addUcast)},
		{Name: "del-ucast-" + where, Min: 2, Max: 2, Args: "LS MAC", Needs: t.needs, Run: onSwitch(t.delUcast)},
		{Name: "add-mcast-" + where, Min: 3, Max: 4, Args: "LS MAC [ENCAP] IP", Needs: t.needs, Run: onSwitch(t.addMcast)},
		{Name: "del-mcast-" + where, Min: 3, Max: 4, Args: "LS MAC [ENCAP] IP", Needs: t.needs, Run: onSwitch(t.delMcast)},
		{Name: "clear-" + where + "-macs", Min: 1, Max: 1, Args: "LS", Needs: t.needs, Run: onSwitch(t.clear)},
		{Name: "list-" + where + "-macs", Min: 1, Max: 1, Args: "LS", ReadOnly: true, Needs: t.needs, Run: onSwitch(t.list)},
	}
}

func (t macTables) needs(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Logical_Switch", "name")
	n.Table(t.ucast, "MAC", "logical_switch", "locator")
	n.Table(t.mcast, "MAC", "logical_switch", "locator_set")
	n.Table("Physical_Locator", "encapsulation_type", "dst_ip")
	n.Table("Physical_Locator_Set", "locators")
	return nil
}

// onSwitch makes a command of what is to be done with the logical switch that is its
// first argument.
func onSwitch(do func(c *dbctl.Context, ls *client.Row) error) func(*dbctl.Context) error {
	return func(c *dbctl.Context) error {
		ls, err := mustFind(c, "Logical_Switch", "logical switch", c.Arg(1))
		if err != nil {
			return err
		}
		return do(c, ls)
	}
}

// macs returns a table's rows for a logical switch, and an address unless that
// is "", in the order of addresses.
func macs(c *dbctl.Context, table string, ls *client.Row, mac string) []*client.Row {
	var out []*client.Row
	for row := range c.Txn.Rows(table) {
		if u, ok := row.Ref("logical_switch"); ok && u == ls.UUID() && (mac == "" || row.String("MAC") == mac) {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b *client.Row) int {
		return dbctl.Str(a.String("MAC")).Compare(dbctl.Str(b.String("MAC")))
	})
	return out
}

// locatorArg takes [ENCAP] IP, the last arguments, apart.
func locatorArg(c *dbctl.Context) (encap, ip string) {
	if len(c.Argv) > 4 {
		return c.Arg(3), c.Arg(4)
	}
	return defaultEncap, c.Arg(3)
}

// locator finds or makes the locator of the last arguments.
func locator(c *dbctl.Context, create bool) (ovsdb.UUID, bool, error) {
	encap, ip := locatorArg(c)
	for row := range c.Txn.Rows("Physical_Locator") {
		if row.String("encapsulation_type") == encap && row.String("dst_ip") == ip {
			return row.UUID(), true, nil
		}
	}
	if !create {
		return ovsdb.UUID{}, false, nil
	}
	u, err := c.Insert("Physical_Locator", dbctl.Values{"encapsulation_type": dbctl.Str(encap), "dst_ip": dbctl.Str(ip)})
	return u, true, err
}

func (t macTables) addUcast(c *dbctl.Context, ls *client.Row) error {
	u, _, err := locator(c, true)
	if err != nil {
		return err
	}
	if old := macs(c, t.ucast, ls, c.Arg(2)); len(old) > 0 {
		return c.Txn.Set(t.ucast, old[0].UUID(), "locator", dbctl.Refs(u))
	}
	_, err = c.Insert(t.ucast, dbctl.Values{"MAC": dbctl.Str(c.Arg(2)), "logical_switch": dbctl.Refs(ls.UUID()), "locator": dbctl.Refs(u)})
	return err
}

func (t macTables) delUcast(c *dbctl.Context, ls *client.Row) error {
	return deleteAll(c, t.ucast, macs(c, t.ucast, ls, c.Arg(2)))
}

func deleteAll(c *dbctl.Context, table string, rows []*client.Row) error {
	for _, row := range rows {
		if err := c.Txn.Delete(table, row.UUID()); err != nil {
			return err
		}
	}
	return nil
}

// locators returns the locators of a multicast address.
func locators(c *dbctl.Context, row *client.Row) []ovsdb.UUID {
	u, _ := row.Ref("locator_set")
	if set := c.Txn.Row("Physical_Locator_Set", u); set != nil {
		return set.Refs("locators")
	}
	return nil
}

func (t macTables) addMcast(c *dbctl.Context, ls *client.Row) error {
	u, _, err := locator(c, true)
	if err != nil {
		return err
	}
	old := macs(c, t.mcast, ls, c.Arg(2))
	members := []ovsdb.UUID{u}
	if len(old) > 0 {
		have := locators(c, old[0])
		if slices.Contains(have, u) {
			return nil
		}
		members = append(members, have...)
	}
	// A set's members may not change, so it is replaced.
	set, err := c.Insert("Physical_Locator_Set", dbctl.Values{"locators": dbctl.Refs(members...)})
	if err != nil {
		return err
	}
	if len(old) > 0 {
		return c.Txn.Set(t.mcast, old[0].UUID(), "locator_set", dbctl.Refs(set))
	}
	_, err = c.Insert(t.mcast, dbctl.Values{"MAC": dbctl.Str(c.Arg(2)), "logical_switch": dbctl.Refs(ls.UUID()), "locator_set": dbctl.Refs(set)})
	return err
}

func (t macTables) delMcast(c *dbctl.Context, ls *client.Row) error {
	u, found, err := locator(c, false)
	if err != nil || !found {
		return err
	}
	for _, row := range macs(c, t.mcast, ls, c.Arg(2)) {
		have := locators(c, row)
		rest := slices.DeleteFunc(slices.Clone(have), func(l ovsdb.UUID) bool { return l == u })
		switch {
		case len(rest) == len(have):
			continue
		case len(rest) == 0:
			err = c.Txn.Delete(t.mcast, row.UUID())
		default:
			var set ovsdb.UUID
			if set, err = c.Insert("Physical_Locator_Set", dbctl.Values{"locators": dbctl.Refs(rest...)}); err == nil {
				err = c.Txn.Set(t.mcast, row.UUID(), "locator_set", dbctl.Refs(set))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t macTables) clear(c *dbctl.Context, ls *client.Row) error {
	if err := deleteAll(c, t.ucast, macs(c, t.ucast, ls, "")); err != nil {
		return err
	}
	return deleteAll(c, t.mcast, macs(c, t.mcast, ls, ""))
}

func (t macTables) list(c *dbctl.Context, ls *client.Row) error {
	c.Printf("ucast-mac-%s\n", t.where)
	for _, row := range macs(c, t.ucast, ls, "") {
		u, _ := row.Ref("locator")
		t.printOne(c, row.String("MAC"), []ovsdb.UUID{u})
	}
	c.Printf("\nmcast-mac-%s\n", t.where)
	for _, row := range macs(c, t.mcast, ls, "") {
		t.printOne(c, row.String("MAC"), locators(c, row))
	}
	c.Printf("\n")
	return nil
}

// printOne prints a line for each locator of an address.
func (t macTables) printOne(c *dbctl.Context, mac string, us []ovsdb.UUID) {
	var lines []string
	for _, u := range us {
		if l := c.Txn.Row("Physical_Locator", u); l != nil {
			lines = append(lines, l.String("encapsulation_type")+"/"+l.String("dst_ip"))
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		c.Printf("  %s -> %s\n", mac, l)
	}
}

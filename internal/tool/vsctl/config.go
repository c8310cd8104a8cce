package vsctl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/tool/dbctl"
	"weir/internal/vlog"
)

var log = vlog.For("vsctl")

// Connection methods that controllers and managers may have.
var targetTypes = []string{"tcp", "ssl", "unix", "ptcp", "pssl", "punix"}

// warnTarget warns of a target that is no connection method.
func warnTarget(target string) {
	kind, _, ok := strings.Cut(target, ":")
	if !ok || !slices.Contains(targetTypes, kind) {
		log.Warn("target type \"%s\" is possibly erroneous", target)
	}
}

// inactivityProbe parses --inactivity-probe.
func inactivityProbe(c *dbctl.Context) (dbctl.Values, error) {
	text, ok := c.Options["--inactivity-probe"]
	if !ok {
		return dbctl.Values{}, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 {
		return nil, fmt.Errorf("value %s on --inactivity-probe is invalid", text)
	}
	return dbctl.Values{"inactivity_probe": dbctl.Int(ms)}, nil
}

// replaceTargets puts rows of table, one for each target, in the place of those
// that column of the row at owner refers to.
func replaceTargets(c *dbctl.Context, owner string, u ovsdb.UUID, column, table string, targets []string) error {
	for _, old := range c.Txn.Row(owner, u).Refs(column) {
		if c.Txn.Row(table, old) != nil {
			if err := c.Txn.Delete(table, old); err != nil {
				return err
			}
		}
	}
	targets = slices.Clone(targets)
	slices.Sort(targets)
	var rows []ovsdb.UUID
	for _, target := range slices.Compact(targets) {
		warnTarget(target)
		v, err := inactivityProbe(c)
		if err != nil {
			return err
		}
		v["target"] = dbctl.Str(target)
		row, err := c.Insert(table, v)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return c.Txn.Set(owner, u, column, dbctl.Refs(rows...))
}

// printTargets prints the targets of the rows that a column refers to.
func printTargets(c *dbctl.Context, owner string, u ovsdb.UUID, column, table string) {
	var targets []string
	for _, ref := range c.Txn.Row(owner, u).Refs(column) {
		if row := c.Txn.Row(table, ref); row != nil {
			targets = append(targets, row.String("target"))
		}
	}
	c.PrintSorted(targets)
}

func needsController(n *dbctl.Needs, c *dbctl.Command) error {
	n.Table("Bridge", "controller", "fail_mode")
	n.Table("Controller", "target", "inactivity_probe")
	return needsModel(n, c)
}

func cmdGetController(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err == nil {
		printTargets(c, "Bridge", b.row, "controller", "Controller")
	}
	return err
}

func cmdDelController(c *dbctl.Context) error {
	b, err := modelOf(c).realBridge(c.Arg(1))
	if err != nil {
		return err
	}
	return replaceTargets(c, "Bridge", b.row, "controller", "Controller", nil)
}

func cmdSetController(c *dbctl.Context) error {
	b, err := modelOf(c).realBridge(c.Arg(1))
	if err != nil {
		return err
	}
	return replaceTargets(c, "Bridge", b.row, "controller", "Controller", c.Argv[2:])
}

func cmdGetFailMode(c *dbctl.Context) error {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return err
	}
	if mode := c.Txn.Row("Bridge", b.row).String("fail_mode"); mode != "" {
		c.Printf("%s\n", mode)
	}
	return nil
}

func cmdDelFailMode(c *dbctl.Context) error {
	b, err := modelOf(c).realBridge(c.Arg(1))
	if err != nil {
		return err
	}
	return reset(c, "Bridge", b.row, "fail_mode")
}

func cmdSetFailMode(c *dbctl.Context) error {
	b, err := modelOf(c).realBridge(c.Arg(1))
	if err != nil {
		return err
	}
	if mode := c.Arg(2); mode != "standalone" && mode != "secure" {
		return fmt.Errorf("fail-mode must be \"standalone\" or \"secure\"")
	}
	return c.Update("Bridge", b.row, dbctl.Values{"fail_mode": dbctl.Str(c.Arg(2))})
}

func needsManager(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Open_vSwitch", "manager_options")
	n.Table("Manager", "target", "inactivity_probe")
	return nil
}

func cmdGetManager(c *dbctl.Context) error {
	u, _ := rootRow(c)
	printTargets(c, "Open_vSwitch", u, "manager_options", "Manager")
	return nil
}

func cmdSetManager(c *dbctl.Context) error {
	u, _ := rootRow(c)
	return replaceTargets(c, "Open_vSwitch", u, "manager_options", "Manager", c.Argv[1:])
}

func needsSSL(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Open_vSwitch", "ssl")
	n.Table("SSL", "private_key", "certificate", "ca_cert", "bootstrap_ca_cert")
	return nil
}

func cmdGetSSL(c *dbctl.Context) error {
	u, _ := rootRow(c)
	ref, ok := c.Txn.Row("Open_vSwitch", u).Ref("ssl")
	if !ok {
		return nil
	}
	row := c.Txn.Row("SSL", ref)
	if row == nil {
		return nil
	}
	bootstrap, _ := row.Bool("bootstrap_ca_cert")
	c.Printf("Private key: %s\n", row.String("private_key"))
	c.Printf("Certificate: %s\n", row.String("certificate"))
	c.Printf("CA Certificate: %s\n", row.String("ca_cert"))
	c.Printf("Bootstrap: %t\n", bootstrap)
	return nil
}

func cmdDelSSL(c *dbctl.Context) error {
	u, _ := rootRow(c)
	for _, ref := range c.Txn.Row("Open_vSwitch", u).Refs("ssl") {
		if err := c.Txn.Delete("SSL", ref); err != nil {
			return err
		}
	}
	return reset(c, "Open_vSwitch", u, "ssl")
}

func cmdSetSSL(c *dbctl.Context) error {
	if err := cmdDelSSL(c); err != nil {
		return err
	}
	ref, err := c.Insert("SSL", dbctl.Values{
		"private_key": dbctl.Str(c.Arg(1)), "certificate": dbctl.Str(c.Arg(2)), "ca_cert": dbctl.Str(c.Arg(3)),
		"bootstrap_ca_cert": dbctl.Bool(c.Has("--bootstrap")),
	})
	if err != nil {
		return err
	}
	u, _ := rootRow(c)
	return c.Update("Open_vSwitch", u, dbctl.Values{"ssl": dbctl.Refs(ref)})
}

func needsReset(n *dbctl.Needs, c *dbctl.Command) error {
	n.Table("Open_vSwitch", "manager_options", "ssl")
	n.Table("Bridge", "controller", "fail_mode", "mirrors", "netflow", "sflow", "ipfix", "flood_vlans", "other_config", "external_ids")
	n.Table("Port", "other_config", "external_ids")
	n.Table("Interface", "ingress_policing_rate", "ingress_policing_burst")
	for _, table := range []string{"Mirror", "Controller", "Manager", "NetFlow", "SSL", "sFlow", "IPFIX", "Flow_Sample_Collector_Set"} {
		n.Table(table)
	}
	return needsModel(n, c)
}

// cmdEmerReset takes away what isn't needed to reach the machine: all but
// bridges, ports and interfaces, and a bridge's hardware address.
func cmdEmerReset(c *dbctl.Context) error {
	u, _ := rootRow(c)
	if err := reset(c, "Open_vSwitch", u, "manager_options", "ssl"); err != nil {
		return err
	}
	for row := range c.Txn.Rows("Bridge") {
		kept := ovsdb.EmptyDatum(ovsdb.String, ovsdb.String)
		if hwaddr, ok := row.Datum("other_config").Get(ovsdb.StringAtom("hwaddr")); ok {
			kept = ovsdb.MapDatum(ovsdb.String, ovsdb.String, []ovsdb.Pair{{Key: ovsdb.StringAtom("hwaddr"), Value: hwaddr}})
		}
		if err := reset(c, "Bridge", row.UUID(), "controller", "fail_mode", "mirrors", "netflow", "sflow", "ipfix", "flood_vlans", "external_ids"); err != nil {
			return err
		}
		if err := c.Update("Bridge", row.UUID(), dbctl.Values{"other_config": kept}); err != nil {
			return err
		}
	}
	for row := range c.Txn.Rows("Port") {
		if err := reset(c, "Port", row.UUID(), "other_config", "external_ids"); err != nil {
			return err
		}
	}
	for row := range c.Txn.Rows("Interface") {
		if err := reset(c, "Interface", row.UUID(), "ingress_policing_rate", "ingress_policing_burst"); err != nil {
			return err
		}
	}
	for _, table := range []string{"Mirror", "Controller", "Manager", "NetFlow", "SSL", "sFlow", "IPFIX", "Flow_Sample_Collector_Set"} {
		for row := range c.Txn.Rows(table) {
			if err := c.Txn.Delete(table, row.UUID()); err != nil {
				return err
			}
		}
	}
	return nil
}

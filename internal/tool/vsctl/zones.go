package vsctl

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

func needsZones(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Open_vSwitch", "datapaths")
	n.Table("Datapath", "ct_zones", "ct_zone_default_limit")
	n.Table("CT_Zone", "timeout_policy", "limit")
	n.Table("CT_Timeout_Policy", "timeouts")
	return nil
}

func needsCapabilities(n *dbctl.Needs, _ *dbctl.Command) error {
	n.Table("Open_vSwitch", "datapaths")
	n.Table("Datapath", "capabilities")
	return nil
}

// zone is a zone of connection tracking as a command names it: DATAPATH and zone N.
type zone struct {
	dp    *client.Row // of Datapath
	id    int64
	row   ovsdb.UUID // of CT_Zone, where it is found
	found bool
}

// datapath finds the row of a datapath by its type's name.
func datapath(c *dbctl.Context, name string) *client.Row {
	u, _ := rootRow(c)
	ref, ok := c.Txn.Row("Open_vSwitch", u).Datum("datapaths").Get(ovsdb.StringAtom(name))
	if !ok {
		return nil
	}
	return c.Txn.Row("Datapath", ref.UUID())
}

// existingDatapath finds the datapath that is a command's first argument.
func existingDatapath(c *dbctl.Context) (*client.Row, error) {
	if dp := datapath(c, c.Arg(1)); dp != nil {
		return dp, nil
	}
	return nil, fmt.Errorf("datapath %s does not exist", c.Arg(1))
}

// parseZone parses "zone=N".
func parseZone(arg string) (int64, error) {
	text, ok := strings.CutPrefix(arg, "zone=")
	zone, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || zone < 0 || zone > 65535 {
		return 0, fmt.Errorf("invalid zone \"%s\": give zone=N with N between 0 and 65535", arg)
	}
	return zone, nil
}

// zoneOf finds the zone that arg names, of the datapath that is the command's first
// argument.
func zoneOf(c *dbctl.Context, arg string) (z zone, err error) {
	if z.dp, err = existingDatapath(c); err != nil {
		return z, err
	}
	if z.id, err = parseZone(arg); err != nil {
		return z, err
	}
	z.row, z.found = z.dp.IntRefs("ct_zones")[z.id]
	return z, nil
}

// has reports whether the zone says something in a column, timeout_policy or limit.
func (z *zone) has(c *dbctl.Context, column string) bool {
	return z.found && c.Txn.Row("CT_Zone", z.row).Datum(column).Len() > 0
}

// set sets columns of the zone, which it adds to the datapath where it isn't there.
func (z *zone) set(c *dbctl.Context, v dbctl.Values) error {
	if z.found {
		return c.Update("CT_Zone", z.row, v)
	}
	row, err := c.Insert("CT_Zone", v)
	if err != nil {
		return err
	}
	return c.Txn.SetKeys("Datapath", z.dp.UUID(), "ct_zones", ovsdb.MapDatum(ovsdb.Integer, ovsdb.UUIDType,
		[]ovsdb.Pair{{Key: ovsdb.IntAtom(z.id), Value: ovsdb.UUIDAtom(row)}}))
}

// forget empties the zone's column, and removes the zone where it then says nothing
// any more. One that says nothing there is an error, in whose text the column is
// called what, unless --if-exists was given.
func (z *zone) forget(c *dbctl.Context, column, what string) error {
	switch {
	case z.has(c, column):
	case c.Has("--if-exists"):
		return nil
	case z.found:
		return fmt.Errorf("zone id %d does not have a %s", z.id, what)
	default:
		return fmt.Errorf("zone id %d does not exist", z.id)
	}
	if err := reset(c, "CT_Zone", z.row, column); err != nil {
		return err
	}
	if z.has(c, "limit") || z.has(c, "timeout_policy") {
		return nil
	}
	return c.Txn.RemoveElements("Datapath", z.dp.UUID(), "ct_zones", dbctl.Int(z.id))
}

// parseTimeouts parses the policies KEY=SECONDS.
func parseTimeouts(args []string) (ovsdb.Datum, error) {
	var pairs []ovsdb.Pair
	for _, arg := range args {
		key, text, ok := strings.Cut(arg, "=")
		seconds, err := strconv.ParseInt(text, 10, 64)
		if !ok || key == "" || err != nil {
			return ovsdb.Datum{}, fmt.Errorf("invalid timeout policy \"%s\": give NAME=SECONDS", arg)
		}
		pairs = append(pairs, ovsdb.Pair{Key: ovsdb.StringAtom(key), Value: ovsdb.IntAtom(seconds)})
	}
	return ovsdb.MapDatum(ovsdb.String, ovsdb.Integer, pairs), nil
}

func cmdAddZoneTP(c *dbctl.Context) error {
	z, err := zoneOf(c, c.Arg(2))
	if err != nil {
		return err
	}
	timeouts, err := parseTimeouts(c.Argv[3:])
	if err != nil {
		return err
	}
	if z.has(c, "timeout_policy") && !c.Has("--may-exist") {
		return fmt.Errorf("zone id %d already exists", z.id)
	}
	policy, err := c.Insert("CT_Timeout_Policy", dbctl.Values{"timeouts": timeouts})
	if err != nil {
		return err
	}
	return z.set(c, dbctl.Values{"timeout_policy": dbctl.Refs(policy)})
}

func cmdDelZoneTP(c *dbctl.Context) error {
	z, err := zoneOf(c, c.Arg(2))
	if err != nil {
		return err
	}
	return z.forget(c, "timeout_policy", "policy")
}

func cmdListZoneTP(c *dbctl.Context) error {
	dp := datapath(c, c.Arg(1))
	if dp == nil {
		return fmt.Errorf("datapath: %s record not found", c.Arg(1))
	}
	zones := dp.Datum("ct_zones")
	for i := range zones.Len() {
		row := c.Txn.Row("CT_Zone", zones.Value(i).UUID())
		if row == nil {
			continue
		}
		text := "system default"
		if ref, ok := row.Ref("timeout_policy"); ok {
			if policy := c.Txn.Row("CT_Timeout_Policy", ref); policy != nil && policy.Datum("timeouts").Len() > 0 {
				text = string(policy.Datum("timeouts").AppendBare(nil))
			}
		}
		c.Printf("Zone:%d, Timeout Policies: %s\n", zones.Key(i).Int(), text)
	}
	return nil
}

func cmdListDPCap(c *dbctl.Context) error {
	dp := datapath(c, c.Arg(1))
	if dp == nil {
		return fmt.Errorf("datapath \"%s\" record not found", c.Arg(1))
	}
	c.Printf("%s\n", dp.Datum("capabilities").AppendBare(nil))
	return nil
}

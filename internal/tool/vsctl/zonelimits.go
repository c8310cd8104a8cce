package vsctl

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

// The zone limits of connection tracking (ovs-vsctl(8) of release 3.3): how many
// connections a zone may track, in CT_Zone's column limit, and what holds for
// the zones that say nothing, in Datapath's ct_zone_default_limit.

// existingDatapath finds the datapath that is a command's first argument.
func existingDatapath(c *dbctl.Context) (*client.Row, error) {
	if dp := datapath(c, c.Arg(1)); dp != nil {
		return dp, nil
	}
	return nil, fmt.Errorf("datapath %s does not exist", c.Arg(1))
}

// parseLimitedZone parses the zone of a limit: "default", or a number that may
// have "zone=" before it.
func parseLimitedZone(arg string) (zone int64, isDefault bool, err error) {
	if arg == "default" {
		return 0, true, nil
	}
	zone, err = parseZone("zone=" + strings.TrimPrefix(arg, "zone="))
	return zone, false, err
}

// parseLimit parses a number of connections, which may have "limit=" before it.
func parseLimit(arg string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(arg, "limit="), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("invalid limit \"%s\": give a number of connections between 0 (no limit) and 4294967295", arg)
	}
	return int64(n), nil
}

func cmdSetZoneLimit(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	zone, isDefault, err := parseLimitedZone(c.Arg(2))
	if err != nil {
		return err
	}
	limit, err := parseLimit(c.Arg(3))
	if err != nil {
		return err
	}
	if isDefault {
		return c.Update("Datapath", dp.UUID(), dbctl.Values{"ct_zone_default_limit": dbctl.Int(limit)})
	}
	if row, found := dp.IntRefs("ct_zones")[zone]; found {
		return c.Update("CT_Zone", row, dbctl.Values{"limit": dbctl.Int(limit)})
	}
	return addZone(c, dp, zone, dbctl.Values{"limit": dbctl.Int(limit)})
}

// addZone adds a zone with the columns given to a datapath.
func addZone(c *dbctl.Context, dp *client.Row, zone int64, v dbctl.Values) error {
	row, err := c.Insert("CT_Zone", v)
	if err != nil {
		return err
	}
	return c.Txn.SetKeys("Datapath", dp.UUID(), "ct_zones", ovsdb.MapDatum(ovsdb.Integer, ovsdb.UUIDType,
		[]ovsdb.Pair{{Key: ovsdb.IntAtom(zone), Value: ovsdb.UUIDAtom(row)}}))
}

func cmdDelZoneLimit(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	zone, isDefault, err := parseLimitedZone(c.Arg(2))
	if err != nil {
		return err
	}
	if isDefault {
		if dp.Datum("ct_zone_default_limit").Len() == 0 && !c.Has("--if-exists") {
			return fmt.Errorf("datapath %s does not have a limit", c.Arg(1))
		}
		return reset(c, "Datapath", dp.UUID(), "ct_zone_default_limit")
	}
	row, found := dp.IntRefs("ct_zones")[zone]
	if !found || c.Txn.Row("CT_Zone", row).Datum("limit").Len() == 0 {
		if c.Has("--if-exists") {
			return nil
		}
		if !found {
			return fmt.Errorf("zone id %d does not exist", zone)
		}
		return fmt.Errorf("zone id %d does not have a limit", zone)
	}
	return forgetZone(c, dp, zone, "limit")
}

// forgetZone empties a zone's column, and removes the zone where it then says
// nothing any more.
func forgetZone(c *dbctl.Context, dp *client.Row, zone int64, column string) error {
	row := dp.IntRefs("ct_zones")[zone]
	if err := reset(c, "CT_Zone", row, column); err != nil {
		return err
	}
	z := c.Txn.Row("CT_Zone", row)
	if z.Datum("limit").Len() > 0 || z.Datum("timeout_policy").Len() > 0 {
		return nil
	}
	return c.Txn.RemoveElements("Datapath", dp.UUID(), "ct_zones", dbctl.Int(zone))
}

func cmdListZoneLimits(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	if limit, ok := dp.Int("ct_zone_default_limit"); ok {
		c.Printf("Zone:default, Limit: %d\n", limit)
	}
	zones := dp.Datum("ct_zones")
	for i := range zones.Len() {
		row := c.Txn.Row("CT_Zone", zones.Value(i).UUID())
		if row == nil {
			continue
		}
		if limit, ok := row.Int("limit"); ok {
			c.Printf("Zone:%d, Limit: %d\n", zones.Key(i).Int(), limit)
		}
	}
	return nil
}

package vsctl

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/tool/dbctl"
)

// The zone limits of connection tracking (ovs-vsctl(8) of release 3.3): how many
// connections a zone may track, in CT_Zone's column limit, and what holds for
// the zones that say nothing, in Datapath's ct_zone_default_limit.

// parseLimit parses a number of connections, which may have "limit=" before it.
func parseLimit(arg string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(arg, "limit="), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("invalid limit \"%s\": give a number of connections between 0 (no limit) and 4294967295", arg)
	}
	return int64(n), nil
}

// everyZone is what stands for a zone where the limit of those is meant that have
// none of their own.
const everyZone = "default"

// limitedZone finds the zone of a limit, a number that may have "zone=" before it.
func limitedZone(c *dbctl.Context) (zone, error) {
	return zoneOf(c, "zone="+strings.TrimPrefix(c.Arg(2), "zone="))
}

func cmdSetZoneLimit(c *dbctl.Context) error {
	if c.Arg(2) == everyZone {
		return setDefaultLimit(c)
	}
	z, err := limitedZone(c)
	if err != nil {
		return err
	}
	limit, err := parseLimit(c.Arg(3))
	if err != nil {
		return err
	}
	return z.set(c, dbctl.Values{"limit": dbctl.Int(limit)})
}

func setDefaultLimit(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	limit, err := parseLimit(c.Arg(3))
	if err != nil {
		return err
	}
	return c.Update("Datapath", dp.UUID(), dbctl.Values{"ct_zone_default_limit": dbctl.Int(limit)})
}

func cmdDelZoneLimit(c *dbctl.Context) error {
	if c.Arg(2) == everyZone {
		return delDefaultLimit(c)
	}
	z, err := limitedZone(c)
	if err != nil {
		return err
	}
	return z.forget(c, "limit", "limit")
}

func delDefaultLimit(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	if dp.Datum("ct_zone_default_limit").Len() == 0 && !c.Has("--if-exists") {
		return fmt.Errorf("datapath %s does not have a limit", c.Arg(1))
	}
	return reset(c, "Datapath", dp.UUID(), "ct_zone_default_limit")
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

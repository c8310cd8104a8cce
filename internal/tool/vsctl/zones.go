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

// datapath finds the row of a datapath by its type's name.
func datapath(c *dbctl.Context, name string) *client.Row {
	u, _ := rootRow(c)
	ref, ok := c.Txn.Row("Open_vSwitch", u).Datum("datapaths").Get(ovsdb.StringAtom(name))
	if !ok {
		return nil
	}
	return c.Txn.Row("Datapath", ref.UUID())
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
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	zone, err := parseZone(c.Arg(2))
	if err != nil {
		return err
	}
	timeouts, err := parseTimeouts(c.Argv[3:])
	if err != nil {
		return err
	}
	existing, found := dp.IntRefs("ct_zones")[zone]
	if found && hasPolicy(c, existing) && !c.Has("--may-exist") {
		return fmt.Errorf("zone id %d already exists", zone)
	}
	policy, err := c.Insert("CT_Timeout_Policy", dbctl.Values{"timeouts": timeouts})
	if err != nil {
		return err
	}
	if found {
		return c.Update("CT_Zone", existing, dbctl.Values{"timeout_policy": dbctl.Refs(policy)})
	}
	return addZone(c, dp, zone, dbctl.Values{"timeout_policy": dbctl.Refs(policy)})
}

// hasPolicy reports whether a zone has timeouts; it may have only a limit.
func hasPolicy(c *dbctl.Context, zone ovsdb.UUID) bool {
	return c.Txn.Row("CT_Zone", zone).Datum("timeout_policy").Len() > 0
}

func cmdDelZoneTP(c *dbctl.Context) error {
	dp, err := existingDatapath(c)
	if err != nil {
		return err
	}
	zone, err := parseZone(c.Arg(2))
	if err != nil {
		return err
	}
	row, found := dp.IntRefs("ct_zones")[zone]
	switch {
	case found && hasPolicy(c, row):
	case c.Has("--if-exists"):
		return nil
	case found:
		return fmt.Errorf("zone id %d does not have a policy", zone)
	default:
		return fmt.Errorf("zone id %d does not exist", zone)
	}
	return forgetZone(c, dp, zone, "timeout_policy")
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

func needsAA(n *dbctl.Needs, c *dbctl.Command) error {
	n.Table("Bridge", "auto_attach")
	n.Table("AutoAttach", "mappings")
	return needsModel(n, c)
}

// autoAttach returns a bridge's AutoAttach row, nil if it has none.
func autoAttach(c *dbctl.Context) (*bridge, *client.Row, error) {
	b, err := modelOf(c).bridge(c.Arg(1))
	if err != nil {
		return nil, nil, err
	}
	ref, ok := c.Txn.Row("Bridge", b.row).Ref("auto_attach")
	if !ok {
		return b, nil, nil
	}
	return b, c.Txn.Row("AutoAttach", ref), nil
}

// parseMapping parses the I-SID and VLAN of a mapping.
func parseMapping(c *dbctl.Context) (isid, vlan int64, err error) {
	isid, err1 := strconv.ParseInt(c.Arg(2), 10, 64)
	vlan, err2 := strconv.ParseInt(c.Arg(3), 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%s: I-SID and VLAN must be integers, not \"%s\" and \"%s\"", c.Arg(0), c.Arg(2), c.Arg(3))
	}
	return isid, vlan, nil
}

func cmdAddAA(c *dbctl.Context) error {
	b, aa, err := autoAttach(c)
	if err != nil {
		return err
	}
	isid, vlan, err := parseMapping(c)
	if err != nil {
		return err
	}
	mapping := ovsdb.MapDatum(ovsdb.Integer, ovsdb.Integer, []ovsdb.Pair{{Key: ovsdb.IntAtom(isid), Value: ovsdb.IntAtom(vlan)}})
	if aa != nil {
		return c.Txn.SetKeys("AutoAttach", aa.UUID(), "mappings", mapping)
	}
	u, err := c.Insert("AutoAttach", dbctl.Values{"mappings": mapping})
	if err != nil {
		return err
	}
	return c.Update("Bridge", b.row, dbctl.Values{"auto_attach": dbctl.Refs(u)})
}

func cmdDelAA(c *dbctl.Context) error {
	_, aa, err := autoAttach(c)
	if err != nil || aa == nil {
		return err
	}
	isid, vlan, err := parseMapping(c)
	if err != nil {
		return err
	}
	return c.Txn.RemoveElements("AutoAttach", aa.UUID(), "mappings", ovsdb.MapDatum(ovsdb.Integer, ovsdb.Integer,
		[]ovsdb.Pair{{Key: ovsdb.IntAtom(isid), Value: ovsdb.IntAtom(vlan)}}))
}

func cmdGetAA(c *dbctl.Context) error {
	_, aa, err := autoAttach(c)
	if err != nil || aa == nil {
		return err
	}
	mappings := aa.Datum("mappings")
	for i := range mappings.Len() {
		c.Printf("%d %d\n", mappings.Key(i).Int(), mappings.Value(i).Int())
	}
	return nil
}

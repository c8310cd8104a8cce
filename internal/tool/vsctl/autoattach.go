package vsctl

import (
	"fmt"
	"strconv"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/dbctl"
)

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

package ofctl

import (
	"fmt"
	"strconv"

	"weir/internal/openflow"
)

// nameTable names a table (ovs-ofctl(8), mod-table). Before OpenFlow 1.5 a request
// that sets features stands for all tables, so it says of the others what they
// are.
func (t *tool) nameTable(remote string, id uint8, setting, name string) error {
	versions := openflow.Versions(openflow.V13, openflow.V14, openflow.V15)
	switch {
	case id == openflow.TableAny:
		return fmt.Errorf("invalid table_mod setting %s", setting)
	case t.versions&versions == 0:
		return fmt.Errorf("table_mod '%s' requires one of the OpenFlow versions %s", setting, versionNames(versions))
	}
	t.versions &= versions
	return t.with(remote, func(v *conn) error {
		const modify = 1 // OpenFlow 1.5.1, 7.3.5.18: OFPTFC_MODIFY
		tables, failed, err := v.tableFeatures(&openflow.TableFeaturesRequest{})
		if err != nil {
			return err
		}
		if failed != nil {
			return v.fatalMessage(failed)
		}
		var set []openflow.TableFeatures
		found := false
		for i := range tables {
			f := &tables[i]
			if f.TableID == id {
				f.Name, found = name, true
			} else if v.version >= openflow.V15 {
				continue
			}
			if v.version >= openflow.V15 {
				f.Command, f.AnyProps = modify, false
			}
			set = append(set, *f)
		}
		if !found {
			return fmt.Errorf("%s: table %d doesn't exist", remote, id)
		}
		_, failed, err = v.tableFeatures(&openflow.TableFeaturesRequest{Tables: set})
		if err == nil && failed != nil {
			err = v.fatalMessage(failed)
		}
		return err
	})
}

// tableFeatures asks for, or sets, the features of tables. failed is the error
// message that was the answer instead.
func (v *conn) tableFeatures(m *openflow.TableFeaturesRequest) (tables []openflow.TableFeatures, failed []byte, err error) {
	xid, err := v.send(m)
	if err != nil {
		return nil, nil, err
	}
	for {
		b, err := v.recvXid(xid)
		if err != nil || b[1] == 1 {
			return nil, b, err
		}
		r, h, err := decode[*openflow.TableFeaturesReply](v, b)
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, r.Tables...)
		if !h.More {
			return tables, nil, nil
		}
	}
}

// tableArg reads a table by number or name. The names are asked for in any case,
// as the C program does: transaction ids that follow equal its.
func (t *tool) tableArg(remote, s string) (uint8, error) {
	unknown := fmt.Errorf("unknown table \"%s\"", s)
	v, err := t.open(remote)
	if err != nil {
		return 0, err
	}
	defer v.close()
	tables, err := v.namedTables()
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseUint(s, 0, 8); err == nil {
		return uint8(n), nil
	}
	if id, ok := newTableMap(tables).TableNumber(s); ok {
		return id, nil
	}
	return 0, unknown
}

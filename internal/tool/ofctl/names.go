package ofctl

import (
	"weir/internal/openflow"
)

// portMap gives the ports of a switch their names.
type portMap struct {
	byName map[string]uint32
	byPort map[uint32]string
}

func (m *portMap) PortName(p uint32) (string, bool) {
	n, ok := m.byPort[p]
	return n, ok
}

func (m *portMap) PortNumber(n string) (uint32, bool) {
	p, ok := m.byName[n]
	return p, ok
}

// namesFor fetches the names of ports and tables where the text may hold one, or names are
// to be shown.
func (t *tool) namesFor(remote, text string) *openflow.Names {
	if !t.showNames() && !mayHoldName(text) {
		return nil
	}
	names, err := t.fetchNames(remote)
	if err != nil {
		return nil
	}
	return names
}

// mayHoldName: some word isn't a plain flow keyword or number. Looking for port
// names costs a connection, so it is done only after parsing without fails.
func mayHoldName(text string) bool {
	if text == "" {
		return false
	}
	for _, command := range []int{int(openflow.FlowAdd) - 1, int(openflow.FlowDelete)} {
		if _, _, err := openflow.ParseFlowMod(text, command, openflow.ParseOptions{}); err == nil {
			return false
		}
	}
	return true
}

// shownNames are the names to print with, nil where numbers are wanted.
func (t *tool) shownNames(v *conn) *openflow.Names {
	if !t.showNames() {
		return nil
	}
	if v.names == nil {
		names, err := v.fetchNames()
		if err != nil {
			return nil
		}
		v.names = names
	}
	return v.names
}

func newPortMap(ports []openflow.PortDesc) *portMap {
	m := &portMap{map[string]uint32{}, map[uint32]string{}}
	seen := map[string]int{}
	for _, p := range ports {
		seen[p.Name]++
	}
	for _, p := range ports {
		if seen[p.Name] == 1 { // names cut short may be ambiguous
			m.byName[p.Name], m.byPort[uint32(p.PortNo)] = uint32(p.PortNo), p.Name
		}
	}
	return m
}

// tableMap gives the tables of a switch their names.
type tableMap struct {
	byName map[string]uint8
	byID   map[uint8]string
}

func (m *tableMap) TableName(id uint8) (string, bool) {
	n, ok := m.byID[id]
	return n, ok
}

func (m *tableMap) TableNumber(n string) (uint8, bool) {
	id, ok := m.byName[n]
	return id, ok
}

// newTableMap leaves out what has no name, and names of several tables.
func newTableMap(tables []openflow.TableFeatures) *tableMap {
	m := &tableMap{map[string]uint8{}, map[uint8]string{}}
	seen := map[string]int{}
	for i := range tables {
		seen[tables[i].Name]++
	}
	for i := range tables {
		if f := &tables[i]; f.Name != "" && seen[f.Name] == 1 {
			m.byName[f.Name], m.byID[f.TableID] = f.TableID, f.Name
		}
	}
	return m
}

// fetchNames asks for the names of ports and tables on a connection of its own.
func (t *tool) fetchNames(remote string) (*openflow.Names, error) {
	v, err := t.openSocket(remote, "mgmt", t.versions)
	if err != nil {
		return nil, err
	}
	defer v.close()
	return v.fetchNames()
}

// fetchNames asks for the names of ports and tables. A switch that doesn't tell
// of its tables has unnamed ones.
func (v *conn) fetchNames() (*openflow.Names, error) {
	ports, err := v.portDescs()
	if err != nil {
		return nil, err
	}
	names := &openflow.Names{Ports: newPortMap(ports)}
	if tables, err := v.namedTables(); err == nil {
		names.Tables = newTableMap(tables)
	}
	return names, nil
}

// namedTables asks for the tables where their names stand: in the statistics
// before OpenFlow 1.3, else in the features.
func (v *conn) namedTables() ([]openflow.TableFeatures, error) {
	if v.version >= openflow.V13 {
		tables, _, err := v.tableFeatures(&openflow.TableFeaturesRequest{})
		return tables, err
	}
	xid, err := v.send(&openflow.TableStatsRequest{})
	if err != nil {
		return nil, err
	}
	var out []openflow.TableFeatures
	for {
		b, err := v.recvXid(xid)
		if err != nil {
			return nil, err
		}
		r, h, err := decode[*openflow.TableStatsReply](v, b)
		if err != nil {
			return nil, err
		}
		out = append(out, r.Features...)
		if !h.More {
			return out, nil
		}
	}
}

// portDescs asks for the ports' descriptions: in the features reply where they
// are there, else by port-desc.
func (v *conn) portDescs() ([]openflow.PortDesc, error) {
	if v.version < openflow.V13 {
		b, err := v.transact(&openflow.FeaturesRequest{})
		if err != nil {
			return nil, err
		}
		f, _, err := decode[*openflow.FeaturesReply](v, b)
		if err != nil {
			return nil, err
		}
		const maxPorts = (65535 - 32) / 48 // the rest doesn't fit the message
		if len(f.Ports) < maxPorts {
			return f.Ports, nil
		}
	}
	xid, err := v.send(&openflow.PortDescRequest{Port: openflow.PortNone})
	if err != nil {
		return nil, err
	}
	var out []openflow.PortDesc
	for {
		b, err := v.recvXid(xid)
		if err != nil {
			return nil, err
		}
		r, h, err := decode[*openflow.PortDescReply](v, b)
		if err != nil {
			return nil, err
		}
		out = append(out, r.Ports...)
		if !h.More {
			return out, nil
		}
	}
}

// namesFor2 are the names of a switch's ports and tables, none when it doesn't answer.
func (t *tool) namesFor2(remote string) *openflow.Names {
	names, err := t.fetchNames(remote)
	if err != nil {
		return &openflow.Names{}
	}
	return names
}

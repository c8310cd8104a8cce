package vswitchd

import (
	"weir/internal/datapath"
	"weir/internal/ovsdb"
)

// DatapathConf is a row of table Datapath, by the type that refers to it.
type DatapathConf struct {
	UUID  ovsdb.UUID
	Notes []note // what is asked for in vain
}

// capabilities writes what the data paths can do into the rows that the
// database has for them.
func (s *Switch) capabilities() {
	if s.desired.Open == nil {
		return
	}
	for typ, row := range s.desired.Open.Datapaths {
		s.report("Datapath "+typ, row.Notes)
		be := s.backends[typ]
		if be == nil {
			continue
		}
		if p, ok := be.Backend.(*provider); ok {
			s.writer.set("Datapath", row.UUID, "capabilities", texts(capabilityMap(p.dp.Features())))
			s.writer.set("Datapath", row.UUID, "datapath_version", text("<built-in>"))
		}
	}
}

// capabilityMap is Datapath.capabilities (ovs-vswitchd.conf.db(5)).
func capabilityMap(f datapath.Features) map[string]string {
	m := map[string]string{}
	for i := range datapath.FeatureTable {
		row := &datapath.FeatureTable[i]
		m[row.Name] = row.Value(&f)
	}
	return m
}

package vswitchd

import (
	"strconv"

	"weir/internal/datapath"
	"weir/internal/ovsdb"
)

// DatapathConf is a row of table Datapath, by the type that refers to it.
type DatapathConf struct {
	UUID  ovsdb.UUID
	Zones bool // it configures zones of connection tracking
}

// capabilities writes what the data paths can do into the rows that the
// database has for them.
func (s *Switch) capabilities() {
	if s.desired.Open == nil {
		return
	}
	for typ, row := range s.desired.Open.Datapaths {
		if row.Zones {
			s.report("Datapath "+typ, []string{"zones of connection tracking (ct_zones) are not supported yet: they have no effect"})
		}
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
	m := map[string]string{
		"max_vlan_headers": strconv.Itoa(f.MaxVLANs),
		"sample_nesting":   strconv.Itoa(f.SampleNesting),
		"max_hash_alg":     strconv.Itoa(int(f.MaxHashAlg)),
	}
	for key, on := range map[string]bool{
		"recirc": f.Recirc, "lb_output_action": f.LBOutput, "masked_set_action": f.MaskedSet,
		"tnl_push_pop": f.TNLPush, "ufid": f.UFID, "trunc": f.Trunc, "clone": f.Clone,
		"check_pkt_len": f.CheckPktLen, "explicit_drop_action": f.DropAction,
		"ct_state": f.CTState, "ct_state_nat": f.CTNAT, "ct_zone": f.CTZone, "ct_mark": f.CTMark, "ct_label": f.CTLabel,
		"ct_eventmask": false, "ct_clear": false, "ct_timeout": false, "ct_zero_snat": false,
		"ct_orig_tuple": false, "ct_orig_tuple6": false, "nd_ext": false,
	} {
		m[key] = strconv.FormatBool(on)
	}
	return m
}

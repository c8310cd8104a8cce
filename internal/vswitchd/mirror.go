package vswitchd

import (
	"cmp"
	"slices"

	"weir/internal/flow"
	"weir/internal/ofproto"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/xlate"
)

// MirrorConf is one desired mirror (table Mirror).
type MirrorConf struct {
	UUID       ovsdb.UUID
	Name       string
	SelectAll  bool
	Src, Dst   []string // names of ports
	VLANs      []int64
	Filter     string // a match in the syntax of ovs-ofctl; empty: none
	OutputPort string
	OutputVLAN int64 // 0: none
	Snaplen    int64 // 0: none
}

func readMirrors(s *client.Snapshot, r *client.Row, b *BridgeConf) {
	names := func(ids []ovsdb.UUID) []string {
		var out []string
		for _, id := range ids {
			if p := s.Row("Port", id); p != nil {
				out = append(out, p.String("name"))
			}
		}
		slices.Sort(out)
		return out
	}
	for _, id := range r.Refs("mirrors") {
		m := s.Row("Mirror", id)
		if m == nil {
			continue
		}
		c := MirrorConf{
			UUID: id, Name: m.String("name"), VLANs: m.Ints("select_vlan"), Filter: m.String("filter"),
			Src: names(m.Refs("select_src_port")), Dst: names(m.Refs("select_dst_port")),
		}
		c.SelectAll, _ = m.Bool("select_all")
		if out, ok := m.Ref("output_port"); ok {
			c.OutputPort = names([]ovsdb.UUID{out})[0]
		}
		c.OutputVLAN, _ = m.Int("output_vlan")
		c.Snaplen, _ = m.Int("snaplen")
		b.Mirrors = append(b.Mirrors, c)
	}
	slices.SortFunc(b.Mirrors, func(x, y MirrorConf) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.UUID[:], y.UUID[:]))
	})
}

// wholePacket is the snaplen that cuts no packet.
const wholePacket = 65535

// mirrors are the mirrors of a bridge that can be. Others are told of in the
// notes of the bridge.
func (s *Switch) mirrors(b *bridge) []ofproto.MirrorConfig {
	var out []ofproto.MirrorConfig
	refuse := func(m *MirrorConf, why string) {
		b.notes = append(b.notes, invalid("mirror %s: %s", m.Name, why))
	}
	for i := range b.conf.Mirrors {
		m := &b.conf.Mirrors[i]
		c := ofproto.MirrorConfig{
			ID: m.UUID.String(), Name: m.Name, SelectAll: m.SelectAll, Src: m.Src, Dst: m.Dst, VLANs: vlans(m.VLANs),
			OutPort: m.OutputPort,
		}
		if m.Snaplen < wholePacket {
			c.Snaplen = uint32(m.Snaplen)
		}
		switch {
		case len(out) == xlate.MaxMirrors:
			refuse(m, "a bridge can have 32 mirrors: this one copies nothing")
			continue
		case m.OutputPort == "" && m.OutputVLAN == 0:
			refuse(m, "it has neither an output_port nor an output_vlan: it copies nothing")
			continue
		case m.OutputPort != "" && m.OutputVLAN != 0:
			refuse(m, "it has both an output_port and an output_vlan: copies go to the port alone")
		case m.OutputPort == "":
			c.OutVLAN = uint16(m.OutputVLAN)
		}
		if m.Filter != "" {
			match, err := flow.ParseMatch(m.Filter, nil)
			if err != nil {
				refuse(m, "filter: "+err.Error()+": it copies nothing")
				continue
			}
			c.Filter = match
		}
		out = append(out, c)
	}
	return out
}

// mirrorStats writes the counters of a bridge's mirrors.
func (w *writer) mirrorStats(b *bridge) {
	if len(b.conf.Mirrors) == 0 {
		return
	}
	stats := b.obj.MirrorStats()
	for i := range b.conf.Mirrors {
		id := b.conf.Mirrors[i].UUID
		m := map[string]int64{}
		if st, ok := stats[id.String()]; ok {
			m["tx_packets"], m["tx_bytes"] = int64(st.Packets), int64(st.Bytes)
		}
		w.set("Mirror", id, "statistics", numbers(m))
	}
}

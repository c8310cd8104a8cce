package ofproto

import (
	"slices"

	"weir/internal/xlate"
)

// mirrorCounters are the counters of a bridge's mirrors, by ID; they outlive
// snapshots. The backend's mu owns the map.
type mirrorCounters map[string]*xlate.MirrorStats

// configureMirrors keeps counters for the mirrors of a configuration and has
// forgotten what was learned on ports that only mirrors may use now. The caller
// holds be.mu.
func (b *Bridge) configureMirrors(mirrors []MirrorConfig) {
	old := b.mirrors
	b.mirrors = mirrorCounters{}
	for i := range mirrors {
		m := &mirrors[i]
		b.mirrors[m.ID] = old[m.ID]
		if b.mirrors[m.ID] == nil {
			b.mirrors[m.ID] = new(xlate.MirrorStats)
		}
		if out := b.bundles[m.OutPort]; out != nil {
			b.macs.FlushOwner(out)
		}
	}
}

// MirrorStats are the counters of the mirrors, by ID. What packets that the
// data path still counts add comes with the next revalidation.
func (b *Bridge) MirrorStats() map[string]MirrorStats {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	out := map[string]MirrorStats{}
	for id, st := range b.mirrors {
		out[id] = MirrorStats{st.Packets.Load(), st.Bytes.Load()}
	}
	return out
}

// buildMirrors puts the mirrors into a bridge whose bundles are built. One
// whose output port isn't there is left out.
func (b *Bridge) buildMirrors(xb *xlate.Bridge) {
	byName := map[string]*xlate.Bundle{}
	for _, bu := range xb.Bundles {
		byName[bu.Name] = bu
	}
	for i := range b.cfg.Mirrors {
		c := &b.cfg.Mirrors[i]
		m := &xlate.Mirror{
			Name: c.Name, Filter: c.Filter, OutVLAN: c.OutVLAN, Snaplen: c.Snaplen,
			VLANs: xlate.NewVLANSet(c.VLANs), Stats: b.mirrors[c.ID],
		}
		if c.OutPort != "" {
			if m.Out = byName[c.OutPort]; m.Out == nil {
				continue
			}
			m.Out.MirrorOut = true
		}
		bit := xlate.MirrorSet(1) << len(xb.Mirrors)
		xb.Mirrors = append(xb.Mirrors, m)
		for _, bu := range xb.Bundles {
			if c.SelectAll || slices.Contains(c.Src, bu.Name) {
				bu.MirrorSrc |= bit
			}
			if c.SelectAll || slices.Contains(c.Dst, bu.Name) {
				bu.MirrorDst |= bit
			}
		}
	}
	for _, m := range xb.Mirrors {
		for i, other := range xb.Mirrors {
			if m.Out == other.Out && (m.Out != nil || m.OutVLAN == other.OutVLAN) {
				m.Same |= 1 << i
			}
		}
	}
}

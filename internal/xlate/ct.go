package xlate

import (
	"net/netip"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// ct sends the packet through the connection tracker (ovs-actions(7), "The ct
// action"). With a table, a copy of it goes on there once the data path has
// looked the connection up; what follows the action sees an untracked packet.
func (x *Translator) ct(a *openflow.CT) {
	x.commit()
	zone := a.ZoneImm
	if a.ZoneSrc.Field != nil {
		x.mark(a.ZoneSrc)
		zone = uint16(x.get(a.ZoneSrc).Lo)
	}
	d := &datapath.CT{Zone: zone, Commit: a.Flags&openflow.CTCommit != 0, Force: a.Flags&openflow.CTForce != 0}
	x.ctActions(a, d)
	if d.Commit {
		switch a.ALG {
		case openflow.CTALGFTP:
			d.Helper = "ftp"
		case openflow.CTALGTFTP:
			d.Helper = "tftp"
		}
	}
	x.irreversible++
	x.emit(d)
	if !x.cfg.Features.CTState {
		// The data path ends the packet here.
		x.res.Drop = DropReason{Kind: DropNoTracker, Bridge: x.bridge.Name, Table: x.table, Rule: x.rule}
		x.countDrop(x.res.Drop)
	}
	if a.Table != openflow.CTNoTable {
		x.forkTracked(d, a.Table)
	}
	forgetConnection(&x.flow)
	x.conntracked = false
	x.detail("Sets the packet to an untracked state, and clears all the conntrack fields.")
}

// ctActions runs the actions inside ct: what exec sets is for the connection,
// and what it leaves of the mark and label stays as it is there.
func (x *Translator) ctActions(a *openflow.CT, d *datapath.CT) {
	mark, label, oldMark, oldLabel := x.flow.CTMark, x.flow.CTLabel, x.wc.CTMark, x.wc.CTLabel
	x.wc.CTMark, x.wc.CTLabel = 0, [16]byte{}
	if x.trace != nil && len(a.Actions) == 0 {
		x.trace.add(NodeAction, "drop")
	}
	for _, in := range a.Actions {
		x.traceAction(in)
		if nat, ok := in.(*openflow.NAT); ok {
			d.NAT = natOf(nat)
			continue
		}
		x.change(in)
	}
	d.Mark, d.MarkMask = x.flow.CTMark&x.wc.CTMark, x.wc.CTMark
	d.LabelMask = x.wc.CTLabel
	for i, m := range d.LabelMask {
		d.Label[i] = x.flow.CTLabel[i] & m
	}
	x.flow.CTMark, x.flow.CTLabel = mark, label
	x.wc.CTMark, x.wc.CTLabel = oldMark, oldLabel
	for _, in := range a.Actions {
		x.markRead(in)
	}
}

// markRead marks what an action inside ct reads, if that is the mark or label
// of the packet's own connection.
func (x *Translator) markRead(a openflow.Action) {
	if m, ok := a.(*openflow.Move); ok {
		x.mark(m.Src)
	}
}

func natOf(a *openflow.NAT) *datapath.NAT {
	n := &datapath.NAT{
		Src: a.Flags&openflow.NATSrc != 0, Dst: a.Flags&openflow.NATDst != 0,
		Persistent: a.Flags&openflow.NATPersistent != 0, Hash: a.Flags&openflow.NATProtoHash != 0,
		Random: a.Flags&openflow.NATProtoRandom != 0, MinPort: a.ProtoMin, MaxPort: a.ProtoMax,
	}
	if a.HasAddr {
		n.MinAddr, n.MaxAddr = natAddr(a.AddrMin, a.IPv6), natAddr(a.AddrMax, a.IPv6)
	}
	return n
}

// natAddr is an address of a NAT action; zero is none.
func natAddr(b [16]byte, v6 bool) netip.Addr {
	switch {
	case b == [16]byte{}:
		return netip.Addr{}
	case v6:
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// forkTracked sends a copy of the packet, as the tracker leaves it, to a table.
func (x *Translator) forkTracked(d *datapath.CT, table uint8) {
	x.detail("A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table %d.", table)
	s := x.freezeForData(nil)
	s.Table, s.Lookup = table, true
	id := x.cfg.Recircs.Alloc(s)
	x.res.Recircs = append(x.res.Recircs, id)
	x.emit(&datapath.Recirc{ID: id})
	if x.trace != nil {
		x.trace.Forks = append(x.trace.Forks, Fork{ID: id, Key: x.flow, CT: d})
	}
}

// clearConnection is ct_clear.
func (x *Translator) clearConnection() {
	if !x.conntracked && x.flow.CTState == 0 {
		return
	}
	x.irreversible++
	x.emit(&datapath.CTClear{})
	x.conntracked = false
	forgetConnection(&x.flow)
}

// forgetConnection takes out of a key what the tracker said of the packet.
func forgetConnection(k *flow.Key) {
	k.CTState, k.CTZone, k.CTMark, k.CTLabel, k.CTNwProto = 0, 0, 0, [16]byte{}, 0
	k.CTIPSrc, k.CTIPDst, k.CTTpSrc, k.CTTpDst = 0, 0, 0, 0
	k.CTIPv6Src, k.CTIPv6Dst = [16]byte{}, [16]byte{}
}

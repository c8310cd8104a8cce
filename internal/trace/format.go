// Package trace explains translation: it runs the translator on a flow or
// packet that a user gives and prints every step, as ofproto/trace of
// ovs-vswitchd(8) does.
package trace

import (
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

// terminal reports whether a node is a leaf of the text: nothing below it is
// indented less than a step.
func terminal(k xlate.NodeKind) bool {
	switch k {
	case xlate.NodeBridge, xlate.NodeTable, xlate.NodeThaw:
		return false
	}
	return true
}

// writeNodes prints nodes. What ends a list of steps goes on at the level of
// the list, for a chain of lookups is easier read flat; anything else nests.
func writeNodes(b *strings.Builder, nodes []*xlate.Node, level int) {
	for i, n := range nodes {
		step := 0
		if i+1 < len(nodes) || terminal(n.Kind) {
			step = 1
		}
		indent := strings.Repeat(" ", (level+step)*4)
		if n.Kind == xlate.NodeBridge {
			b.WriteByte('\n')
		}
		b.WriteString(indent)
		switch n.Kind {
		case xlate.NodeDetail:
			b.WriteString(" -> " + n.Text)
		case xlate.NodeWarn:
			b.WriteString(" >> " + n.Text)
		case xlate.NodeError:
			b.WriteString(" >>>> " + n.Text + " <<<<")
		case xlate.NodeBridge:
			b.WriteString(n.Text + "\n" + indent + strings.Repeat("-", len(n.Text)))
		default:
			b.WriteString(n.Text)
		}
		b.WriteByte('\n')
		writeNodes(b, n.Subs, level+2*step)
	}
}

// slowTexts explain the reasons for the slow path, in the order of their bits.
var slowTexts = []string{
	"Consists of CFM packets",
	"Consists of BFD packets",
	"Consists of LACP packets",
	"Consists of STP packets",
	"Consists of LLDP packets",
	"Uses action(s) not supported by datapath",
	"Datapath can't match specifically enough",
}

// megaflowMatch is the match that the result's mask makes of a key. A missing
// tag needs no bits: the EtherType says that there is none.
func megaflowMatch(key *flow.Key, mask *flow.Mask) *flow.Match {
	m := &flow.Match{Key: *key, Mask: *mask}
	for i := range m.Mask.VLANs {
		if key.VLANs[i].TCI == 0 {
			m.Mask.VLANs[i] = flow.VLAN{}
		}
	}
	// TPIDs of tags are part of the tag.
	for i := range m.Mask.VLANs {
		m.Mask.VLANs[i].TPID = 0
	}
	m.ZeroWild()
	return m
}

// writeResult prints what came out of one translation.
func writeResult(b *strings.Builder, key *flow.Key, r *xlate.Result, o *printing) {
	b.WriteString("\nFinal flow: ")
	final, start := r.Key, *key
	start.ActsetOutput = uint32(openflow.PortUnset)
	if final == start {
		b.WriteString("unchanged")
	} else {
		final.ActsetOutput = 0
		b.WriteString(final.FormatOptions(o.ports, o.tlv))
	}
	b.WriteString("\nMegaflow: ")
	megaflow := megaflowMatch(key, &r.Mask)
	if !key.Tunnel.IsZero() {
		megaflow.TLV = o.tlv
	}
	b.WriteString(megaflow.Format(flow.DefaultPriority, o.ports))
	b.WriteString("\nDatapath actions: ")
	b.WriteString(datapath.FormatActions(r.Actions, o.dp))
	switch {
	case r.Err != xlate.ErrNone:
		b.WriteString("\nTranslation failed (" + r.Err.String() + "), packet is dropped.\n")
	case r.Slow != 0:
		b.WriteString("\nThis flow is handled by the userspace slow path because it:")
		for i, text := range slowTexts {
			if r.Slow&(1<<i) != 0 {
				b.WriteString("\n  - " + text + ".")
			}
		}
	}
}

// printing says how ports are named.
type printing struct {
	ports flow.PortNames
	dp    *datapath.Namer
	tlv   *flow.TLVTable
}

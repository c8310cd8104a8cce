// Package trace explains translation: it runs the translator on a flow or
// packet that a user gives and prints every step, as ofproto/trace of
// ovs-vswitchd(8) does.
package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
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

// String is the report as users know it.
func (rep *Report) String() string {
	var b strings.Builder
	b.Grow(1024)
	for i := range rep.Rounds {
		r := &rep.Rounds[i]
		if r.Fork != nil {
			r.announce(&b)
		}
		b.WriteString("Flow: " + r.Key.FormatTraced(rep.ports, rep.tlv) + "\n")
		writeNodes(&b, r.Steps, 0)
		rep.writeResult(&b, r)
	}
	return b.String()
}

// announce says where the packet of a round comes from.
func (r *Round) announce(b *strings.Builder) {
	line := strings.Repeat("=", 79)
	fmt.Fprintf(b, "\n\n%s\nrecirc(%#x) - resume conntrack with ", line, r.Fork.ID)
	switch {
	case r.Assumed:
		b.WriteString("default ct_state=trk|new (use --ct-next to customize)")
	case r.CTState == 0:
		b.WriteString("ct_state=0")
	default:
		b.WriteString("ct_state=" + ctStateText(r.CTState))
	}
	if r.Fork.CT.NAT != nil {
		b.WriteString("\nReplacing src/dst IP/ports to simulate NAT:")
		before, after := "", ""
		if r.Before != nil {
			before, after = endpoints(r.Before), endpoints(&r.Key)
		}
		b.WriteString("\n Initial flow: " + before + "\n Modified flow: " + after)
	}
	b.WriteString("\n" + line + "\n\n")
}

func ctStateText(s uint8) string { return flow.FormatCTState(s) }

// endpoints are the addresses and ports of a packet.
func endpoints(k *flow.Key) string {
	if k.EthType == packet.EtherTypeIPv6 {
		return fmt.Sprintf("ipv6_src=[%v],tp_src=%d,ipv6_dst=[%v],tp_dst=%d",
			netip.AddrFrom16(k.IPv6Src), k.TpSrc, netip.AddrFrom16(k.IPv6Dst), k.TpDst)
	}
	return fmt.Sprintf("nw_src=%v,tp_src=%d,nw_dst=%v,tp_dst=%d", ipv4(k.IPSrc), k.TpSrc, ipv4(k.IPDst), k.TpDst)
}

func ipv4(v uint32) netip.Addr {
	var b [4]byte
	packet.PutBe32(b[:], v)
	return netip.AddrFrom4(b)
}

// finalFlow is the packet as translation left it, "unchanged" if it is as it came.
func (rep *Report) finalFlow(r *Round) string {
	final, start := r.Result.Key, r.Key
	start.ActsetOutput = uint32(openflow.PortUnset)
	if final == start {
		return "unchanged"
	}
	final.ActsetOutput = 0
	return final.FormatTraced(rep.ports, rep.tlv)
}

// writeResult prints what came out of one translation.
func (rep *Report) writeResult(b *strings.Builder, r *Round) {
	res := r.Result
	b.WriteString("\nFinal flow: " + rep.finalFlow(r))
	b.WriteString("\nMegaflow: ")
	b.WriteString(rep.megaflow(r))
	b.WriteString("\nDatapath actions: " + rep.actions(r))
	switch {
	case res.Err != xlate.ErrNone:
		b.WriteString("\nTranslation failed (" + res.Err.String() + "), packet is dropped.\n")
	case res.Slow != 0:
		b.WriteString("\nThis flow is handled by the userspace slow path because it:")
		for _, text := range slowReasons(res.Slow) {
			b.WriteString("\n  - " + text + ".")
		}
	}
}

// megaflow is the match of the packets that the result holds for.
func (rep *Report) megaflow(r *Round) string {
	m := megaflowMatch(&r.Key, &r.Result.Mask)
	if !r.Key.Tunnel.IsZero() {
		m.TLV = rep.tlv
	}
	return m.Format(flow.DefaultPriority, rep.ports)
}

// actions are those of the data path.
func (rep *Report) actions(r *Round) string { return datapath.FormatActions(r.Result.Actions, rep.dp) }

func slowReasons(slow datapath.SlowReason) (texts []string) {
	for i, text := range slowTexts {
		if slow&(1<<i) != 0 {
			texts = append(texts, text)
		}
	}
	return texts
}

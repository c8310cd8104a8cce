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

// megaflowMatch makes m the match that the result's mask makes of a key. A missing
// tag needs no bits: the EtherType says that there is none.
func megaflowMatch(m *flow.Match, key *flow.Key, mask *flow.Mask) {
	m.Key, m.Mask, m.TLV = *key, *mask, nil
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
}

// String is the report as users know it.
func (rep *Report) String() string {
	b, _ := rep.AppendText(nil)
	return string(b)
}

// AppendText appends what String gives; there is no error.
func (rep *Report) AppendText(b []byte) ([]byte, error) {
	for _, r := range rep.Rounds {
		if r.Fork != nil {
			b = r.announce(b)
		}
		b = rep.appendKey(append(b, "Flow: "...), &r.Key)
		b = rep.layout.appendSteps(append(b, '\n'), &r.trace)
		b = rep.appendResult(b, r)
	}
	return b, nil
}

// appendKey appends a packet.
func (rep *Report) appendKey(b []byte, k *flow.Key) []byte {
	rep.match.SetTraced(k, rep.tlv)
	return rep.match.Append(b, flow.DefaultPriority, rep.ports)
}

// announce says where the packet of a round comes from.
func (r *Round) announce(b []byte) []byte {
	line := strings.Repeat("=", 79)
	b = fmt.Appendf(b, "\n\n%s\nrecirc(%#x) - resume conntrack with ", line, r.Fork.ID)
	switch {
	case r.Assumed:
		b = append(b, "default ct_state=trk|new (use --ct-next to customize)"...)
	case r.CTState == 0:
		b = append(b, "ct_state=0"...)
	default:
		b = append(append(b, "ct_state="...), ctStateText(r.CTState)...)
	}
	if r.Fork.CT.NAT != nil {
		before, after := "", ""
		if r.Before != nil {
			before, after = endpoints(r.Before), endpoints(&r.Key)
		}
		b = fmt.Appendf(b, "\nReplacing src/dst IP/ports to simulate NAT:\n Initial flow: %s\n Modified flow: %s", before, after)
	}
	return append(append(append(b, '\n'), line...), "\n\n"...)
}

func ctStateText(s uint8) string { return flow.FormatCTState(s) }

// endpoints are the addresses and ports of a packet.
func endpoints(k *flow.Key) string {
	if k.L3Type() == packet.EtherTypeIPv6 {
		return fmt.Sprintf("ipv6_src=[%v],tp_src=%d,ipv6_dst=[%v],tp_dst=%d",
			netip.AddrFrom16(k.IPv6Src), k.TpSrc, netip.AddrFrom16(k.IPv6Dst), k.TpDst)
	}
	return fmt.Sprintf("nw_src=%v,tp_src=%d,nw_dst=%v,tp_dst=%d", packet.Addr4(k.IPSrc), k.TpSrc, packet.Addr4(k.IPDst), k.TpDst)
}

// appendFinal appends the packet as translation left it, "unchanged" if it is as
// it came.
func (rep *Report) appendFinal(b []byte, r *Round) []byte {
	start := r.Key
	start.ActsetOutput = uint32(openflow.PortUnset)
	if r.Result.Key == start {
		return append(b, "unchanged"...)
	}
	return rep.appendKey(b, &r.Result.Key)
}

// appendResult appends what came out of one translation.
func (rep *Report) appendResult(b []byte, r *Round) []byte {
	res := r.Result
	b = rep.appendFinal(append(b, "\nFinal flow: "...), r)
	b = rep.appendMegaflow(append(b, "\nMegaflow: "...), r)
	b = datapath.AppendActions(append(b, "\nDatapath actions: "...), res.Actions, rep.dp)
	switch {
	case res.Err != xlate.ErrNone:
		b = append(append(append(b, "\nTranslation failed ("...), res.Err.String()...), "), packet is dropped.\n"...)
	case res.Slow != 0:
		b = append(b, "\nThis flow is handled by the userspace slow path because it:"...)
		for _, text := range slowReasons(res.Slow) {
			b = append(append(append(b, "\n  - "...), text...), '.')
		}
	}
	return b
}

// appendMegaflow appends the match of the packets that the result holds for.
func (rep *Report) appendMegaflow(b []byte, r *Round) []byte {
	megaflowMatch(&rep.match, &r.Key, &r.Result.Mask)
	if !r.Key.Tunnel.IsZero() {
		rep.match.TLV = rep.tlv
	}
	return rep.match.Append(b, flow.DefaultPriority, rep.ports)
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

package datapath

import (
	"strconv"

	"weir/internal/flow"
)

// metadata prints everything before the Ethernet header.
func (w *keyWriter) metadata() {
	k, m := w.k, w.m
	w.one("skb_priority", uint64(k.SkbPriority), uint64(m.SkbPriority), full32)
	if k.Tunnel != (flow.Tunnel{}) {
		mt := &m.Tunnel
		if *mt != (flow.Tunnel{}) || m.TunMetaPresent != 0 || w.all {
			w.open("tunnel")
			w.tunnel(&k.Tunnel, mt, w.options)
			w.close()
		}
	}
	w.one("skb_mark", uint64(k.PktMark), uint64(m.PktMark), full32)
	w.ctState()
	w.one("ct_zone", uint64(k.CTZone), uint64(m.CTZone), full16)
	w.one("ct_mark", uint64(k.CTMark), uint64(m.CTMark), full32)
	if m.CTLabel != [16]byte{} || w.all {
		w.open("ct_label")
		w.hex128("", k.CTLabel, m.CTLabel)
		w.close()
	}
	w.ctTuple()
	w.open("recirc_id")
	w.b = hexNum(w.b, uint64(k.RecircID))
	w.close()
	w.one("dp_hash", uint64(k.DPHash), uint64(m.DPHash), full32)
	w.open("in_port")
	w.inPort()
	w.close()
	w.packetType()
}

func (w *keyWriter) inPort() {
	m := w.m.InPort
	if w.all || m == full32 {
		names := w.names
		w.b = names.append(w.b, PortNo(w.k.InPort))
	} else {
		w.b = strconv.AppendUint(w.b, uint64(w.k.InPort), 10)
	}
	if m != full32 {
		w.b = hexNum(append(w.b, '/'), uint64(m))
	}
}

func (w *keyWriter) packetType() {
	pt, m := w.k.PacketType, w.m.PacketType
	if m == 0 && !w.all {
		return
	}
	w.open("packet_type")
	w.dec("ns", uint64(pt>>16), uint64(m>>16), full16)
	w.hex("id", uint64(pt&full16), uint64(m&full16), full16)
	w.close()
}

func (w *keyWriter) ctState() {
	v, m := uint32(w.k.CTState), uint32(w.m.CTState)
	if m == 0 && !w.all {
		return
	}
	w.open("ct_state")
	switch {
	case w.all && w.m == exactMask:
		w.hex("", uint64(v), full32, full32)
	case w.all || m == 0:
		w.hex("", uint64(v), uint64(m), full32)
	case w.m == exactMask:
		w.flags(v, m, full8, ctStateNames)
	default:
		// A full mask still prints signs: the C programs know more bits than
		// these eight.
		w.flags(v, m, ^uint32(0), ctStateNames)
	}
	w.close()
}

func (w *keyWriter) ctTuple() {
	k, m := w.k, w.m
	if k.CTIPSrc != 0 || k.CTIPDst != 0 {
		if m.CTIPSrc|m.CTIPDst|uint32(m.CTNwProto)|uint32(m.CTTpSrc)|uint32(m.CTTpDst) != 0 || w.all {
			w.open("ct_tuple4")
			w.ipv4("src", k.CTIPSrc, m.CTIPSrc)
			w.ipv4("dst", k.CTIPDst, m.CTIPDst)
			w.ctPorts()
			w.close()
		}
	} else if k.CTIPv6Src != [16]byte{} || k.CTIPv6Dst != [16]byte{} {
		if m.CTIPv6Src != [16]byte{} || m.CTIPv6Dst != [16]byte{} || m.CTNwProto != 0 || m.CTTpSrc|m.CTTpDst != 0 || w.all {
			w.open("ct_tuple6")
			w.ipv6("src", k.CTIPv6Src, m.CTIPv6Src)
			w.ipv6("dst", k.CTIPv6Dst, m.CTIPv6Dst)
			w.ctPorts()
			w.close()
		}
	}
}

func (w *keyWriter) ctPorts() {
	w.dec("proto", uint64(w.k.CTNwProto), uint64(w.m.CTNwProto), full8)
	w.dec("tp_src", uint64(w.k.CTTpSrc), uint64(w.m.CTTpSrc), full16)
	w.dec("tp_dst", uint64(w.k.CTTpDst), uint64(w.m.CTTpDst), full16)
}

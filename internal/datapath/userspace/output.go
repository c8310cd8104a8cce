package userspace

import (
	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
)

// Packets that the data path drops, by reason.
var (
	dropInvalid    = coverage.New("datapath_drop_rx_invalid_packet")
	dropUpcall     = coverage.New("datapath_drop_upcall_error")
	dropUserAction = coverage.New("datapath_drop_userspace_action_error")
	dropPort       = coverage.New("datapath_drop_invalid_port")
	dropRecirc     = coverage.New("datapath_drop_recirc_error")
	dropBond       = coverage.New("datapath_drop_invalid_bond")
	// There is no connection tracker yet (Features.CTState): packets end at it.
	dropCT     = coverage.New("datapath_drop_no_conntrack")
	dropTnlPop = coverage.New("datapath_drop_tunnel_pop_error")
)

// output puts the packet on a port's queue. When changing says that a later
// action changes the packet, or it is cut, a copy of it goes there.
func (w *worker) output(st *state, no datapath.PortNo, changing bool) {
	p := w.dp.ports.Load().get(no)
	if p == nil {
		dropPort.Inc()
		st.cut = 0
		return
	}
	pkt := st.pkt
	if cut := int(st.cut); cut != 0 {
		st.cut = 0
		if cut < pkt.Len {
			pkt = w.copyPacket(pkt, cut)
			changing = false
		}
	}
	switch {
	case p.tunnel:
		pkt = w.copyForTunnel(pkt, &st.key.Tunnel)
	case changing:
		pkt = w.copyPacket(pkt, pkt.Len)
	}
	for p.slot >= len(w.tx) {
		w.tx = append(w.tx, txQueue{})
	}
	q := &w.tx[p.slot]
	if len(q.packets) > 0 && q.port != p {
		w.send(q)
	}
	if len(q.packets) == 0 {
		q.port = p
		w.dirty = append(w.dirty, p.slot)
	}
	q.packets = append(q.packets, pkt)
}

// flush sends what waits, and gives the copies back.
func (w *worker) flush() {
	w.settle()
	w.sendAll()
}

// sendAll sends what waits. Sending can lead back here, in synchronous mode
// through another worker only.
func (w *worker) sendAll() {
	for _, slot := range w.dirty {
		w.send(&w.tx[slot])
	}
	w.dirty = w.dirty[:0]
	w.ncopies = 0
}

func (w *worker) send(q *txQueue) {
	if len(q.packets) == 0 {
		return
	}
	w.outBatches.Add(1)
	w.outPackets.Add(uint64(len(q.packets)))
	if _, err := q.port.dev.Send(w.slot, q.packets); err != nil {
		log.Dbg("%s: send: %v", q.port.dev.Name(), err)
	}
	clear(q.packets)
	q.packets = q.packets[:0]
}

// copyPacket makes a copy of the first n bytes that lives until the next flush.
func (w *worker) copyPacket(pkt *netdev.Packet, n int) *netdev.Packet {
	return &w.copyOf(pkt, n).Packet
}

// copyForTunnel makes a copy with the outer headers that it is to get: other
// copies of the packet may have others.
func (w *worker) copyForTunnel(pkt *netdev.Packet, t *flow.Tunnel) *netdev.Packet {
	c := w.copyOf(pkt, pkt.Len)
	c.tunnel = *t
	c.Tunnel = &c.tunnel
	return &c.Packet
}

func (w *worker) copyOf(pkt *netdev.Packet, n int) *packetCopy {
	if w.ncopies == len(w.copies) {
		w.copies = append(w.copies, new(packetCopy))
	}
	c := w.copies[w.ncopies]
	w.ncopies++
	need := netdev.Headroom + n
	buf := c.Buf
	if cap(buf) < need {
		buf = make([]byte, max(need, 2048))
	}
	c.Packet = *pkt
	c.Tunnel = nil
	c.Buf, c.Off, c.Len = buf[:cap(buf)], netdev.Headroom, n
	copy(c.Buf[c.Off:], pkt.Data()[:n])
	if n < pkt.Len {
		// A cut packet has nothing left to be segmented, and a checksum that
		// was to be completed can't be.
		c.Offload = netdev.Offload{}
	}
	return c
}

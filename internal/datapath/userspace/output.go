package userspace

import (
	"unsafe"

	"weir/internal/clock"
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
	if p == nil || p.silent {
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
		pkt = w.copyForTunnel(pkt, &st.key.Tunnel, st.options)
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

// flushBatch ends a batch: what waits is sent, or kept until tx-flush-interval
// is over or a queue is full.
func (w *worker) flushBatch() {
	interval := w.dp.txFlush.Load()
	if interval == 0 || w.poller == nil {
		w.flush()
		return
	}
	w.settle()
	was, full := w.held, false
	w.held = 0
	for _, slot := range w.dirty {
		q := &w.tx[slot]
		for i, pkt := range q.packets {
			if w.ours(pkt) {
				q.packets[i] = w.copyPacket(pkt, pkt.Len) // the buffer is for the next batch
			}
		}
		w.held += len(q.packets)
		full = full || len(q.packets) >= batchSize
	}
	now := clock.Ticks()
	switch {
	case was == 0 && !full:
		w.due = now + interval
	case full || now >= w.due:
		w.sendAll()
	}
}

// ours reports whether a packet lies in the buffers that packets are received in.
func (w *worker) ours(pkt *netdev.Packet) bool {
	at := uintptr(unsafe.Pointer(pkt))
	first := uintptr(unsafe.Pointer(&w.batch[0]))
	return at >= first && at < first+uintptr(len(w.batch))*unsafe.Sizeof(w.batch[0])
}

// flushHeld sends what was kept if its time has come, and returns how many
// milliseconds to wait otherwise, rounded up; -1 is for ever.
func (w *worker) flushHeld() int {
	left := w.due - clock.Ticks()
	if left <= 0 {
		w.sendAll()
		return -1
	}
	return int((left + 999_999) / 1_000_000)
}

// sendAll sends what waits. Sending can lead back here, in synchronous mode
// through another worker only.
func (w *worker) sendAll() {
	for _, slot := range w.dirty {
		w.send(&w.tx[slot])
	}
	w.dirty = w.dirty[:0]
	w.ncopies = 0
	w.held = 0
}

func (w *worker) send(q *txQueue) {
	if len(q.packets) == 0 {
		return
	}
	w.outPackets.Add(uint64(len(q.packets)))
	if q.port.steered.Load() {
		w.steer(q)
	} else {
		w.transmit(q.port, w.slot, q.packets)
	}
	clear(q.packets)
	q.packets = q.packets[:0]
}

func (w *worker) transmit(p *port, txq int, packets []*netdev.Packet) {
	w.outBatches.Add(1)
	if _, err := p.dev.Send(txq, packets); err != nil {
		log.Dbg("%s: send: %v", p.dev.Name(), err)
	}
}

var steerHash datapath.Hash // of addresses, protocol and ports

// steer sends packets on the transmit queue that the hash of their addresses
// and ports picks (tx-steering=hash), so that one flow stays on one queue
// whichever thread forwards it.
func (w *worker) steer(q *txQueue) {
	queues := 1
	if t, ok := q.port.dev.(netdev.TxQueuer); ok {
		queues = max(t.NumTxQueues(), 1)
	}
	k := &w.steerKey
	w.steered = w.steered[:0]
	for _, pkt := range q.packets {
		clearKey(k)
		flow.ExtractOffsets(pkt.Data(), k)
		w.steered = append(w.steered, int(packetHash(k, &steerHash)%uint32(queues)))
	}
	for i, txq := range w.steered {
		if txq < 0 {
			continue
		}
		w.bunch = w.bunch[:0]
		for j := i; j < len(w.steered); j++ {
			if w.steered[j] == txq {
				w.bunch = append(w.bunch, q.packets[j])
				w.steered[j] = -1
			}
		}
		w.transmit(q.port, txq, w.bunch)
	}
	clear(w.bunch)
}

// copyPacket makes a copy of the first n bytes that lives until the next flush.
func (w *worker) copyPacket(pkt *netdev.Packet, n int) *netdev.Packet {
	return &w.copyOf(pkt, n).Packet
}

// copyForTunnel makes a copy with the outer headers that it is to get: other
// copies of the packet may have others.
func (w *worker) copyForTunnel(pkt *netdev.Packet, t *flow.Tunnel, options []byte) *netdev.Packet {
	c := w.copyOf(pkt, pkt.Len)
	c.tunnel = netdev.Outer{Tunnel: *t, Options: options}
	c.Tunnel = &c.tunnel
	return &c.Packet
}

// room is memory for a packet of n bytes behind some headroom, that lives until
// the next flush.
func (w *worker) room(headroom, n int) *packetCopy {
	if w.ncopies == len(w.copies) {
		w.copies = append(w.copies, new(packetCopy))
	}
	c := w.copies[w.ncopies]
	w.ncopies++
	if need := headroom + n; cap(c.Buf) < need {
		c.Buf = make([]byte, max(need, 2048))
	}
	c.Buf = c.Buf[:cap(c.Buf)]
	return c
}

func (w *worker) copyOf(pkt *netdev.Packet, n int) *packetCopy {
	c := w.room(netdev.Headroom, n)
	buf := c.Buf
	c.Packet = *pkt
	c.Tunnel = nil
	c.Buf, c.Off, c.Len = buf, netdev.Headroom, n
	copy(c.Buf[c.Off:], pkt.Data()[:n])
	if n < pkt.Len {
		// A cut packet has nothing left to be segmented, and a checksum that
		// was to be completed can't be.
		c.Offload = netdev.Offload{}
	}
	return c
}

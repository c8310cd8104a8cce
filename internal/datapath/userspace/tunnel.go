package userspace

import (
	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/tunnel"
	"weir/internal/vlog"
)

var (
	dropTnlPush = coverage.New("datapath_drop_tunnel_push_error")

	tunnelLog = vlog.For("native_tnl")
)

// maxIPPacket is the most that an IPv4 header can tell as its total length.
const maxIPPacket = 65535

// pushTunnel puts outer headers before the packet. A super-packet, whose outer
// headers no device could multiply, is cut into packets first, each of which
// goes the rest of the way by itself; the program has ended then, which false
// says, as it does for a packet that can't be sent.
func (w *worker) pushTunnel(st *state, prog *program, i int) bool {
	a := prog.actions[i].(*datapath.TunnelPush)
	if cut := int(st.cut); cut != 0 {
		st.cut = 0
		if cut < st.pkt.Len {
			st.pkt = w.copyPacket(st.pkt, cut)
			st.stale = true
		}
	}
	h := a.Header
	n := len(h.Bytes)
	if st.pkt.Offload != (netdev.Offload{}) {
		if st.pkt.Offload.GSOType != 0 {
			w.pushSegments(st, prog, i)
			return false
		}
		if !completeChecksum(&w.seg, st.pkt) {
			dropTnlPush.Inc()
			return false
		}
	}
	if n+st.pkt.Len-ethLen > maxIPPacket {
		dropTnlPush.Inc()
		return false
	}
	var src uint16
	if h.Ports() {
		w.refresh(st)
		src = w.dp.egress.Pick(packetHash(st.key, &innerHash))
	}
	if st.pkt.Off < n {
		st.pkt = w.copyWithRoom(st.pkt, n)
	}
	insert(st.pkt, 0, n)
	frame := st.pkt.Data()
	copy(frame, h.Bytes)
	w.outerID++
	h.Finish(frame, src, w.outerID)
	k := st.key
	k.Tunnel = flow.Tunnel{}
	k.PacketType, k.InPort = 0, uint32(a.OutPort)
	st.stale = true
	return true
}

// innerHash is what the source port of tunnels is chosen by, so that packets of
// one flow take one way (RFC 7348, section 5).
var innerHash = datapath.Hash{Alg: datapath.HashL4}

// completeChecksum does what was left for the device to do: what stands behind
// outer headers, not every device finds.
func completeChecksum(seg *netdev.Segmenter, pkt *netdev.Packet) bool {
	if seg.Start(pkt) != nil {
		return false
	}
	var head [netdev.MaxHeaders]byte
	n, _, _ := seg.Next(head[:])
	copy(pkt.Data(), head[:n])
	pkt.Offload = netdev.Offload{}
	return true
}

// pushSegments runs action i and what follows for each packet of a super-packet.
func (w *worker) pushSegments(st *state, prog *program, i int) {
	if st.depth >= maxDepth {
		dropRecirc.Inc()
		return
	}
	if w.seg.StartType(st.pkt, st.key.PacketType) != nil {
		dropTnlPush.Inc()
		return
	}
	rest := program{prog.actions[i:], max(prog.lastModifier-i, -1)}
	in, key := &w.sts[st.depth+1], &w.keys[st.depth+1]
	for {
		c, ok := w.nextSegment(st.pkt)
		if !ok {
			return
		}
		*key, *in = *st.key, *st
		in.key, in.pkt, in.depth, in.stale = key, c, st.depth+1, true
		// The segmenter is not in use while a packet goes its way: no packet from it
		// has anything left to be done.
		w.execute(in, &rest)
	}
}

// nextSegment is the next packet of the segmenter, in memory of its own.
func (w *worker) nextSegment(of *netdev.Packet) (*netdev.Packet, bool) {
	n, payload, ok := w.seg.Next(w.segHead[:])
	if !ok {
		return nil, false
	}
	c := w.room(netdev.Headroom, n+len(payload))
	buf := c.Buf
	c.Packet = *of
	c.Buf, c.Off, c.Len, c.Tunnel = buf, netdev.Headroom, n+len(payload), nil
	c.Offload = netdev.Offload{}
	copy(c.Buf[c.Off:], w.segHead[:n])
	copy(c.Buf[c.Off+n:], payload)
	return &c.Packet, true
}

// popTunnel takes the outer headers off the packet, and has it come in on the
// tunnel's port. keep says that something else is to be done with the packet as
// it is.
func (w *worker) popTunnel(st *state, no datapath.PortNo, keep bool) {
	p := w.dp.ports.Load().get(no)
	if p == nil || p.kind == nil {
		dropPort.Inc()
		return
	}
	if st.depth >= maxDepth {
		dropRecirc.Inc()
		return
	}
	w.headers(st)
	o := &st.pkt.Offload
	if o.GSOType == netdev.GSOUDP && int(o.CsumStart) == st.offs.L4 {
		w.popSegments(st, p)
		return
	}
	pkt := st.pkt
	if keep {
		pkt = w.copyPacket(pkt, pkt.Len)
	}
	w.decapsulate(st, p, pkt, &st.offs)
}

// popSegments does it with each of the datagrams that a device has joined.
func (w *worker) popSegments(st *state, p *port) {
	if w.seg.Start(st.pkt) != nil {
		dropTnlPop.Inc()
		return
	}
	for {
		c, ok := w.nextSegment(st.pkt)
		if !ok {
			return
		}
		offs := st.offs
		offs.Len = c.Len
		w.decapsulate(st, p, c, &offs)
	}
}

// decapsulate looks up what stands behind the outer headers of pkt.
func (w *worker) decapsulate(st *state, p *port, pkt *netdev.Packet, offs *flow.Offsets) {
	k := &w.keys[st.depth+1]
	clearKey(k)
	trusted := pkt.Offload.Flags&(netdev.NeedsCsum|netdev.DataValid) != 0
	in, err := p.kind.Pop(pkt.Data(), offs, trusted, &k.Tunnel)
	if err != nil {
		dropTnlPop.Inc()
		if tunnelLog.Enabled(vlog.Dbg) {
			tunnelLog.Dbg("dropping a packet that came for tunnel port %s: %v", p.dev.Name(), err)
		}
		return
	}
	o := &pkt.Offload
	if o.Flags&netdev.NeedsCsum == 0 || int(o.CsumStart) < in.Len {
		*o = netdev.Offload{} // of the outer headers
	}
	options := in.Options // where they are, nothing is written until they are in the key
	remove(pkt, 0, in.Len)
	if in.PacketType == 0 && pkt.Len < ethLen {
		dropTnlPop.Inc()
		return
	}
	k.InPort, k.PacketType = uint32(p.no), in.PacketType
	k.SetOptions(options)
	k.PktMark, k.SkbPriority = st.key.PktMark, st.key.SkbPriority
	w.process(pkt, st.depth+1)
}

// copyWithRoom makes a copy of the packet with room before it for n bytes.
func (w *worker) copyWithRoom(pkt *netdev.Packet, n int) *netdev.Packet {
	c := w.room(netdev.Headroom+n, pkt.Len)
	buf := c.Buf
	c.Packet = *pkt
	c.Buf, c.Off, c.Tunnel = buf, netdev.Headroom+n, nil
	copy(c.Buf[c.Off:], pkt.Data())
	return &c.Packet
}

// tunnelKind is the kind of tunnel whose outer headers are pushed and popped for
// a port of a type, nil for other ports.
func tunnelKind(typ string) *tunnel.Kind {
	if k := tunnel.KindOf(typ); k != nil && k.Native() {
		return k
	}
	return nil
}

package ofproto

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/upcall"
	"weir/internal/xlate"
)

// headroom is what actions may need before a frame that the switch sends.
const headroom = 128

// makePacket puts a frame into a buffer with room for headers before it.
func makePacket(frame []byte) *netdev.Packet {
	buf := make([]byte, headroom+len(frame))
	copy(buf[headroom:], frame)
	return &netdev.Packet{Buf: buf, Off: headroom, Len: len(frame)}
}

// packetOut runs the actions of a packet-out on its frame.
func (b *Bridge) packetOut(po *openflow.PacketOut) error {
	if po.BufferID != openflow.NoBuffer {
		return openflow.ErrBRCBufferUnknown.Err()
	}
	key := po.Metadata.Key
	inPort := openflow.PortNo(key.InPort)
	if inPort >= openflow.PortMax && inPort != openflow.PortController && inPort != openflow.PortLocal && inPort != openflow.PortNone {
		return openflow.ErrBRCBadPort.Err()
	}
	if err := b.checkPacketOut(po, nil); err != nil {
		return err
	}
	if len(po.Data) > 0 {
		flow.Extract(po.Data, &key)
	}
	return b.inject(po.Data, &key, po.Actions)
}

// checkPacketOut refuses actions that can't be done. groups are those that will
// have been added (true) or deleted before.
func (b *Bridge) checkPacketOut(po *openflow.PacketOut, groups map[uint32]bool) error {
	for _, id := range pipeline.GroupsOf(po.Actions) {
		there, changed := groups[id]
		if changed && !there || !changed && b.pipe.Group(id) == nil {
			return openflow.ErrBACBadOutGroup.Err()
		}
	}
	return b.checkActions(po.Actions, openflow.V13)
}

// inject translates a frame with actions of its own and executes the result.
func (b *Bridge) inject(frame []byte, key *flow.Key, actions []openflow.Action) error {
	be := b.be
	cfg := be.Snapshot()
	xb := cfg.Bridges[b.name]
	if xb == nil {
		return openflow.ErrBRCBadPort.Err()
	}
	if actions == nil {
		actions = []openflow.Action{}
	}
	pkt := makePacket(frame)
	dpKey := *key
	dpKey.InPort = uint32(datapath.PortNone)
	if p := xb.Ports[openflow.PortNo(key.InPort)]; p != nil && !p.Patch {
		dpKey.InPort = uint32(p.DP)
	}
	tr := xlate.NewTranslator()
	res := tr.Translate(&xlate.Input{
		Config: cfg, Bridge: xb, Key: key, Packet: pkt.Data(), Actions: actions, Now: be.clock.Now(),
		Learn: true, Credit: true, Bytes: uint64(len(frame)), TCPFlag: key.TCPFlags,
	})
	if len(res.Actions) == 0 {
		return nil
	}
	acts := append([]datapath.Action(nil), res.Actions...)
	if err := be.dp.Execute(pkt, &dpKey, acts); err != nil {
		log.Dbg("bridge %s: executing a packet-out: %s", b.name, err)
	}
	return nil
}

// packetIn delivers a packet to the sessions that want it.
func (m *connManager) packetIn(p *upcall.PacketIn) {
	reason := openflow.PacketInReason(p.Cookie.Reason)
	m.each(func(s *session) {
		s.mu.Lock()
		id, format, ver, missLen := s.ctlID, s.pinFormat, s.ver, s.missLen
		s.mu.Unlock()
		if id != p.Cookie.ControllerID || !s.wants(openflow.AsyncPacketIn, asyncReason(reason, ver)) {
			return
		}
		msg := packetInMessage(p, format, s.m.b.pipe.TLV())
		msg.Reason = openflow.PacketInReason(asyncReason(reason, ver))
		if p.Cookie.Continuation && p.State != nil && format == openflow.PacketInNXT2 {
			msg.Continuation = continuation(m.pause(p), p.State, ver)
		}
		limit := int(p.Cookie.MaxLen)
		if reason == openflow.ReasonNoMatch || reason == openflow.ReasonImplicit {
			limit = int(missLen)
		}
		if limit != 0xffff && limit < len(msg.Data) && limit > 0 {
			msg.Data = msg.Data[:limit]
		}
		kind := byAction
		if reason == openflow.ReasonNoMatch || reason == openflow.ReasonImplicit {
			kind = byMiss
		}
		s.sendPacketIn(kind, uint32(p.Port), msg)
	})
}

// asyncReason is the reason by which an asynchronous configuration counts.
func asyncReason(r openflow.PacketInReason, v openflow.Version) uint8 {
	switch r {
	case openflow.ReasonImplicit:
		return uint8(openflow.ReasonNoMatch)
	case openflow.ReasonExplicit: // from a table-miss flow
		if v < openflow.V13 {
			return uint8(openflow.ReasonAction)
		}
		return uint8(openflow.ReasonNoMatch)
	case openflow.ReasonActionSet, openflow.ReasonGroup, openflow.ReasonPacketOut:
		if v < openflow.V14 {
			return uint8(openflow.ReasonAction)
		}
	}
	return uint8(r)
}

func packetInMessage(p *upcall.PacketIn, format openflow.PacketInFormat, tlv *flow.TLVTable) *openflow.PacketIn {
	msg := &openflow.PacketIn{
		Format: format, BufferID: openflow.NoBuffer, TotalLen: len(p.Packet), Reason: openflow.PacketInReason(p.Cookie.Reason),
		Cookie: p.Cookie.RuleCookie, Data: append([]byte(nil), p.Packet...),
	}
	key := &flow.Key{}
	if p.State != nil {
		msg.TableID, msg.Userdata, key = p.State.SentTable, p.State.Userdata, &p.State.Key
	}
	k := *key
	if p.Key != nil {
		// What the data path carries with a packet it may have changed since.
		k.PktMark, k.CTState, k.CTZone, k.CTMark, k.CTLabel = p.Key.PktMark, p.Key.CTState, p.Key.CTZone, p.Key.CTMark, p.Key.CTLabel
	}
	msg.Metadata = metadataMatch(&k, tlv)
	if msg.Metadata.Mask.InPort == 0 {
		msg.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(uint64(p.Port)))
	}
	return msg
}

// metadataFields are what a packet-in tells of a packet beside its bytes.
var metadataFields = []flow.FieldID{
	flow.FieldTunID, flow.FieldTunSrc, flow.FieldTunDst, flow.FieldTunIPv6Src, flow.FieldTunIPv6Dst,
	flow.FieldTunGBPID, flow.FieldTunGBPFlags, flow.FieldMetadata, flow.FieldPktMark, flow.FieldInPortOXM,
	flow.FieldCTState, flow.FieldCTZone, flow.FieldCTMark, flow.FieldCTLabel, flow.FieldDPHash,
}

// metadataMatch is a match on the metadata of a key that isn't zero.
func metadataMatch(k *flow.Key, tlv *flow.TLVTable) openflow.Match {
	var m openflow.Match
	set := func(id flow.FieldID) {
		f := id.Field()
		if v := f.Get(k); !v.IsZero() {
			m.SetExact(f, v)
		}
	}
	for _, id := range metadataFields {
		set(id)
	}
	for i := range flow.NumRegs {
		set(flow.FieldReg0 + flow.FieldID(i))
	}
	for i := range flow.NumTunMeta {
		if f := tlv.Field(i); f != nil && f.Present(k) {
			m.TLV = tlv
			m.SetExact(f, f.Get(k))
		}
	}
	return m
}

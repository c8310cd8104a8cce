package ofproto

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/tunnel"
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
func (b *Bridge) packetOut(po *openflow.PacketOut, v openflow.Version) error {
	coverPacketOut.Inc()
	if err := b.checkPacketOut(po, v, nil); err != nil {
		return err
	}
	in := b.injection(po)
	if in == nil {
		return openflow.ErrBRCBadPort.Err()
	}
	return in.finish()
}

// checkPacketOut refuses actions that can't be done, since OpenFlow 1.1 also
// those that the packet hasn't the headers for. groups are those that will have
// been added (true) or deleted before.
func (b *Bridge) checkPacketOut(po *openflow.PacketOut, v openflow.Version, groups map[uint32]bool) error {
	if po.BufferID != openflow.NoBuffer {
		return openflow.ErrBRCBufferUnknown.Err()
	}
	switch inPort := openflow.PortNo(po.Metadata.Key.InPort); {
	case inPort < openflow.PortMax, inPort == openflow.PortController, inPort == openflow.PortLocal, inPort == openflow.PortNone:
	default:
		return openflow.ErrBRCBadPort.Err()
	}
	for _, id := range pipeline.GroupsOf(po.Actions) {
		there, changed := groups[id]
		if changed && !there || !changed && b.pipe.Group(id) == nil {
			return openflow.ErrBACBadOutGroup.Err()
		}
	}
	if err := checkActions(po.Actions); err != nil || openflow.AlwaysConsistent(po.Actions) {
		return err
	}
	m := openflow.Match{Key: po.Metadata.Key}
	extractPacketOut(po.Data, &m.Key)
	m.Mask = m.Key.MaskExact()
	usable, err := openflow.CheckActions(po.Actions, &m, openflow.ActionCheck{
		MaxPorts: openflow.PortMax, TableID: openflow.TableAny, NTables: pipeline.NumTables, Usable: v.Protocol(), Keep: true, Log: logDecode,
	})
	if err == nil && usable == 0 {
		err = openflow.ErrBACMatchInconsistent.Err()
	}
	return err
}

// injection is a packet-out on its way: a frame that is translated with actions
// of its own and then executed.
type injection struct {
	b     *Bridge
	pkt   *netdev.Packet
	key   flow.Key // with an OpenFlow port
	dpKey flow.Key
	input xlate.Input
	tr    *xlate.Translator // holds what result refers to
	res   *xlate.Result
}

// injection prepares a packet-out in the present configuration, nil when the
// bridge is going away.
func (b *Bridge) injection(po *openflow.PacketOut) *injection {
	cfg := b.be.Snapshot()
	xb := cfg.Bridges[b.name]
	if xb == nil {
		return nil
	}
	in := &injection{b: b, pkt: makePacket(po.Data), key: po.Metadata.Key, tr: xlate.NewTranslator()}
	extractPacketOut(po.Data, &in.key)
	actions := po.Actions
	if actions == nil {
		actions = []openflow.Action{}
	}
	in.dpKey = in.key
	in.dpKey.InPort = uint32(datapath.PortNone)
	if p := xb.Ports[openflow.PortNo(in.key.InPort)]; p != nil && !p.Patch {
		in.dpKey.InPort = uint32(p.DP)
	}
	in.input = xlate.Input{
		Config: cfg, Bridge: xb, Key: &in.key, Packet: in.pkt.Data(), Actions: actions, Now: b.be.clock.Now(),
		Bytes: uint64(len(po.Data)), TCPFlag: in.key.TCPFlags,
	}
	return in
}

// extractPacketOut reads the frame of a packet-out into its key, which says of a
// packet without an Ethernet header what it begins with (OpenFlow 1.5.1, 7.2.3.11).
func extractPacketOut(frame []byte, k *flow.Key) {
	switch {
	case len(frame) == 0:
	case k.PacketType != 0:
		k.EthType = uint16(k.PacketType)
		flow.ExtractL3(frame, k)
	default:
		flow.Extract(frame, k)
	}
}

// translateIn translates with the flow tables and groups of a transaction that
// nobody else sees yet. What the packet causes besides waits for finish.
func (in *injection) translateIn(x *pipeline.Txn) error {
	in.input.Version, in.input.Group = x.Version(), x.Group
	in.res = in.tr.Translate(&in.input)
	return untranslatable(in.res)
}

// untranslatable is what a controller is told whose packet the tables don't get
// done with: one that goes round in groups, say. No error code is about that; the
// original has this one.
func untranslatable(res *xlate.Result) error {
	if res.Err == xlate.ErrNone {
		return nil
	}
	return openflow.ErrFMFCUnknown.Err()
}

// finish does with the packet what its translation says, which it makes now
// unless that has been done.
func (in *injection) finish() error {
	defer in.tr.Release()
	if in.res == nil {
		in.input.Learn, in.input.Credit = true, true
		in.res = in.tr.Translate(&in.input)
		in.b.be.engine.Solicit(in.input.Config, in.res.Solicits)
	} else {
		now := in.input.Now
		in.res.Effects.Push(xlate.Traffic{Packets: 1, Bytes: in.input.Bytes, Used: now, TCPFlags: in.input.TCPFlag}, now)
	}
	if err := untranslatable(in.res); err != nil || len(in.res.Actions) == 0 {
		return err
	}
	acts := append([]datapath.Action(nil), in.res.Actions...)
	if err := in.b.be.dp.Execute(in.pkt, &in.dpKey, acts); err != nil {
		log.Dbg("bridge %s: executing a packet-out: %s", in.b.name, err)
	}
	return nil
}

// packetIn delivers a packet to the sessions that want it. A packet that is not
// buffered, as none is, comes whole, whatever length was asked for (OpenFlow 1.3.1,
// A.4.1).
func (m *connManager) packetIn(p *upcall.PacketIn) {
	reason := openflow.PacketInReason(p.Cookie.Reason)
	m.each(func(s *session) {
		s.mu.Lock()
		id, format, ver := s.ctlID, s.pinFormat, s.ver
		s.mu.Unlock()
		if id != p.Cookie.ControllerID || !s.wants(openflow.AsyncPacketIn, asyncReason(reason, ver)) {
			return
		}
		if reason == openflow.ReasonImplicit && ver >= openflow.V13 {
			return // where such packets are dropped
		}
		msg := packetInMessage(p, format, s.m.b.pipe.TLV())
		msg.Reason = openflow.PacketInReason(asyncReason(reason, ver))
		if p.Cookie.Continuation && p.State != nil && format == openflow.PacketInNXT2 {
			msg.Continuation = continuation(m.pause(p), p.State, ver)
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
		k.PacketType = p.Key.PacketType
		k.PktMark, k.CTState, k.CTZone, k.CTMark, k.CTLabel = p.Key.PktMark, p.Key.CTState, p.Key.CTZone, p.Key.CTMark, p.Key.CTLabel
	}
	if p.State != nil && p.State.Received && p.Key != nil {
		k.TunMetaPresent, k.TunMeta = p.Key.TunMetaPresent, p.Key.TunMeta
		tunnel.ReadOptions(&k, tlv)
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
	flow.FieldCTState, flow.FieldCTZone, flow.FieldCTMark, flow.FieldCTLabel, flow.FieldDPHash, flow.FieldPacketType,
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

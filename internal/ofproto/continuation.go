package ofproto

import (
	"encoding/binary"
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/upcall"
	"weir/internal/xlate"
)

// paused keeps the states of packets that wait at controllers for NXT_RESUME.
// The connManager's mu owns it. A continuation holds the number of its state;
// the oldest states make room for new ones.
type paused struct {
	next   uint64
	states map[uint64]*xlate.State
	order  []uint64
}

// maxPaused bounds the packets of a bridge that wait to be resumed.
const maxPaused = 4096

func (p *paused) add(s *xlate.State) uint64 {
	if p.states == nil {
		p.states = map[uint64]*xlate.State{}
	}
	if len(p.order) >= maxPaused {
		delete(p.states, p.order[0])
		p.order = p.order[1:]
	}
	p.next++
	p.states[p.next] = s
	p.order = append(p.order, p.next)
	return p.next
}

// Properties of a continuation, by the numbers that Open vSwitch gives them.
// contState is our own: the number of the state kept here; the others tell
// people what it is.
const (
	contBridge    = 0x8000
	contTableID   = 0x8004
	contCookie    = 0x8005
	contActions   = 0x8006
	contActionSet = 0x8007
	contState     = 0x80ff
)

// continuation encodes what a controller hands back to resume a packet.
func continuation(id uint64, s *xlate.State, v openflow.Version) *openflow.Continuation {
	var b []byte
	prop := func(typ uint16, body []byte) {
		b = binary.BigEndian.AppendUint16(b, typ)
		b = binary.BigEndian.AppendUint16(b, uint16(4+len(body)))
		b = append(b, body...)
		for len(b)%8 != 0 {
			b = append(b, 0)
		}
	}
	pad := make([]byte, 4)
	prop(contBridge, openflow.EncodeBridgeID(s.Bridge.ID))
	if s.Table != 0 {
		prop(contTableID, []byte{s.Table})
	}
	if s.RuleCookie != ^uint64(0) {
		prop(contCookie, binary.BigEndian.AppendUint64(pad[:4:4], s.RuleCookie))
	}
	if actions := sendable(s.Actions); len(actions) > 0 {
		prop(contActions, append(pad[:4:4], openflow.EncodeActions(actions, v, false)...))
	}
	if len(s.ActionSet) > 0 {
		prop(contActionSet, append(pad[:4:4], openflow.EncodeActions(s.ActionSet, v, false)...))
	}
	prop(contState, binary.BigEndian.AppendUint64(pad[:4:4], id))
	return &openflow.Continuation{Raw: b}
}

// sendable are the actions that have a form on the wire.
func sendable(as []openflow.Action) []openflow.Action {
	return slices.DeleteFunc(slices.Clone(as), func(a openflow.Action) bool {
		_, internal := a.(*openflow.UnrollXlate)
		return internal
	})
}

// stateID finds the number of the state in a continuation.
func stateID(raw []byte) (id uint64, ok bool) {
	for len(raw) >= 4 {
		typ, n := binary.BigEndian.Uint16(raw), int(binary.BigEndian.Uint16(raw[2:]))
		if n < 4 || n > len(raw) {
			return 0, false
		}
		if typ == contState && n == 16 {
			return binary.BigEndian.Uint64(raw[8:]), true
		}
		raw = raw[min((n+7)&^7, len(raw)):]
	}
	return 0, false
}

// pause gives a packet-in the continuation of its packet.
func (m *connManager) pause(p *upcall.PacketIn) (id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paused.add(p.State)
}

// resume lets a paused packet go on, as the controller may have changed it.
func (b *Bridge) resume(r *openflow.Resume) error {
	if r.Continuation == nil {
		return openflow.ErrNXRStale.Err()
	}
	id, ok := stateID(r.Continuation.Raw)
	b.conns.mu.Lock()
	s := b.conns.paused.states[id]
	delete(b.conns.paused.states, id)
	b.conns.mu.Unlock()
	if !ok || s == nil {
		return openflow.ErrNXRStale.Err()
	}
	be := b.be
	cfg := be.Snapshot()
	xb := cfg.Bridges[s.Bridge.Name]
	if xb == nil {
		return openflow.ErrNXRStale.Err()
	}
	meta := &r.Metadata.Key
	state := *s
	state.Key.Regs, state.Key.Metadata, state.Key.InPort = meta.Regs, meta.Metadata, meta.InPort
	key := state.Key
	key.PktMark, key.CTState, key.CTZone, key.CTMark, key.CTLabel = meta.PktMark, meta.CTState, meta.CTZone, meta.CTMark, meta.CTLabel
	flow.Extract(r.Data, &key)
	pkt := makePacket(r.Data)
	dpKey := key
	dpKey.InPort = uint32(datapath.PortNone)
	if p := xb.Ports[openflow.PortNo(meta.InPort)]; p != nil && !p.Patch {
		dpKey.InPort = uint32(p.DP)
	}
	tr := xlate.NewTranslator()
	defer tr.Release()
	res := tr.Translate(&xlate.Input{
		Config: cfg, Bridge: xb, Key: &key, Packet: pkt.Data(), Frozen: &state, Now: be.clock.Now(),
		Learn: true, Credit: true, Bytes: uint64(len(r.Data)), TCPFlag: key.TCPFlags,
	})
	be.engine.Solicit(cfg, res.Solicits)
	if len(res.Actions) == 0 {
		return nil
	}
	if err := be.dp.Execute(pkt, &dpKey, append([]datapath.Action(nil), res.Actions...)); err != nil {
		log.Dbg("bridge %s: executing a resumed packet: %s", b.name, err)
	}
	return nil
}

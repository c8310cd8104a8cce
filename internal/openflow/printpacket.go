package openflow

import (
	"encoding/binary"

	"weir/internal/flow"
)

func (p *printer) packetIn(m *PacketIn) {
	if m.TableID != 0 {
		p.WriteString(" table_id=" + p.opt.Names.table(m.TableID))
	}
	if m.Cookie != ^uint64(0) {
		p.f(" cookie=0x%x", m.Cookie)
	}
	p.f(" total_len=%d ", m.TotalLen)
	meta := m.Metadata
	p.WriteString(meta.Format(flow.DefaultPriority, p.opt.Names.ports()))
	p.f(" (via %s)", m.Reason)
	p.f(" data_len=%d", len(m.Data))
	if m.BufferID == NoBuffer {
		p.WriteString(" (unbuffered)")
		if m.TotalLen != len(m.Data) {
			p.WriteString(" (***total_len != data_len***)")
		}
	} else {
		p.f(" buffer=0x%08x", m.BufferID)
		if m.TotalLen < len(m.Data) {
			p.WriteString(" (***total_len < data_len***)")
		}
	}
	p.WriteByte('\n')
	if len(m.Userdata) > 0 {
		p.WriteString(" userdata=" + dotHex(m.Userdata) + "\n")
	}
	if m.Continuation != nil {
		p.continuation(m.Continuation)
	}
	if p.opt.Verbosity > 0 {
		p.packet(m.Data, meta.Key.PacketType)
	}
}

// Properties of a continuation.
const (
	contBridge = 0x8000 + iota
	contStack
	contMirrors
	contConntracked
	contTableID
	contCookie
	contActions
	contActionSet
	contODPPort
)

func (p *printer) continuation(c *Continuation) {
	r := cursor{b: c.Raw}
	d := &decoder{MsgHeader: MsgHeader{Version: p.h.Version}, t: msgTable()}
	p.WriteString("")
	for r.left() > 0 && r.err == nil {
		t, _, b := r.prop()
		switch t {
		case contBridge:
			if u := b.bytes(16); len(u) == 16 {
				u = EncodeBridgeID([16]byte(u))
				p.f(" continuation.bridge=%x-%x-%x-%x-%x\n", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
			}
		case contStack:
			p.f(" continuation.stack=(0x%x)\n", b.rest())
		case contMirrors:
			p.f(" continuation.mirrors=0x%x\n", b.u32())
		case contConntracked:
			p.WriteString(" continuation.conntracked=true\n")
		case contTableID:
			p.f(" continuation.table_id=%d\n", b.u8())
		case contCookie:
			b.skip(4)
			p.f(" continuation.cookie=0x%x\n", b.u64())
		case contActions:
			b.skip(4)
			p.WriteString(" continuation.actions=" + FormatActions(d.nested(&b), p.opt.Names) + "\n")
		case contActionSet:
			b.skip(4)
			p.WriteString(" continuation.action_set=" + FormatActions(d.nested(&b), p.opt.Names) + "\n")
		case contODPPort:
			p.f(" continuation.odp_port=%d\n", b.u32())
		}
	}
}

// EncodeBridgeID is the UUID of a bridge as continuations hold it, which is how the
// original has it in memory: words of four bytes in the machine's order. Done
// twice, it is as before.
func EncodeBridgeID(id [16]byte) []byte {
	var b []byte
	for i := 0; i < len(id); i += 4 {
		b = binary.NativeEndian.AppendUint32(b, binary.BigEndian.Uint32(id[i:]))
	}
	return b
}

func (p *printer) packetOut(m *PacketOut) {
	p.WriteByte(' ')
	meta := m.Metadata
	if meta.Mask.InPort != 0 && PortNo(meta.Key.InPort) == PortNone {
		m2 := meta
		m2.Clear(flow.FieldInPortOXM.Field())
		p.WriteString("in_port=ANY")
		if s := m2.Format(flow.DefaultPriority, p.opt.Names.ports()); s != "" {
			p.WriteString("," + s)
		}
	} else {
		p.WriteString(meta.Format(flow.DefaultPriority, p.opt.Names.ports()))
	}
	p.WriteString(" actions=" + FormatActions(m.Actions, p.opt.Names))
	if m.BufferID != NoBuffer {
		p.f(" buffer=0x%08x", m.BufferID)
		return
	}
	p.f(" data_len=%d", len(m.Data))
	if p.opt.Verbosity > 0 && len(m.Data) > 0 {
		p.WriteByte('\n')
		p.packet(m.Data, meta.Key.PacketType)
		return
	}
	p.WriteByte('\n')
}

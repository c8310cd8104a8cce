package tunnel

import (
	"encoding/binary"

	"weir/internal/flow"
	"weir/internal/packet"
)

const (
	// geneveLen is the length of the Geneve header without options (RFC 8926,
	// 3.4).
	geneveLen = 8
	// MaxOptions is the most bytes of options that the header has room for.
	MaxOptions = 63 * 4

	geneveOAM      = 0x80 // O, of the second byte
	geneveCritical = 0x40 // C
)

func appendGeneve(b []byte, _ *Config, o *Outer) ([]byte, error) {
	n := len(o.Options)
	if n > MaxOptions || n%4 != 0 {
		return nil, ErrNoHeader
	}
	flags := byte(0)
	if o.Tunnel.Flags&flow.TunnelOAM != 0 {
		flags |= geneveOAM
	}
	for opt := range Options(o.Options) {
		if opt.Type&optionCritical != 0 {
			flags |= geneveCritical
		}
	}
	b = append(b, byte(n/4), flags)
	b = binary.BigEndian.AppendUint16(b, outerType(o.PacketType))
	b = binary.BigEndian.AppendUint32(b, uint32(o.Tunnel.ID)<<8)
	return append(b, o.Options...), nil
}

func popGeneve(b []byte, t *flow.Tunnel) (p Popped, err error) {
	if len(b) < geneveLen {
		return p, ErrShort
	}
	if b[0]>>6 != 0 {
		return p, ErrShim
	}
	p.Len = geneveLen + int(b[0]&0x3f)*4
	if len(b) < p.Len {
		return p, ErrShort
	}
	t.ID, t.Flags = uint64(packet.Be32(b[4:])>>8), t.Flags|flow.TunnelKey
	if b[1]&geneveOAM != 0 {
		t.Flags |= flow.TunnelOAM
	}
	p.PacketType = innerType(packet.Be16(b[2:]))
	p.Options = b[geneveLen:p.Len]
	if !validOptions(p.Options) {
		return p, ErrShim
	}
	return p, nil
}

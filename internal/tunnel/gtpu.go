package tunnel

import (
	"encoding/binary"

	"weir/internal/flow"
	"weir/internal/packet"
)

const (
	// gtpuLen is the length of the GTP-U header without optional fields (3GPP TS
	// 29.281, 5.1).
	gtpuLen    = 8
	numberGTPU = 110

	gtpuVersion  = 0x30 // version 1, protocol type GTP
	gtpuOptional = 0x07 // E, S, PN: four more bytes follow
	gtpuGPDU     = 255  // message type of a user's packet
)

func appendGTPU(b []byte, _ *Config, o *Outer) ([]byte, error) {
	if o.PacketType == 0 {
		return nil, ErrNoHeader // it carries IP only
	}
	flags, message := o.Tunnel.GTPUFlags, o.Tunnel.GTPUMsg
	if flags == 0 {
		flags = gtpuVersion
	}
	if message == 0 {
		message = gtpuGPDU
	}
	return binary.BigEndian.AppendUint32(append(b, flags&^gtpuOptional, message, 0, 0), uint32(o.Tunnel.ID)), nil
}

func popGTPU(b []byte, t *flow.Tunnel) (p Popped, err error) {
	if len(b) < gtpuLen {
		return p, ErrShort
	}
	if b[0]&0xf0 != gtpuVersion || b[1] != gtpuGPDU {
		return p, ErrShim // echoes and the like are for the endpoint itself
	}
	t.GTPUFlags, t.GTPUMsg = b[0], b[1]
	t.ID, t.Flags = uint64(packet.Be32(b[4:])), t.Flags|flow.TunnelKey
	p.Len = gtpuLen
	if b[0]&gtpuOptional != 0 {
		p.Len += 4
		if len(b) < p.Len {
			return p, ErrShort
		}
		// Extension headers have their length in units of four bytes, and at
		// their end the type of the next (5.2.1).
		for next := b[p.Len-1]; b[0]&0x04 != 0 && next != 0; next = b[p.Len-1] {
			if len(b) <= p.Len || b[p.Len] == 0 || len(b) < p.Len+int(b[p.Len])*4 {
				return p, ErrShort
			}
			p.Len += int(b[p.Len]) * 4
		}
	}
	p.PacketType, err = ipType(b[p.Len:])
	return p, err
}

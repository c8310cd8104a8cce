package program

import (
	"encoding/binary"

	"github.com/cilium/ebpf/asm"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// Flags of bpf_skb_set_tunnel_key (linux/bpf.h).
const (
	setKeyIPv6     = 1 << 0
	setKeyZeroCsum = 1 << 1
	setKeyDF       = 1 << 2
	setKeyNone     = 1 << 4
)

// setTunnel compiles the metadata for a collect-metadata device: the operation,
// whose arg is the helper's flags, and a struct bpf_tunnel_key.
func (c *compiler) setTunnel(a *datapath.SetTunnel) SlowWhy {
	t := &a.Tunnel
	said := flow.Tunnel{ID: t.ID, Src: t.Src, Dst: t.Dst, IPv6Src: t.IPv6Src, IPv6Dst: t.IPv6Dst, Flags: t.Flags,
		TOS: t.TOS, TTL: t.TTL, TpSrc: t.TpSrc, TpDst: t.TpDst} // the device knows the ports
	if *t != said || len(a.Options) > 0 || t.ID>>32 != 0 || t.Flags&flow.TunnelOAM != 0 {
		return SlowTunnel
	}
	var flags uint32
	set := func(on bool, f uint32) {
		if on {
			flags |= f
		}
	}
	var key [tunnelKeyLen + 4]byte
	le := binary.LittleEndian
	le.PutUint32(key[tkID:], uint32(t.ID))
	key[tkTOS], key[tkTTL] = t.TOS, t.TTL
	if t.Dst == 0 && t.IPv6Dst != [16]byte{} {
		flags = setKeyIPv6
		copy(key[tkRemote6:], t.IPv6Dst[:])
		copy(key[tkLocal6:], t.IPv6Src[:])
	} else {
		le.PutUint32(key[tkRemote4:], t.Dst)
		le.PutUint32(key[tkLocal4:], t.Src)
	}
	set(t.Flags&flow.TunnelCsum == 0, setKeyZeroCsum)
	set(t.Flags&flow.TunnelDF != 0, setKeyDF)
	set(t.Flags&flow.TunnelKey == 0, setKeyNone)
	c.add(op(opTunnel, 1+len(key)/8, 0, flags))
	for i := 0; i < len(key); i += 8 {
		c.add(le.Uint64(key[i:]))
	}
	c.tunneled = true
	return 0
}

// opTunnel is the operation of that name.
func (b *builder) opTunnel(*Set) {
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, 8),
		asm.Mov.Imm(asm.R3, tunnelKeyLen),
		asm.Mov.Reg(asm.R4, asm.R8),
		asm.RSh.Imm(asm.R4, 32),
		asm.FnSkbSetTunnelKey.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost.step"),
	)
	b.next()
}

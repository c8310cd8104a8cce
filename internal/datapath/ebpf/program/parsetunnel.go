package program

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"weir/internal/flow"
)

// struct bpf_tunnel_key (linux/bpf.h).
const (
	tunnelKeyLen   = 44
	tunnelKeySpace = 48

	tkID       = 0
	tkRemote4  = 4
	tkRemote6  = 4
	tkTOS      = 20
	tkTTL      = 21
	tkFlags    = 22 // big-endian, with BPF_F_TUNINFO_FLAGS
	tkLocal4   = 28
	tkLocal6   = 28
	tkFlagCsum = 1 << 0 // TUNNEL_CSUM
	tkFlagKey  = 1 << 2 // TUNNEL_KEY
	tkFlagDF   = 1 << 8 // TUNNEL_DONT_FRAGMENT
	tkFlagOAM  = 1 << 9 // TUNNEL_OAM
	bpfFIPv6   = 1      // BPF_F_TUNINFO_IPV6
	bpfFFlags  = 1 << 4 // BPF_F_TUNINFO_FLAGS
)

// Offsets within flow.Tunnel.
const (
	tunID    = unsafe.Offsetof(flow.Tunnel{}.ID)
	tunSrc   = unsafe.Offsetof(flow.Tunnel{}.Src)
	tunDst   = unsafe.Offsetof(flow.Tunnel{}.Dst)
	tunSrc6  = unsafe.Offsetof(flow.Tunnel{}.IPv6Src)
	tunDst6  = unsafe.Offsetof(flow.Tunnel{}.IPv6Dst)
	tunFlags = unsafe.Offsetof(flow.Tunnel{}.Flags)
	tunTOS   = unsafe.Offsetof(flow.Tunnel{}.TOS)
	tunTTL   = unsafe.Offsetof(flow.Tunnel{}.TTL)
)

// tunnelWords is how many words of the key the kernel tells of a tunnel; the
// rest stay zero.
const tunnelWords = upTunnelLen / 8

// tunnelKey fills in the outer header of a packet that came in through a
// tunnel.
func (p *parser) tunnelKey() {
	if !p.wants(wTunnel, tunnelWords) {
		return
	}
	p.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, stateTunnel),
		asm.JEq.Imm(asm.R1, 0, "tunnel.done"),
	)
	p.readTunnel(asm.R10, p.word(wTunnel), p.idle-tunnelKeySpace, "tunnel.done")
	p.label("tunnel.done")
	// The calls have taken the pointers' registers.
	p.emit(
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
	)
}

// readTunnel stores what the kernel knows of the packet's tunnel as the first
// bytes of a flow.Tunnel at offset at of dst, a register that outlives calls; it
// jumps to none if the packet has none. It uses tunnelKeySpace bytes of the
// stack at key.
func (b *builder) readTunnel(dst asm.Register, at, key int16, none string) {
	v4, common := b.fresh("tunnel.v4"), b.fresh("tunnel.common")
	get := func(flags int32) {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Reg(asm.R2, asm.R10),
			asm.Add.Imm(asm.R2, int32(key)),
			asm.Mov.Imm(asm.R3, tunnelKeyLen),
			asm.Mov.Imm(asm.R4, flags),
			asm.FnSkbGetTunnelKey.Call(),
		)
	}
	load := func(offset int16, size asm.Size, be bool) {
		b.emit(asm.LoadMem(asm.R1, asm.R10, key+offset, size))
		if be {
			b.emit(asm.HostTo(asm.BE, asm.R1, size))
		}
	}
	store := func(offset uintptr, size asm.Size) {
		b.emit(asm.StoreMem(dst, at+int16(offset), asm.R1, size))
	}
	get(bpfFFlags) // fails for a tunnel over IPv6
	b.emit(asm.JEq.Imm(asm.R0, 0, v4))
	get(bpfFFlags | bpfFIPv6)
	b.emit(asm.JNE.Imm(asm.R0, 0, none))
	for i := range 4 {
		load(tkRemote6+int16(4*i), asm.Word, false)
		store(tunSrc6+uintptr(4*i), asm.Word)
		load(tkLocal6+int16(4*i), asm.Word, false)
		store(tunDst6+uintptr(4*i), asm.Word)
	}
	b.emit(asm.Ja.Label(common))
	b.label(v4)
	load(tkRemote4, asm.Word, false) // the helper gives host order
	store(tunSrc, asm.Word)
	load(tkLocal4, asm.Word, false)
	store(tunDst, asm.Word)
	b.label(common)
	load(tkID, asm.Word, false)
	store(tunID, asm.DWord)
	load(tkTOS, asm.Byte, false)
	store(tunTOS, asm.Byte)
	load(tkTTL, asm.Byte, false)
	store(tunTTL, asm.Byte)
	load(tkFlags, asm.Half, true)
	b.emit(asm.Mov.Imm(asm.R0, 0))
	for _, f := range []struct{ kernel, ours int32 }{
		{tkFlagCsum, flow.TunnelCsum}, {tkFlagKey, flow.TunnelKey}, {tkFlagDF, flow.TunnelDF}, {tkFlagOAM, flow.TunnelOAM},
	} {
		b.emit(
			asm.Mov.Reg(asm.R2, asm.R1),
			asm.And.Imm(asm.R2, f.kernel),
		)
		skip := b.fresh("tunnel.flag")
		b.emit(asm.JEq.Imm(asm.R2, 0, skip), asm.Or.Imm(asm.R0, f.ours))
		b.label(skip)
	}
	b.emit(asm.StoreMem(dst, at+int16(tunFlags), asm.R0, asm.Half))
}

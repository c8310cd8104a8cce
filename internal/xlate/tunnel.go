package xlate

import (
	"encoding/binary"
	"net/netip"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
	"weir/internal/tunnel"
)

// Values of the ECN field, the low bits of the type of service (RFC 3168,
// section 5).
const (
	ecnMask = 3
	ecnECT0 = 2
	ecnCE   = 3
)

// markTunnel marks what decides which tunnel port a packet belongs to, and what
// decapsulation looked at.
func (x *Translator) markTunnel() {
	t := &x.wc.Tunnel
	t.ID = ^uint64(0)
	if x.flow.Tunnel.Dst != 0 || x.flow.Tunnel.Src != 0 {
		t.Src, t.Dst = ^uint32(0), ^uint32(0)
	} else {
		for i := range t.IPv6Src {
			t.IPv6Src[i], t.IPv6Dst[i] = 0xff, 0xff
		}
	}
	t.Flags |= flow.TunnelDF | flow.TunnelCsum | flow.TunnelKey
	t.TOS = 0xff
	if x.cfg.Tunnels.Shares() {
		t.ERSPANVer = 0xff
	}
}

// decapsulated has a packet that came through a tunnel carry on the mark of
// congestion that it met on its way (RFC 6040, section 4.2). It reports false for
// one that must be dropped, since its sender would not understand the mark.
func (x *Translator) decapsulated(p *Port) bool {
	x.effect(Effect{Kind: EffectRx, Port: p})
	if p.Tunnel.LegacyL3() && x.flow.PacketType != 0 {
		x.encapEthernet() // in the bridge it has a header, of zeros
	}
	if !isIP(x.flow.L3Type()) || x.flow.Tunnel.TOS&ecnMask != ecnCE {
		return true
	}
	x.wc.NwTOS |= ecnMask
	if x.flow.NwTOS&ecnMask == 0 {
		x.warn("dropping tunnel packet marked ECN CE but is not ECN capable")
		x.denyPort(DropTunnelECN, p.No)
		return false
	}
	x.flow.NwTOS |= ecnCE
	return true
}

// outputTunnel sends the packet through a tunnel port, cut to trunc bytes if
// that is not zero. What it sets for that is undone afterwards.
func (x *Translator) outputTunnel(p *Port, trunc uint32, last bool) {
	saved, mark, tos := x.flow.Tunnel, x.flow.PktMark, x.flow.NwTOS
	defer func() { x.flow.Tunnel, x.flow.PktMark, x.flow.NwTOS = saved, mark, tos }()
	if !x.encapsulate(p.Tunnel) {
		x.warn("Tunneling decided against output")
		x.denyPort(DropTunnelEnd, p.No)
		return
	}
	c := p.Tunnel
	if c.LegacyL3() && x.flow.PacketType == 0 {
		x.wc.VLANs[0].TCI |= flow.VLANPresent
	}
	if c.LegacyL3() && x.flow.PacketType == 0 && numVLANs(&x.flow) > 0 {
		x.warn("a packet with a VLAN tag can't go through a tunnel of packets without Ethernet header")
		x.denyPort(DropPacketType, p.No)
		return
	}
	x.effect(Effect{Kind: EffectTx, Port: p})
	r, underlay, native := x.native(p)
	last = last && len(x.bridge.Mirrors) == 0
	switch {
	case native:
		x.withoutEthernet(c, last, func(last bool) { x.sendNative(p, r, underlay, trunc, last) })
	default:
		x.sendCarried(p, trunc, last)
	}
	x.mirrorOut(p)
}

// withoutEthernet has run act on the packet without its Ethernet header, if the
// tunnel carries it so; on a copy then, unless it is the last to have it.
func (x *Translator) withoutEthernet(c *tunnel.Config, last bool, run func(last bool)) {
	if !c.LegacyL3() || x.flow.PacketType != 0 {
		run(last)
		return
	}
	key := x.flow
	x.onCopy(last, func() {
		x.commit()
		x.flow.PacketType = flow.L3PacketType(x.flow.EthType)
		x.flow.EthSrc, x.flow.EthDst = packet.MAC{}, packet.MAC{}
		x.outer = outerChange{pop: &datapath.PopEthernet{}}
		n := len(x.res.Actions)
		run(true)
		if len(x.res.Actions) == n {
			x.outer = outerChange{}
		}
	})
	x.flow.PacketType, x.flow.EthSrc, x.flow.EthDst = key.PacketType, key.EthSrc, key.EthDst
}

// sendCarried leaves the outer headers to the device behind the tunnel's port.
func (x *Translator) sendCarried(p *Port, trunc uint32, last bool) {
	x.detail("output to kernel tunnel")
	x.markQueue(p)
	if trunc != 0 { // it counts for the next output, whatever stands between
		x.emit(&datapath.Trunc{MaxLen: trunc})
	}
	x.commitTunnel(p)
	x.withoutEthernet(p.Tunnel, last, func(bool) {
		x.commit()
		x.emit(p.outAction())
	})
}

// encapsulate makes the tunnel metadata what the port asks for. It reports false
// if that says nowhere to go.
func (x *Translator) encapsulate(c *tunnel.Config) bool {
	f := &x.flow
	t := &f.Tunnel
	if !c.RemoteFlow {
		t.Dst, t.IPv6Dst = ends(c.Remote)
	}
	if !c.LocalFlow {
		t.Src, t.IPv6Src = ends(c.Local)
	}
	if t.Dst == 0 && t.IPv6Dst == [16]byte{} {
		return false
	}
	if t.Dst != 0 {
		t.IPv6Src, t.IPv6Dst = [16]byte{}, [16]byte{}
	} else {
		t.Src = 0
	}
	if !c.OutKeyFlow {
		t.ID = c.OutKey
	}
	x.erspan(c)
	x.outerTTL(c)
	x.outerTOS(c)
	t.Flags &^= flow.TunnelDF | flow.TunnelCsum | flow.TunnelKey
	for _, b := range [...]struct {
		on   bool
		flag uint16
	}{{c.DF, flow.TunnelDF}, {c.Csum, flow.TunnelCsum}, {c.OutKeySet, flow.TunnelKey}} {
		if b.on {
			t.Flags |= b.flag
		}
	}
	t.TpSrc, t.TpDst = 0, c.DstPort
	if c.MarkSet {
		f.PktMark = c.Mark
		x.wc.PktMark = ^uint32(0)
	}
	return true
}

// erspan is what an ERSPAN header says besides the session.
func (x *Translator) erspan(c *tunnel.Config) {
	t, e := &x.flow.Tunnel, &c.ERSPAN
	if c.Kind.ShimName() != tunnel.ShimERSPAN {
		return
	}
	if !e.VerFlow {
		t.ERSPANVer = e.Ver
	}
	if !e.IdxFlow {
		t.ERSPANIdx = e.Idx
	}
	if !e.DirFlow {
		t.ERSPANDir = e.Dir
	}
	if !e.HWIDFlow {
		t.ERSPANHwid = e.HWID
	}
	if t.ERSPANVer == 1 {
		t.ERSPANDir, t.ERSPANHwid = 0, 0
	} else {
		t.ERSPANIdx = 0
	}
}

// outerTTL is that of the options, or the packet's own.
func (x *Translator) outerTTL(c *tunnel.Config) {
	t := &x.flow.Tunnel
	t.TTL = tunnel.DefaultTTL
	switch {
	case c.TTLInherit && isIP(x.flow.L3Type()):
		x.wc.NwTTL = 0xff
		t.TTL = x.flow.NwTTL
	case !c.TTLInherit && c.TTL != 0:
		t.TTL = c.TTL
	}
}

// outerTOS is the DSCP of the options, or the packet's own, and the packet's
// ECN, where congestion is told anew (RFC 6040, section 4.1).
func (x *Translator) outerTOS(c *tunnel.Config) {
	t := &x.flow.Tunnel
	t.TOS = c.TOS
	if !isIP(x.flow.L3Type()) {
		return
	}
	if c.TOSInherit {
		x.wc.NwTOS = 0xff
		t.TOS = x.flow.NwTOS & dscpMask
	}
	x.wc.NwTOS |= ecnMask
	if ecn := x.flow.NwTOS & ecnMask; ecn == ecnCE {
		t.TOS |= ecnECT0
	} else {
		t.TOS |= ecn
	}
}

// ends is an outer address as the metadata has it.
func ends(a netip.Addr) (v4 uint32, v6 [16]byte) {
	switch {
	case a.Is4():
		b := a.As4()
		return binary.BigEndian.Uint32(b[:]), v6
	case a.IsValid():
		return 0, a.As16()
	}
	return 0, v6
}

// commitTunnel tells the data path the outer headers.
func (x *Translator) commitTunnel(p *Port) {
	f, base := &x.flow, &x.base
	options := x.options(p)
	if len(options) == 0 {
		if f.Tunnel == base.Tunnel && base.TunMetaPresent == 0 {
			return
		}
		x.forgetTunnel()
	} else {
		if f.Tunnel == base.Tunnel && f.TunMetaPresent == base.TunMetaPresent && f.TunMeta == base.TunMeta {
			return
		}
		base.TunMetaPresent, base.TunMeta = f.TunMetaPresent, f.TunMeta
	}
	x.emit(&datapath.SetTunnel{Tunnel: f.Tunnel, Options: options})
	base.Tunnel = f.Tunnel
}

// forgetTunnel has the outer headers be told to the data path before they are
// used.
func (x *Translator) forgetTunnel() {
	x.base.Tunnel = flow.Tunnel{}
	x.base.TunMetaPresent, x.base.TunMeta = 0, [flow.TunMetaBytes]byte{}
}

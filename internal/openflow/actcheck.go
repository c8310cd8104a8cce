package openflow

import (
	"sync"

	"weir/internal/flow"
	"weir/internal/packet"
)

// ActionCheck are the limits that actions are checked against.
type ActionCheck struct {
	MaxPorts PortNo // ports below are acceptable; PortMax for any
	TableID  uint8  // of the flow; TableAny when unknown
	NTables  int    // 255 when unknown
	Usable   Protocol
	Keep     bool // marks nothing: the actions may be others' too
	// Log gets the explanation of an error, see DecodeOptions.
	Log func(module, site string, warn bool, text string)
}

// CheckActions checks that actions go with the match and with each other, and
// marks those that set a VLAN as to whether the flow is known to have a tag. It
// returns the protocols of c.Usable in which the flow may be said: OpenFlow 1.0
// lets actions be inconsistent with the match, 1.1 and later don't.
func CheckActions(as []Action, m *Match, c ActionCheck) (Protocol, error) {
	k := checkers.Get().(*checker)
	defer checkers.Put(k)
	*k = checker{ActionCheck: c, m: *m, strict: true}
	if code := k.list(as); code != 0 {
		return 0, code.Err()
	}
	if a := besideConjunction(as); a != nil {
		if c.Log != nil {
			c.Log("ofp_actions", "verify", true, beside(a))
		}
		return 0, ErrNXBACBadConjunction.Err()
	}
	return k.Usable, nil
}

// checkers is memory for checks: a switch makes many, and a Match is large.
var checkers = sync.Pool{New: func() any { return new(checker) }}

// AlwaysConsistent reports whether actions go with any match, so that
// [CheckActions] would find nothing: what most flows do.
func AlwaysConsistent(as []Action) bool {
	for _, a := range as {
		switch a := a.(type) {
		case *Output, *Controller, *Group, *Note:
		case *Resubmit:
			if a.WithCT {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// checker follows how the actions before change the packet.
type checker struct {
	ActionCheck
	m      Match
	strict bool // write_actions run where the packet is not known
	depth  int
}

func (c *checker) inconsistent() ErrCode {
	if c.strict {
		c.Usable &= PAny10
		if c.Usable == 0 {
			return ErrBACMatchInconsistent
		}
	}
	return 0
}

func (c *checker) list(as []Action) ErrCode {
	c.depth++
	defer func() { c.depth-- }()
	for _, a := range as {
		if code := c.action(a); code != 0 {
			return code
		}
	}
	return 0
}

func (c *checker) hasVLAN() bool {
	return c.m.Key.VLANs[0].TCI&c.m.Mask.VLANs[0].TCI&flow.VLANPresent != 0
}

func (c *checker) setVLAN(has bool) {
	v, w := &c.m.Key.VLANs[0], &c.m.Mask.VLANs[0]
	v.TCI, w.TCI = v.TCI&^flow.VLANPresent, w.TCI|flow.VLANPresent
	if has {
		v.TCI |= flow.VLANPresent
	}
}

// etherType is the EtherType, which packets without an Ethernet header have in their
// packet type.
func (c *checker) etherType() uint16 {
	if c.m.Key.PacketType>>16 == 1 {
		return uint16(c.m.Key.PacketType)
	}
	return c.m.Key.EthType
}

func (c *checker) isIP() bool {
	t := c.etherType()
	return t == packet.EtherTypeIPv4 || t == packet.EtherTypeIPv6
}

func (c *checker) isMPLS() bool {
	t := c.etherType()
	return t == packet.EtherTypeMPLS || t == packet.EtherTypeMPLSM
}

func (c *checker) need(ok bool) ErrCode {
	if ok {
		return 0
	}
	return c.inconsistent()
}

func (c *checker) port(p PortNo) ErrCode {
	switch p {
	case PortInPort, PortTable, PortNormal, PortFlood, PortAll, PortController, PortLocal:
		return 0
	}
	if p >= PortMax || c.MaxPorts != 0 && p >= c.MaxPorts {
		return ErrBACBadOutPort
	}
	return 0
}

// sub checks a subfield, also that the match has its prerequisites.
func (c *checker) sub(s Subfield, what string) ErrCode {
	text, code := subfieldError(s, what)
	if code == 0 && !s.Field.AppliesTo(&c.m) {
		text, code = what+" field "+s.Field.Name+" lacks correct prerequisites", ErrBACMatchInconsistent
	}
	if code != 0 && c.Log != nil {
		c.Log("meta_flow", "", true, text)
	}
	return code
}

func (c *checker) action(a Action) ErrCode {
	switch a := a.(type) {
	case *Output:
		return c.port(a.Port)
	case *OutputTrunc:
		return c.port(a.Port)
	case *Enqueue:
		if a.Port >= PortMax && a.Port != PortInPort && a.Port != PortLocal {
			return ErrBACBadOutPort
		}
	case *OutputReg:
		return c.sub(a.Src, "source")
	case *Bundle:
		return c.bundle(a)
	case *Multipath:
		return c.sub(a.Dst, "destination")
	case *Push:
		return c.sub(a.Src, "source")
	case *Pop:
		return c.sub(a.Dst, "destination")
	case *CheckPktLarger:
		return c.sub(a.Dst, "destination")
	case *Move:
		if code := c.sub(a.Src, "source"); code != 0 {
			return code
		}
		return c.sub(a.Dst, "destination")
	case *SetField:
		return c.setField(a)
	case *Learn:
		return c.learn(a)
	case *FinTimeout:
		return c.need(c.isIP() && c.m.Key.NwProto == packet.ProtoTCP)
	case *CT:
		return c.ct(a)
	case *DeleteField:
		if a.Field.ID < flow.FieldTunMetadata0 || a.Field.ID >= flow.FieldMetadata {
			return ErrBACBadArgument
		}
	default:
		return c.headers(a)
	}
	return 0
}

func (c *checker) bundle(a *Bundle) ErrCode {
	for _, p := range a.Members {
		if p != PortNone {
			if code := c.port(p); code != 0 {
				return code
			}
		}
	}
	if a.Dst.Field != nil {
		return c.sub(a.Dst, "destination")
	}
	return 0
}

func (c *checker) setField(a *SetField) ErrCode {
	if !a.Field.AppliesTo(&c.m) || c.isVLANField(a.Field) && !c.hasVLAN() {
		if c.Log != nil {
			c.Log("ofp_actions", "", true, "set_field "+a.Field.Name+" lacks correct prerequisites")
		}
		return ErrBACMatchInconsistent
	}
	if !c.Keep {
		a.HasVLAN = c.hasVLAN()
	}
	if a.Field.ID == flow.FieldVLANTCI {
		c.setVLAN(a.Value.Lo&flow.VLANPresent != 0)
	}
	return 0
}

func (c *checker) isVLANField(f *flow.Field) bool {
	switch f.ID {
	case flow.FieldVLANVID, flow.FieldVLANPCP:
		return true
	}
	return false
}

func (c *checker) headers(a Action) ErrCode {
	switch a := a.(type) {
	case *SetVLANVID:
		return c.setTag(&a.FlowHasVLAN, a.PushIfNeeded)
	case *SetVLANPCP:
		return c.setTag(&a.FlowHasVLAN, a.PushIfNeeded)
	case *StripVLAN:
		code := c.need(c.hasVLAN())
		c.setVLAN(false)
		return code
	case *PushVLAN:
		c.setVLAN(true)
	case *SetIPv4Src, *SetIPv4Dst:
		return c.need(c.etherType() == packet.EtherTypeIPv4)
	case *SetIPDSCP, *SetIPECN, *SetIPTTL, *DecTTL:
		return c.need(c.isIP())
	case *SetL4SrcPort:
		return c.setPort(&a.Proto)
	case *SetL4DstPort:
		return c.setPort(&a.Proto)
	case *SetMPLSLabel, *SetMPLSTC, *SetMPLSTTL, *DecMPLSTTL:
		return c.need(c.isMPLS())
	case *PushMPLS:
		c.setEthType(a.EthType)
	case *PopMPLS:
		code := c.need(c.isMPLS())
		c.setEthType(a.EthType)
		return code
	case *DecNSHTTL:
		if c.etherType() != packet.EtherTypeNSH {
			return c.inconsistent()
		}
	default:
		return c.control(a)
	}
	return 0
}

// setTag checks an action that sets a part of a VLAN tag, and notes whether the flow
// has one.
func (c *checker) setTag(flowHas *bool, pushIfNeeded bool) ErrCode {
	has := c.hasVLAN()
	if !c.Keep {
		*flowHas = has
	}
	code := c.need(has || pushIfNeeded)
	c.setVLAN(true)
	return code
}

// setPort checks an action that sets a port, and notes of which protocol.
func (c *checker) setPort(proto *uint8) ErrCode {
	p := c.m.Key.NwProto
	*proto = p
	return c.need(c.isIP() && c.m.Key.NwFrag&flow.FragLater == 0 &&
		(p == packet.ProtoTCP || p == packet.ProtoUDP || p == packet.ProtoSCTP))
}

func (c *checker) setEthType(t uint16) {
	c.m.Key.EthType, c.m.Mask.EthType = t, 0xffff
	if c.m.Key.PacketType>>16 == 1 {
		c.m.Key.PacketType, c.m.Mask.PacketType = 1<<16|uint32(t), 0xffffffff
	}
	if !c.isIP() {
		c.m.Key.NwProto = 0
	}
}

func (c *checker) control(a Action) ErrCode {
	switch a := a.(type) {
	case *Resubmit:
		if a.WithCT && !flow.FieldCTNwProto.Field().AppliesTo(&c.m) {
			return ErrBACMatchInconsistent
		}
	case *MeterInst:
		if a.ID == 0 {
			return ErrMMFCInvalidMeter
		}
	case *GotoTable:
		if c.TableID != TableAny && a.Table <= c.TableID || c.NTables != 0 && c.NTables != 255 && int(a.Table) >= c.NTables {
			return ErrBICBadTableID
		}
	case *WriteActions:
		// What the set does to a packet counts when it is run, not here.
		outer, saved := c.strict, c.m
		c.strict = false
		code := c.list(a.Actions)
		c.strict, c.m = outer, saved
		return code
	case *Clone:
		saved := c.m
		code := c.list(a.Actions)
		c.m = saved
		return code
	case *Encap:
		c.m.Key.PacketType, c.m.Mask.PacketType = a.PacketType, 0xffffffff
		if a.PacketType == PacketTypeNSH {
			c.setEthType(packet.EtherTypeNSH)
		}
	case *Decap:
		c.decap(a)
	}
	return 0
}

// decap follows what is known of the packet's type.
func (c *checker) decap(a *Decap) {
	k, w := &c.m.Key, &c.m.Mask
	switch {
	case k.PacketType == 0 && w.EthType == 0xffff:
		// What stood behind the Ethernet header is now all there is.
		k.PacketType, w.PacketType = 1<<16|uint32(k.EthType), 0xffffffff
	case a.NewPacketType != PacketTypeUseNext:
		k.PacketType, w.PacketType = a.NewPacketType, 0xffffffff
	default:
		k.PacketType, w.PacketType = 0, 0
		k.EthType, w.EthType = 0, 0
	}
}

// written checks an action set: only what may stand in one.
func (c *checker) learn(l *Learn) ErrCode {
	var made Match
	for _, s := range l.Specs {
		if !s.FromImm {
			if code := c.sub(s.Src, "source"); code != 0 {
				return code
			}
		}
		switch s.Dst {
		case LearnMatch:
			in := *c
			in.m = made
			if code := in.sub(s.DstSub, "source"); code != 0 {
				return code
			}
			v := s.Imm
			if s.FromImm {
				made.Set(s.DstSub.Field, v.Shl(int(s.DstSub.Ofs)), flow.Ones(int(s.DstSub.N)).Shl(int(s.DstSub.Ofs)))
			}
		case LearnLoad:
			in := *c
			in.m = made
			if code := in.sub(s.DstSub, "destination"); code != 0 {
				return code
			}
		}
	}
	if l.Flags&LearnWriteResult != 0 {
		return c.sub(l.ResultDst, "destination")
	}
	return 0
}

func (c *checker) ct(a *CT) ErrCode {
	if !c.isIP() {
		return ErrBACMatchInconsistent
	}
	proto := c.m.Key.NwProto & c.m.Mask.NwProto
	if a.ALG == CTALGFTP && proto != packet.ProtoTCP || a.ALG == CTALGTFTP && proto != packet.ProtoUDP {
		return ErrBACMatchInconsistent // the helper reads what these protocols carry
	}
	if a.ZoneSrc.Field != nil {
		if code := c.sub(a.ZoneSrc, "source"); code != 0 {
			return code
		}
	}
	for _, x := range a.Actions {
		if n, ok := x.(*NAT); ok {
			if n.HasAddr && n.IPv6 != (c.etherType() == packet.EtherTypeIPv6) {
				return ErrBACMatchInconsistent
			}
			continue
		}
		if code := c.action(x); code != 0 {
			return code
		}
	}
	return 0
}

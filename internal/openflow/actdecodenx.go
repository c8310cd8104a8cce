package openflow

import "fmt"

// Actions of Nicira's extension, on the wire.

func actSetTunnel(a *actReader) Action {
	a.align32()
	return &SetTunnelID{ID: uint64(a.u32())}
}

func actSetTunnel64(a *actReader) Action {
	a.skip(6)
	return &SetTunnelID{ID: a.u64(), Wide: true}
}

func actPopQueue(*actReader) Action     { return &PopQueue{} }
func actNote(a *actReader) Action       { return &Note{Data: a.rest()} }
func actExit(*actReader) Action         { return &Exit{} }
func actCTClear(*actReader) Action      { return &CTClear{} }
func actDecNSHTTL(*actReader) Action    { return &DecNSHTTL{} }
func actDebugSlow(*actReader) Action    { return &DebugSlow{} }
func actDebugRecirc(*actReader) Action  { return &DebugRecirc{} }
func actFinTimeout(a *actReader) Action { return &FinTimeout{Idle: a.u16(), Hard: a.u16()} }

func actWriteMetadata(a *actReader) Action {
	a.zeros(6, ErrNXBRCMustBeZero)
	return &WriteMetadata{Value: a.u64(), Mask: a.u64()}
}

func actOutputTrunc(a *actReader) Action {
	o := &OutputTrunc{Port: Port10(a.u16()), MaxLen: a.u32()}
	if o.MaxLen < 14 {
		a.fail(ErrBACBadArgument)
	}
	switch o.Port {
	case PortNormal, PortFlood, PortAll, PortController, PortTable, PortNone:
		a.fail(ErrBACBadOutPort)
	}
	return o
}

func actController(a *actReader) Action {
	c := &Controller{MaxLen: a.u16(), ControllerID: a.u16(), Reason: a.u8()}
	a.zeros(1, ErrNXBRCMustBeZero)
	return c
}

func actController2(a *actReader) Action {
	c := &Controller{MaxLen: 0xffff, Reason: uint8(ReasonAction), V2: true}
	a.zeros(6, ErrNXBRCMustBeZero)
	for a.left() > 0 && a.err == nil {
		t, _, b := a.prop()
		switch t {
		case 0:
			c.MaxLen = b.u16()
		case 1:
			c.ControllerID = b.u16()
		case 2:
			c.Reason = b.u8()
			if c.Reason >= NumPacketInReason {
				a.fail(ErrNXBRCBadReason)
			}
		case 3:
			c.Userdata = b.rest()
		case 4:
			c.Pause = true
		case 5:
			c.MeterID = b.u32()
		default:
			a.fail(ErrBPCBadType)
		}
		a.failErr(b.err)
	}
	return c
}

func actConjunction(a *actReader) Action {
	clause, n := a.u8(), a.u8()
	if n < 2 || n > 64 || clause >= n {
		a.fail(ErrNXBACBadConjunction)
	}
	return &Conjunction{Clause: clause, N: n, ID: a.u32()}
}

func actClone(a *actReader) Action {
	a.zeros(6, ErrNXBACMustBeZero)
	c := a.sub(a.left(), ErrBACBadLen)
	acts := a.d.nested(&c)
	a.failErr(c.err)
	return &Clone{Actions: acts}
}

// nested reads the actions inside another action.
func (d *decoder) nested(c *cursor) []Action {
	var out []Action
	for c.left() > 0 && c.err == nil {
		out = append(out, d.action(c))
	}
	return out
}

func actSample(a *actReader) Action {
	s := &Sample{Probability: a.u16(), CollectorSetID: a.u32(), ObsDomainID: a.u32(), ObsPointID: a.u32(), SamplingPort: PortNone}
	if s.Probability == 0 {
		a.fail(ErrBACBadArgument)
	}
	return s
}

func actSample2(a *actReader) Action {
	s := actSample(a).(*Sample)
	s.SamplingPort, s.Raw = Port10(a.u16()), 2
	return s
}

func actSample3(a *actReader) Action {
	s := actSample2(a).(*Sample)
	s.Direction, s.Raw = a.u8(), 3
	a.zeros(a.left(), ErrNXBRCMustBeZero)
	if s.Direction > SampleEgress {
		a.d.logf("ofp_actions", true, fmt.Sprintf("invalid sample direction %d", s.Direction))
		a.fail(ErrBACBadArgument)
	}
	return s
}

// actSample4 has subfields in place of the observation ids.
func actSample4(a *actReader) Action {
	s := &Sample{Probability: a.u16(), CollectorSetID: a.u32(), SamplingPort: PortNone, Raw: 4}
	s.ObsDomainID, s.DomainSrc = a.sampleID()
	s.ObsPointID, s.PointSrc = a.sampleID()
	s.SamplingPort, s.Direction = Port10(a.u16()), a.u8()
	if s.Probability == 0 || s.Direction > SampleEgress {
		a.fail(ErrBACBadArgument)
	}
	return s
}

// sampleID reads the header of a field, or zero, and the bits of it or an id.
func (a *actReader) sampleID() (uint32, Subfield) {
	at := a.off
	if a.u32() == 0 {
		return a.u32(), Subfield{}
	}
	a.off = at
	s := Subfield{Field: a.fieldHeader()}
	s.Ofs, s.N = ofsNBits(a.u16())
	a.skip(2)
	a.checkSub(s, "source")
	return 0, s
}

func actEncap(a *actReader) Action {
	e := &Encap{HdrSize: a.u16(), PacketType: a.u32()}
	switch e.PacketType {
	case PacketTypeEthernet, PacketTypeNSH, PacketTypeMPLS, PacketTypeMPLSMC:
	default:
		a.fail(ErrNXBACBadHeaderType)
	}
	for a.left() > 0 && a.err == nil {
		p := EncapProp{Class: a.u16(), Type: a.u8()}
		n := int(a.u8())
		if n < 4 {
			a.fail(ErrNXBACBadEDProp)
		}
		p.Data = a.bytes(n - 4)
		a.skip(min(pad8(n)-n, a.left()))
		switch {
		case p.Class == 4 && p.Type == 1 && len(p.Data) >= 1, p.Class == 4 && p.Type == 2 && len(p.Data) >= 3:
		case p.Class == 4 && p.Type <= 2:
			a.fail(ErrNXBACBadEDProp)
		default:
			a.fail(ErrNXBACUnknownEDProp)
		}
		e.Props = append(e.Props, p)
	}
	return e
}

func actDecap(a *actReader) Action {
	a.skip(2)
	return &Decap{NewPacketType: a.u32()}
}

func actCheckPktLarger(a *actReader) Action {
	c := &CheckPktLarger{Len: a.u16()}
	c.Dst.Ofs, c.Dst.N = a.u16(), 1
	c.Dst.Field = a.fieldHeader()
	a.checkSub(c.Dst, "destination")
	return c
}

func actDeleteField(a *actReader) Action {
	f := a.fieldHeader()
	return &DeleteField{Field: f}
}

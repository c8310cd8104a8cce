package openflow

import "weir/internal/flow"

// Encoders of the actions that name fields.

func (e *encoder) fieldAction(a Action) bool {
	switch a := a.(type) {
	case *SetField:
		e.setField(a)
	case *Move:
		e.move(a)
	case *Push:
		e.stackAction(27, a.Src)
	case *Pop:
		e.stackAction(28, a.Dst)
	case *Multipath:
		s := e.nxa(10)
		e.u16(uint16(a.Fields))
		e.u16(a.Basis)
		e.pad(2)
		e.u16(a.Algorithm)
		e.u16(a.MaxLink)
		e.u32(a.Arg)
		e.pad(2)
		e.u16(packOfsNBits(a.Dst))
		e.nxmHead(a.Dst.Field)
		e.actEnd(s)
	case *Bundle:
		e.bundle(a)
	case *CheckPktLarger:
		s := e.nxa(49)
		e.u16(a.Len)
		e.u16(a.Dst.Ofs)
		e.nxmHead(a.Dst.Field)
		e.pad(24 - (e.len() - s))
		e.actEnd(s)
	case *DeleteField:
		s := e.nxa(50)
		e.nxmHead(a.Field)
		e.pad(24 - (e.len() - s))
		e.actEnd(s)
	default:
		return false
	}
	return true
}

// setField chooses the form: set_field of OpenFlow 1.5 with or without a mask,
// of 1.2 without, else the Nicira loads.
func (e *encoder) setField(a *SetField) {
	switch {
	case e.v >= V15:
		e.setFieldOXM(a)
	case a.FromLoad || a.FromLoad2:
		if a.FromLoad2 {
			e.regLoad2(a)
		} else {
			e.regLoads(a)
		}
	case e.v >= V12:
		if a.Mask == a.Field.Exact() {
			e.setFieldOXM(a)
		} else {
			e.regLoads(a) // masks came with OpenFlow 1.5
		}
	default:
		e.setFieldLegacy(a)
	}
}

// setExact writes set_field for an action of its own of older versions, and
// reports whether the version has it.
func (e *encoder) setExact(id flow.FieldID, v uint64) bool {
	if e.v < V12 {
		return false
	}
	f := id.Field()
	e.setFieldOXM(&SetField{Field: f, Value: flow.V(v), Mask: f.Exact()})
	return true
}

func (e *encoder) setTunnelID(a *SetTunnelID) {
	switch {
	case e.setExact(flow.FieldTunID, a.ID):
	case a.Wide || a.ID>>32 != 0:
		s := e.nxa(9)
		e.pad(6)
		e.u64(a.ID)
		e.actEnd(s)
	default:
		e.arg32(e.nxa(2), uint32(a.ID))
	}
}

func (e *encoder) setFieldOXM(a *SetField) {
	s := e.of(25)
	e.oxmValue(a.Field, a.Value, a.Mask, e.v)
	e.actEnd(s)
}

func (e *encoder) regLoad2(a *SetField) {
	s := e.nxa(33)
	e.pad(6)
	e.oxmValue(a.Field, a.Value, a.Mask, V10)
	e.actEnd(s)
}

// regLoads writes one NXAST_REG_LOAD for each run of one bits in the mask, of
// at most 64 bits each. Fields with long headers have no such form.
func (e *encoder) regLoads(a *SetField) {
	c, ok := a.Field.NXM()
	if !ok || c.Header.Class() == flow.ClassExperimenter || a.Field.IsTunMetadata() {
		e.regLoad2(a)
		return
	}
	for _, r := range maskRuns(a.Mask.And(flow.Ones(a.Field.NBits)), 64) {
		s := e.nxa(7)
		sub := Subfield{Field: a.Field, Ofs: uint16(r.ofs), N: uint16(r.n)}
		e.u16(packOfsNBits(sub))
		e.nxmHead(a.Field)
		e.u64(a.Value.Shr(r.ofs).And(flow.Ones(r.n)).Lo)
		e.actEnd(s)
	}
}

// run is a run of one bits of a mask.
type run struct{ ofs, n int }

// maskRuns lists the runs of ones, each of at most limit bits, from low to high.
func maskRuns(mask flow.Value, limit int) []run {
	var out []run
	for i := 0; i < 128; {
		if !mask.Bit(i) {
			i++
			continue
		}
		n := 0
		for i+n < 128 && n < limit && mask.Bit(i+n) {
			n++
		}
		out = append(out, run{i, n})
		i += n
	}
	return out
}

// setFieldLegacy uses the actions of OpenFlow 1.0 and 1.1 where there is one
// for the whole field.
func (e *encoder) setFieldLegacy(a *SetField) {
	if a.Mask != a.Field.Exact() {
		e.regLoads(a)
		return
	}
	v := a.Value.Lo
	var mac [6]byte
	switch a.Field.ID {
	case flow.FieldVLANTCI:
		e.setTCI(uint16(v))
	case flow.FieldVLANVID, flow.FieldDLVLAN:
		e.action(&SetVLANVID{VID: uint16(v) & 0xfff, PushIfNeeded: false})
	case flow.FieldVLANPCP, flow.FieldDLVLANPCP:
		e.action(&SetVLANPCP{PCP: uint8(v)})
	case flow.FieldEthSrc:
		a.Value.PutBytes(mac[:])
		e.action(&SetEthSrc{MAC: mac})
	case flow.FieldEthDst:
		a.Value.PutBytes(mac[:])
		e.action(&SetEthDst{MAC: mac})
	case flow.FieldIPv4Src:
		e.action(&SetIPv4Src{Addr: uint32(v)})
	case flow.FieldIPv4Dst:
		e.action(&SetIPv4Dst{Addr: uint32(v)})
	case flow.FieldIPTOS:
		e.action(&SetIPDSCP{DSCP: uint8(v) & 0xfc})
	case flow.FieldIPDSCP:
		e.action(&SetIPDSCP{DSCP: uint8(v) << 2})
	case flow.FieldTCPSrc, flow.FieldUDPSrc:
		e.action(&SetL4SrcPort{Port: uint16(v)})
	case flow.FieldTCPDst, flow.FieldUDPDst:
		e.action(&SetL4DstPort{Port: uint16(v)})
	case flow.FieldIPECN:
		e.action(&SetIPECN{ECN: uint8(v)})
	default:
		e.regLoads(a)
	}
}

func (e *encoder) setTCI(tci uint16) {
	if tci&flow.VLANPresent == 0 {
		e.action(&StripVLAN{})
		return
	}
	e.action(&SetVLANVID{VID: tci & 0xfff})
	e.action(&SetVLANPCP{PCP: uint8(tci >> 13)})
}

func (e *encoder) move(a *Move) {
	if e.v >= V15 {
		s := e.of(28)
		e.u16(a.Dst.N)
		e.u16(a.Src.Ofs)
		e.u16(a.Dst.Ofs)
		e.pad(2)
		e.oxmHead(a.Src.Field, false, e.v)
		e.oxmHead(a.Dst.Field, false, e.v)
		e.actEnd(s)
		return
	}
	if a.ONF && e.v >= V13 {
		e.u16(0xffff)
		e.u16(0)
		e.u32(VendorONF)
		e.u16(3200)
		s := e.len() - 10
		e.pad(2)
		e.u16(a.Dst.N)
		e.u16(a.Src.Ofs)
		e.u16(a.Dst.Ofs)
		e.pad(2)
		e.nxmHead(a.Src.Field)
		e.nxmHead(a.Dst.Field)
		e.actEnd(s)
		return
	}
	s := e.nxa(6)
	e.u16(a.Dst.N)
	e.u16(a.Src.Ofs)
	e.u16(a.Dst.Ofs)
	e.nxmHead(a.Src.Field)
	e.nxmHead(a.Dst.Field)
	e.actEnd(s)
}

func (e *encoder) stackAction(num uint16, f Subfield) {
	s := e.nxa(num)
	e.u16(f.Ofs)
	e.nxmHead(f.Field)
	e.u16(f.N)
	e.pad(24 - (e.len() - s))
	e.actEnd(s)
}

func (e *encoder) bundle(a *Bundle) {
	num := uint16(12)
	if a.Dst.Field != nil {
		num = 13
	}
	s := e.nxa(num)
	e.u16(a.Algorithm)
	e.u16(uint16(a.Fields))
	e.u16(a.Basis)
	e.u32(2)
	e.u16(uint16(len(a.Members)))
	if a.Dst.Field != nil {
		e.u16(packOfsNBits(a.Dst))
		at := e.len()
		e.nxmHead(a.Dst.Field)
		e.pad(8 - (e.len() - at))
	} else {
		e.pad(10)
	}
	for _, p := range a.Members {
		e.u16(p.To10())
	}
	e.actEnd(s)
}

func (e *encoder) bigAction(a Action) bool {
	switch a := a.(type) {
	case *Learn:
		e.learn(a)
	case *CT:
		e.ct(a)
	case *NAT:
		e.nat(a)
	case *Clone:
		s := e.nxa(42)
		e.pad(6)
		e.actions(a.Actions)
		e.actEnd(s)
	case *Sample:
		e.sample(a)
	case *Encap:
		s := e.nxa(46)
		e.u16(a.HdrSize)
		e.u32(a.PacketType)
		for _, p := range a.Props {
			at := e.len()
			e.u16(p.Class)
			e.u8(p.Type)
			e.u8(uint8(4 + len(p.Data)))
			e.bytes(p.Data)
			e.padTo8(at)
		}
		e.actEnd(s)
	default:
		return false
	}
	return true
}

func (e *encoder) learn(l *Learn) {
	v2 := l.V2 || l.Limit != 0 || l.Flags&LearnWriteResult != 0
	num := uint16(16)
	if v2 {
		num = nxastLearn2
	}
	s := e.nxa(num)
	e.u16(l.IdleTimeout)
	e.u16(l.HardTimeout)
	e.u16(l.Priority)
	e.u64(l.Cookie)
	e.u16(uint16(l.Flags))
	e.u8(l.TableID)
	e.pad(1)
	e.u16(l.FinIdleTimeout)
	e.u16(l.FinHardTimeout)
	if v2 {
		e.u32(l.Limit)
		e.u16(l.ResultDst.Ofs)
		e.pad(2)
		if l.Flags&LearnWriteResult != 0 {
			e.nxmHead(l.ResultDst.Field)
		}
	}
	for _, p := range l.Specs {
		e.learnSpec(&p)
	}
	e.actEnd(s)
}

func (e *encoder) learnSpec(p *LearnSpec) {
	h := p.NBits | uint16(p.Dst)<<11
	if p.FromImm {
		h |= 0x2000
	}
	e.u16(h)
	if p.FromImm {
		b := make([]byte, 2*((int(p.NBits)+15)/16))
		p.Imm.PutBytes(b)
		e.bytes(b)
	} else {
		e.nxmHead(p.Src.Field)
		e.u16(p.Src.Ofs)
	}
	if p.Dst != LearnOutput {
		e.nxmHead(p.DstSub.Field)
		e.u16(p.DstSub.Ofs)
	}
}

func (e *encoder) ct(c *CT) {
	s := e.nxa(35)
	e.u16(uint16(c.Flags))
	if c.ZoneSrc.Field != nil {
		e.nxmHead(c.ZoneSrc.Field)
		e.u16(packOfsNBits(c.ZoneSrc))
	} else {
		e.pad(4)
		e.u16(c.ZoneImm)
	}
	e.u8(c.Table)
	e.pad(3)
	e.u16(c.ALG)
	e.actions(c.Actions)
	e.actEnd(s)
}

func (e *encoder) nat(n *NAT) {
	s := e.nxa(36)
	e.pad(2)
	e.u16(uint16(n.Flags))
	at := e.len()
	e.u16(0)
	var present int
	if n.HasAddr {
		size, low := 4, natIPv4Min
		if n.IPv6 {
			size, low = 16, natIPv6Min
		}
		present |= low
		e.bytes(n.AddrMin[:size])
		if n.AddrMax != [16]byte{} {
			present |= low << 1
			e.bytes(n.AddrMax[:size])
		}
	}
	if n.ProtoMin != 0 {
		present |= natProtoMin
		e.u16(n.ProtoMin)
		if n.ProtoMax != 0 {
			present |= natProtoMax
			e.u16(n.ProtoMax)
		}
	}
	e.put16(at, present)
	e.actEnd(s)
}

// sample uses the oldest form that holds what the action says.
func (e *encoder) sample(a *Sample) {
	form := a.Raw
	switch {
	case a.DomainSrc.Field != nil || a.PointSrc.Field != nil:
		form = 4
	case a.Direction != SampleDefault:
		form = max(form, 3)
	case a.SamplingPort != PortNone:
		form = max(form, 2)
	}
	nums := map[uint8]uint16{0: 29, 2: 38, 3: 41, 4: 51}
	s := e.nxa(nums[form])
	e.u16(a.Probability)
	e.u32(a.CollectorSetID)
	if form == 4 {
		e.sampleID(a.DomainSrc, a.ObsDomainID)
		e.sampleID(a.PointSrc, a.ObsPointID)
	} else {
		e.u32(a.ObsDomainID)
		e.u32(a.ObsPointID)
	}
	if form >= 2 {
		e.u16(a.SamplingPort.To10())
	}
	if form >= 3 {
		e.u8(a.Direction)
	}
	if form == 2 {
		e.pad(6)
	} else if form >= 3 {
		e.pad(5)
	}
	e.actEnd(s)
}

// sampleID writes the header of a field and which bits of it, or zero and an id.
func (e *encoder) sampleID(s Subfield, imm uint32) {
	if s.Field == nil {
		e.u32(0)
		e.u32(imm)
		return
	}
	e.nxmHead(s.Field)
	e.u16(packOfsNBits(s))
	e.pad(2)
}

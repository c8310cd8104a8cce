package openflow

// Codecs of port messages: descriptions, status, mod (OpenFlow 1.0, 5.2.1;
// 1.4, 7.2.1 and 7.3.5).

// features10 maps the bits of OFPPF10_* from the seventh on to ours.
var features10 = []PortFeatures{FeatureCopper, FeatureFiber, FeatureAutoneg, FeaturePause, FeaturePauseAsym}

func decFeatures(f uint32, v Version) PortFeatures {
	if v > V10 {
		return PortFeatures(f & 0xffff)
	}
	out := PortFeatures(f & 0x7f)
	for i, x := range features10 {
		if f&(1<<(7+i)) != 0 {
			out |= x
		}
	}
	return out
}

func encFeatures(f PortFeatures, v Version) uint32 {
	if v > V10 {
		return uint32(f)
	}
	out := uint32(f & 0x7f)
	for i, x := range features10 {
		if f&x != 0 {
			out |= 1 << (7 + i)
		}
	}
	return out
}

const config11 = PortDown | PortNoRecv | PortNoFwd | PortNoPacketIn

func portConfig(c uint32, v Version) PortConfig {
	if v == V10 {
		return PortConfig(c & 0x7f)
	}
	return PortConfig(c) & config11
}

// port reads a port number: 16 bits in OpenFlow 1.0, else 32.
func (d *decoder) port() PortNo {
	if d.Version == V10 {
		return Port10(d.u16())
	}
	return d.port32()
}

// port32 reads a 32-bit port; a number between the 16-bit range and the
// reserved ports is not one that Open vSwitch knows.
func (c *cursor) port32() PortNo {
	p := c.u32()
	if p > 0xfeff && p < uint32(PortMax) {
		c.fail(ErrBACBadOutPort)
	}
	return PortNo(p)
}

// watchPort reads the port that a bucket watches.
func (c *cursor) watchPort() PortNo {
	p := c.u32()
	if p > 0xfeff && p < uint32(PortMax) {
		c.fail(ErrGMFCBadWatch)
	}
	return PortNo(p)
}

// Port10 widens a port number of OpenFlow 1.0.
func Port10(p uint16) PortNo {
	if p >= 0xff00 {
		return PortNo(p) | 0xffff0000
	}
	return PortNo(p)
}

// To10 narrows a port number to OpenFlow 1.0.
func (p PortNo) To10() uint16 { return uint16(p) }

// port writes a port number in the width of the version.
func (e *encoder) port(p PortNo) {
	if e.v == V10 {
		e.u16(p.To10())
	} else {
		e.u32(uint32(p))
	}
}

func (d *decoder) portDesc() PortDesc {
	if d.Version >= V14 {
		return d.portDesc14()
	}
	var p PortDesc
	p.PortNo = d.port()
	if d.Version > V10 {
		d.skip(4)
	}
	p.HWAddr = d.mac()
	if d.Version > V10 {
		d.skip(2)
	}
	p.Name = d.name(16)
	p.Config = portConfig(d.u32(), d.Version)
	p.State = d.portState(d.u32())
	p.Curr = decFeatures(d.u32(), d.Version)
	p.Advertised = decFeatures(d.u32(), d.Version)
	p.Supported = decFeatures(d.u32(), d.Version)
	p.Peer = decFeatures(d.u32(), d.Version)
	if d.Version > V10 {
		p.CurrSpeed, p.MaxSpeed = d.u32(), d.u32()
	} else {
		p.CurrSpeed, p.MaxSpeed = p.Curr.Kbps(), p.Supported.Kbps()
	}
	return p
}

func (d *decoder) portState(s uint32) PortState {
	if d.Version == V10 {
		return PortState(s) & (PortLinkDown | PortSTPMask)
	}
	return PortState(s) & (PortLinkDown | PortBlocked | PortLive)
}

func (d *decoder) portDesc14() PortDesc {
	start := d.off
	var p PortDesc
	p.PortNo = d.port()
	n := int(d.u16())
	d.skip(2)
	p.HWAddr = d.mac()
	d.skip(2)
	p.Name = d.name(16)
	p.Config = portConfig(d.u32(), d.Version)
	p.State = d.portState(d.u32())
	if n < d.off-start {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-(d.off-start), ErrBRCBadLen)
	for c.left() > 0 && c.err == nil {
		t, _, b := c.prop()
		switch t {
		case 0:
			b.skip(4)
			p.Curr = decFeatures(b.u32(), d.Version)
			p.Advertised = decFeatures(b.u32(), d.Version)
			p.Supported = decFeatures(b.u32(), d.Version)
			p.Peer = decFeatures(b.u32(), d.Version)
			p.CurrSpeed, p.MaxSpeed = b.u32(), b.u32()
			c.endProp(&b)
		}
	}
	d.failErr(c.err)
	return p
}

// prop reads a property (OpenFlow 1.4, 7.2.1): its type, of an experimenter
// also the ids, and its body.
func (c *cursor) prop() (typ uint16, exp [2]uint32, body cursor) {
	typ = c.u16()
	n := int(c.u16())
	if c.err == nil && (n < 4 || pad8(n)-4 > c.left()) {
		c.fail(ErrBPCBadLen)
	}
	body = c.sub(n-4, ErrBPCBadLen)
	c.skip(pad8(n) - n)
	if typ >= 0xfffe && c.err == nil {
		exp[0], exp[1] = body.u32(), body.u32()
		c.failErr(body.err)
	}
	return typ, exp, body
}

// endProp carries an error of a property's body over to c; the body must have
// been read to its end.
func (c *cursor) endProp(b *cursor) {
	if b.err == nil && b.left() > 0 {
		b.fail(ErrBPCBadLen)
	}
	c.failErr(b.err)
}

// propStart writes the head of a property; propEnd its length and padding.
func (w *buf) propStart(typ uint16) int {
	w.u16(typ)
	w.u16(0)
	return w.len() - 4
}

func (w *buf) propEnd(start int) {
	w.put16(start+2, w.len()-start)
	w.padTo8(start)
}

func (e *encoder) portDesc(p *PortDesc) {
	e.port(p.PortNo)
	if e.v >= V14 {
		e.u16(72)
		e.pad(2)
	} else if e.v > V10 {
		e.pad(4)
	}
	e.bytes(p.HWAddr[:])
	if e.v > V10 {
		e.pad(2)
	}
	e.str(p.Name, 16)
	e.u32(uint32(portConfig(uint32(p.Config), e.v)))
	state := p.State & (PortLinkDown | PortBlocked | PortLive)
	if e.v == V10 {
		state = p.State & (PortLinkDown | PortSTPMask)
	}
	e.u32(uint32(state))
	if e.v >= V14 {
		e.u16(0)
		e.u16(32)
		e.pad(4)
	}
	for _, f := range []PortFeatures{p.Curr, p.Advertised, p.Supported, p.Peer} {
		e.u32(encFeatures(f, e.v))
	}
	if e.v > V10 {
		e.u32(p.CurrSpeed)
		e.u32(p.MaxSpeed)
	}
}

// Kbps is the highest speed among the features, in kbps.
func (f PortFeatures) Kbps() uint32 {
	for _, s := range []struct {
		f    PortFeatures
		kbps uint32
	}{
		{Feature1TbFD, 1000000000}, {Feature100GbFD, 100000000}, {Feature40GbFD, 40000000},
		{Feature10GbFD, 10000000}, {Feature1GbHD | Feature1GbFD, 1000000},
		{Feature100MbHD | Feature100MbFD, 100000}, {Feature10MbHD | Feature10MbFD, 10000},
	} {
		if f&s.f != 0 {
			return s.kbps
		}
	}
	return 0
}

func decPortStatus(d *decoder) Message {
	m := &PortStatus{Reason: PortStatusReason(d.u8())}
	if m.Reason > PortModified {
		d.fail(ErrNXBRCBadReason)
	}
	d.skip(7)
	m.Desc = d.portDesc()
	return m
}

func (e *encoder) encodePortStatus(m *PortStatus) {
	e.start("OFPT_PORT_STATUS")
	e.u8(uint8(m.Reason))
	e.pad(7)
	e.portDesc(&m.Desc)
}

func decPortMod(d *decoder) Message {
	m := &PortMod{PortNo: d.port()}
	if d.Version > V10 {
		d.skip(4)
	}
	m.HWAddr = d.mac()
	if d.Version > V10 {
		d.skip(2)
	}
	m.Config, m.Mask = portConfig(d.u32(), d.Version), portConfig(d.u32(), d.Version)
	if d.Version < V14 {
		m.Advertise = decFeatures(d.u32(), d.Version)
		d.skip(4)
	} else {
		for d.left() > 0 && d.err == nil {
			t, _, b := d.prop()
			if t != 0 {
				d.fail(ErrBPCBadType)
			}
			m.Advertise = decFeatures(b.u32(), d.Version)
			d.endProp(&b)
		}
	}
	m.Config &= m.Mask
	return m
}

func (e *encoder) encodePortMod(m *PortMod) {
	e.start("OFPT_PORT_MOD")
	e.port(m.PortNo)
	if e.v > V10 {
		e.pad(4)
	}
	e.bytes(m.HWAddr[:])
	if e.v > V10 {
		e.pad(2)
	}
	e.u32(uint32(portConfig(uint32(m.Config), e.v)))
	e.u32(uint32(portConfig(uint32(m.Mask), e.v)))
	if e.v >= V14 {
		if m.Advertise != 0 {
			e.u16(0)
			e.u16(8)
			e.u32(encFeatures(m.Advertise, e.v))
		}
		return
	}
	e.u32(encFeatures(m.Advertise, e.v))
	e.pad(4)
}

func decPortDescRequest(d *decoder) Message {
	m := &PortDescRequest{Port: PortNone}
	if d.Version >= V15 {
		m.Port = d.port()
		d.skip(4)
	}
	return m
}

func decPortDescReply(d *decoder) Message {
	m := &PortDescReply{}
	for d.left() > 0 && d.err == nil {
		m.Ports = append(m.Ports, d.portDesc())
	}
	return m
}

package openflow

import "math/bits"

// Codecs of the immutable messages and of configuration (OpenFlow 1.0, 5.5;
// 1.3.1, 7.5).

func decHello(d *decoder) Message {
	h := &Hello{Versions: VersionSet(uint64(2)<<min(d.Version, 31) - 2)}
	for d.left() > 0 {
		c := d.b[d.off:]
		if len(c) < 4 {
			h.Unknown = true
			break
		}
		typ, n := d.u16(), int(d.u16())
		if n < 4 || n > len(c) {
			h.Unknown = true
			break
		}
		body := c[4:n]
		d.skip(min(pad8(n), len(c)) - 4)
		if typ != 1 || len(body) < 4 {
			h.Unknown = true
			continue
		}
		b := cursor{b: body}
		vs := VersionSet(b.u32())
		if vs&1 != 0 {
			d.logf("ofp_util", true, "peer claims to support invalid OpenFlow version 0x00")
			vs &^= 1
		}
		if vs == 0 {
			d.logf("ofp_util", true, "peer does not support any OpenFlow version (between 0x01 and 0x1f)")
			h.Unknown = true
			continue
		}
		h.Versions = vs
	}
	d.off = len(d.b)
	return h
}

// encodeHello leaves the bitmap out when it would say no more than the header.
func (e *encoder) encodeHello(m *Hello) {
	e.v = m.Versions.Max()
	e.start("OFPT_HELLO")
	if s := uint32(m.Versions)>>1 + 1; bits.OnesCount32(s) != 1 {
		e.u16(1)
		e.u16(8)
		e.u32(uint32(m.Versions))
	}
}

func decError(d *decoder) Message {
	m := &Error{Type: d.u16(), RawCode: d.u16()}
	switch {
	case m.Type == errTypeNXVendor && m.RawCode == 0 && d.Version <= V15:
		m.Vendor, m.Type, m.RawCode = d.u32(), d.u16(), d.u16()
	case m.Type == errTypeExperimenter && d.Version >= V12:
		m.Vendor, m.Type, m.RawCode = d.u32(), m.RawCode, 0
	}
	m.Code = lookupErr(d.Version, m.Vendor, m.Type, m.RawCode)
	if d.err == nil {
		m.Data = d.rest()
	}
	return m
}

func (e *encoder) encodeError(m *Error) {
	e.start("OFPT_ERROR")
	w := m.Code.find(e.v)
	if w == nil && m.Code == 0 {
		w = &errWire{vendor: m.Vendor, typ: m.Type, code: m.RawCode}
	}
	if w == nil {
		w = ErrNXBRCUnencodableError.find(e.v)
	}
	switch {
	case w.vendor == 0:
		e.u16(w.typ)
		e.u16(w.code)
	case e.v < V12:
		e.u16(errTypeNXVendor)
		e.u16(0)
		e.u32(w.vendor)
		e.u16(w.typ)
		e.u16(w.code)
	default:
		e.u16(errTypeExperimenter)
		e.u16(w.typ)
		e.u32(w.vendor)
	}
	e.bytes(m.Data)
}

// ErrorReply is the error message that answers request with code: in the
// request's version, with its xid and, as far as it fits, itself.
func ErrorReply(code ErrCode, request []byte) []byte {
	h, err := DecodeHeader(request)
	if err != nil {
		return nil
	}
	v := min(max(h.Version, V10), V15)
	// The whole request, as far as one message can hold it: whoever sent it can
	// then say which one it was.
	const most = 0xffff - 64
	data := request[:min(len(request), most, max(h.Length, HeaderLen))]
	b, err := Encode(v.Protocol(), h.Xid, &Error{Code: code, Data: data})
	if err != nil {
		return nil
	}
	return b
}

func decEchoRequest(d *decoder) Message { return &EchoRequest{Data: d.rest()} }
func decEchoReply(d *decoder) Message   { return &EchoReply{Data: d.rest()} }

func decFeaturesReply(d *decoder) Message {
	m := &FeaturesReply{DatapathID: d.u64(), NumBuffers: d.u32(), NumTables: d.u8()}
	aux := d.u8()
	d.skip(2)
	caps := d.u32()
	acts := d.u32()
	m.Capabilities = decCapabilities(caps, d.Version)
	if d.Version >= V13 {
		m.AuxiliaryID = aux
		return m
	}
	if d.Version == V10 {
		m.Actions = acts & 0xfff
	}
	for d.left() > 0 && d.err == nil {
		m.Ports = append(m.Ports, d.portDesc())
	}
	return m
}

func decCapabilities(c uint32, v Version) Capabilities {
	known := Capabilities(0x7 | 1<<5 | 1<<6)
	if v <= V11 {
		known |= CapARPMatchIP
	}
	if v >= V12 {
		known |= CapPortBlocked
	}
	if v >= V14 {
		known |= CapBundles | CapFlowMonitor
	}
	out := Capabilities(c) & known
	if c&8 != 0 {
		if v == V10 {
			out |= CapSTP
		} else {
			out |= CapGroupStats
		}
	}
	return out
}

func encCapabilities(c Capabilities, v Version) uint32 {
	out := uint32(decCapabilities(uint32(c&^(CapSTP|CapGroupStats)), v))
	if v == V10 && c&CapSTP != 0 || v > V10 && c&CapGroupStats != 0 {
		out |= 8
	}
	return out
}

func (e *encoder) encodeFeatures(m *FeaturesReply) {
	e.start("OFPT_FEATURES_REPLY")
	e.u64(m.DatapathID)
	e.u32(m.NumBuffers)
	e.u8(m.NumTables)
	if e.v >= V13 {
		e.u8(m.AuxiliaryID)
	} else {
		e.u8(0)
	}
	e.pad(2)
	e.u32(encCapabilities(m.Capabilities, e.v))
	if e.v == V10 {
		e.u32(m.Actions)
	} else {
		e.u32(0)
	}
	if e.v >= V13 {
		return
	}
	for i := range m.Ports {
		n := e.len()
		e.portDesc(&m.Ports[i])
		if e.len() > 0xffff { // ports that don't fit are found by port-desc
			e.b = e.b[:n]
			return
		}
	}
}

func decSwitchConfig(d *decoder) SwitchConfig {
	flags := d.u16()
	valid := uint16(3)
	c := SwitchConfig{Frags: FragHandling(flags & 3), MissSendLen: d.u16()}
	if d.Version < V13 {
		valid |= 4
		c.InvalidTTLToController = flags&4 != 0
	}
	if flags&^valid != 0 {
		d.fail(ErrSCFCBadFlags)
	}
	return c
}

func decGetConfigReply(d *decoder) Message { return &GetConfigReply{decSwitchConfig(d)} }
func decSetConfig(d *decoder) Message      { return &SetConfig{decSwitchConfig(d)} }

func (e *encoder) switchConfig(name string, c SwitchConfig) {
	e.start(name)
	flags := uint16(c.Frags)
	if c.InvalidTTLToController && e.v < V13 {
		flags |= 4
	}
	e.u16(flags)
	e.u16(c.MissSendLen)
}

package openflow

import (
	"encoding/binary"
	"slices"
)

// Codecs of bundles and request forwarding (OpenFlow 1.4, 7.3.9 and 7.4.6;
// ONF extensions 230 and 2350 for 1.3).

func onfName(v Version, s string) string {
	if v == V13 {
		return "ONFT_" + s
	}
	return "OFPT_" + s
}

func decBundleControl(d *decoder) Message {
	m := &BundleControl{ID: d.u32(), Type: BundleCtrlType(d.u16()), Flags: d.u16()}
	for d.left() > 0 && d.err == nil {
		switch typ, _, _ := d.prop(); {
		case typ == bundlePropTime && d.Version >= V15:
			d.fail(ErrBFCSchedNotSupported)
		case typ == 0xffff:
			d.fail(ErrBPCBadExperimenter)
		default:
			d.fail(ErrBPCBadType)
		}
	}
	return m
}

// bundlePropTime is the property of a bundle that is to be committed at a time
// (OpenFlow 1.5.1, 7.3.9.4).
const bundlePropTime = 1

func (e *encoder) encodeBundleControl(m *BundleControl) {
	e.start(onfName(e.v, "BUNDLE_CONTROL"))
	e.u32(m.ID)
	e.u16(uint16(m.Type))
	e.u16(m.Flags)
}

// bundleable are the messages that may stand in a bundle.
var bundleable = []string{
	"OFPT_FLOW_MOD", "NXT_FLOW_MOD", "OFPT_PORT_MOD", "OFPT_GROUP_MOD", "OFPT_PACKET_OUT", "NXT_GROUP_MOD",
}

func decBundleAdd(d *decoder) Message {
	m := d.newBundleAdd()
	m.ID = d.u32()
	d.skip(2)
	m.Flags = d.u16()
	if d.err != nil {
		return m
	}
	raw := d.rest()
	h, err := DecodeHeader(raw)
	if err == nil && h.Version != d.Version {
		d.fail(ErrBFCBadVersion)
		return m
	}
	if err != nil || h.Length > len(raw) || h.Length < HeaderLen {
		d.fail(ErrBFCMsgBadLen)
		return m
	}
	m.Raw = raw[:h.Length]
	if h.Xid != d.Xid {
		d.fail(ErrBFCMsgBadXid)
		return m
	}
	in := d.innerDecoder(h, m.Raw)
	if err := in.identify(); err != nil {
		d.failErr(err)
		return m
	}
	if !slices.ContainsFunc(bundleable, in.row.is) {
		d.logf("ofp_bundle", true, in.row.full+" message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE")
		d.fail(ErrBFCMsgUnsup)
	}
	return m
}

// innerDecoder gives a decoder at the body of a message within another.
func (d *decoder) innerDecoder(h MsgHeader, raw []byte) *decoder {
	in := new(decoder)
	if d.reuse != nil {
		in = &d.reuse.inner
	}
	*in = decoder{MsgHeader: h, opt: d.opt, t: d.t, msg: raw, cursor: cursor{b: raw, off: HeaderLen}}
	return in
}

func (e *encoder) encodeBundleAdd(m *BundleAdd) {
	e.start(onfName(e.v, "BUNDLE_ADD_MESSAGE"))
	e.u32(m.ID)
	e.pad(2)
	e.u16(m.Flags)
	e.bytes(m.Raw)
	if len(m.Raw) >= HeaderLen {
		e.put32(e.len()-len(m.Raw)+4, e.xid)
	}
}

// NumberMessages gives the messages that stand in b one after another ascending
// transaction ids from first on, those within bundles too, and returns how many
// there are.
func NumberMessages(b []byte, first uint32) (n int) {
	for len(b) >= HeaderLen {
		length := int(binary.BigEndian.Uint16(b[2:]))
		xid := first + uint32(n)
		binary.BigEndian.PutUint32(b[4:], xid)
		if at := bundledAt(b); at != 0 && at+HeaderLen <= length {
			binary.BigEndian.PutUint32(b[at+4:], xid)
		}
		b = b[length:]
		n++
	}
	return n
}

// bundledAt is where in a message one begins that is added to a bundle; 0: none.
func bundledAt(b []byte) int {
	const head = 8 // id, padding and flags
	switch v, typ := Version(b[0]), b[1]; {
	case v >= V14 && typ == ofptBundleAdd:
		return HeaderLen + head
	case v == V13 && typ == ofptExperimenter && len(b) >= HeaderLen+8 &&
		binary.BigEndian.Uint32(b[8:]) == VendorONF && binary.BigEndian.Uint32(b[12:]) == onftBundleAdd:
		return HeaderLen + 8 + head
	}
	return 0
}

// Numbers of messages that add to bundles (OpenFlow 1.4, 7.3.9; EXT-230 for 1.3).
const (
	ofptExperimenter = 4
	ofptBundleAdd    = 34
	onftBundleAdd    = 2301
)

func decRequestForward(d *decoder) Message {
	raw := d.rest()
	m := &RequestForward{Raw: raw}
	h, err := DecodeHeader(raw)
	if err != nil || h.Length > len(raw) || h.Length < HeaderLen {
		d.fail(ErrBRCBadLen)
		return m
	}
	m.Raw = raw[:h.Length]
	in := &decoder{MsgHeader: h, opt: d.opt, t: d.t, msg: m.Raw, cursor: cursor{b: m.Raw, off: HeaderLen}}
	if err := in.identify(); err != nil {
		d.failErr(err)
		return m
	}
	switch in.row.name() {
	case "OFPT_GROUP_MOD", "NXT_GROUP_MOD", "OFPT_METER_MOD":
	default:
		d.fail(ErrBFCMsgUnsup)
	}
	return m
}

func (e *encoder) encodeRequestForward(m *RequestForward) {
	switch {
	case e.v < V13:
		e.start("NXT_REQUESTFORWARD")
	default:
		e.start(onfName(e.v, "REQUESTFORWARD"))
	}
	e.bytes(m.Raw)
}

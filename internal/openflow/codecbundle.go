package openflow

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
	return m
}

func (e *encoder) encodeBundleControl(m *BundleControl) {
	e.start(onfName(e.v, "BUNDLE_CONTROL"))
	e.u32(m.ID)
	e.u16(uint16(m.Type))
	e.u16(m.Flags)
}

// bundleable are the messages that may stand in a bundle.
var bundleable = map[string]bool{
	"OFPT_PORT_MOD": true, "OFPT_FLOW_MOD": true, "OFPT_GROUP_MOD": true, "OFPT_PACKET_OUT": true,
	"NXT_FLOW_MOD": true, "NXT_GROUP_MOD": true,
}

func decBundleAdd(d *decoder) Message {
	m := &BundleAdd{ID: d.u32()}
	d.skip(2)
	m.Flags = d.u16()
	if d.err != nil {
		return m
	}
	raw := d.rest()
	h, err := DecodeHeader(raw)
	if err != nil || h.Length > len(raw) || h.Length < HeaderLen {
		d.fail(ErrBFCMsgBadLen)
		return m
	}
	m.Raw = raw[:h.Length]
	if h.Version != d.Version {
		d.fail(ErrBFCBadVersion)
		return m
	}
	if h.Xid != d.Xid {
		d.fail(ErrBFCMsgBadXid)
		return m
	}
	in := &decoder{MsgHeader: h, opt: d.opt, t: d.t, msg: m.Raw, cursor: cursor{b: m.Raw, off: HeaderLen}}
	if err := in.identify(); err != nil {
		d.failErr(err)
		return m
	}
	if !bundleable[in.row.name()] {
		d.logf("ofp_bundle", true, in.row.full+" message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE")
		d.fail(ErrBFCMsgUnsup)
	}
	return m
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

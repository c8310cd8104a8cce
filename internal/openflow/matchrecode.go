package openflow

import (
	"encoding/binary"
	"fmt"
	"strings"

	"weir/internal/flow"
)

// Matches decoded and encoded again, which shows what each form of a match can
// say: what the hidden commands of ovs-ofctl print.

// RecodeNXM decodes fields and encodes them again, with padding: as NXM for V10,
// else as an OXM match of the version, with its header. The fields alone are
// returned too. The error is what a message with such a match would meet.
func RecodeNXM(b []byte, v Version, strict bool, o DecodeOptions) (again, fields []byte, err error) {
	d := &decoder{MsgHeader: MsgHeader{Version: v}, t: msgTable(), opt: o}
	var cookie [2]uint64
	opt := matchOptions{loose: !strict}
	if v == V10 {
		opt.cookie = &cookie
	}
	m := d.nxMatch(&cursor{b: b}, opt)
	if d.err != nil {
		return nil, nil, d.err
	}
	e := &encoder{proto: v.Protocol(), v: v, t: msgTable()}
	e.typeToo = true
	if v == V10 {
		n := e.nxMatch(&m, cookie[0], cookie[1])
		return e.b, e.b[:n], nil
	}
	e.match11(&m)
	return e.b, e.b[4:binary.BigEndian.Uint16(e.b[2:])], nil
}

// RecodeMatch11 decodes an ofp11_match, and gives its text and its bytes again.
func RecodeMatch11(b []byte, opt DecodeOptions) (string, []byte, error) {
	d := &decoder{MsgHeader: MsgHeader{Version: V11}, t: msgTable(), cursor: cursor{b: b}, opt: opt}
	m := d.match11(matchOptions{})
	if d.err != nil {
		return "", nil, d.err
	}
	e := &encoder{proto: P11, v: V11, t: msgTable()}
	e.matchStd11(&m)
	return m.Format(flow.DefaultPriority, nil), e.b, nil
}

// RecodeMatch10 decodes an ofp10_match, and gives its text, its bytes again,
// and its bytes when it has been normalized.
func RecodeMatch10(b []byte, opt DecodeOptions) (text string, again, normal []byte, err error) {
	d := &decoder{MsgHeader: MsgHeader{Version: V10}, t: msgTable(), cursor: cursor{b: b}, opt: opt}
	m := d.match10()
	if d.err == nil && d.left() > 0 {
		d.fail(ErrBRCBadLen)
	}
	if d.err != nil {
		return "", nil, nil, d.err
	}
	text = m.Format(flow.DefaultPriority, nil)
	again = encodeMatch10(&m)
	NormalizeMatch(&m, opt.Log)
	return text, again, encodeMatch10(&m), nil
}

func encodeMatch10(m *Match) []byte {
	e := &encoder{proto: P10, v: V10, t: msgTable()}
	e.match10(m)
	return e.b
}

// FormatVLANForms shows how each form of a match says that bits of the VLAN tag
// have values: as text, in NXM, OXM, and the fixed matches of OpenFlow 1.0 and
// 1.1, and what a reader of it understands.
func FormatVLANForms(tci, mask uint16, opt DecodeOptions) string {
	var m Match
	m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI = tci, mask
	var b strings.Builder
	text := m.String()
	back, err := flow.ParseMatch(text, nil)
	if err != nil {
		return fmt.Sprintf("%s -> %v\n", text, err)
	}
	fmt.Fprintf(&b, "%s -> %s\n", text, vlanText(back))
	for _, v := range []Version{V10, V12} {
		e := &buf{}
		e.nxFields(&m, v)
		d := &decoder{MsgHeader: MsgHeader{Version: v}, t: msgTable(), opt: opt}
		got := d.nxMatch(&cursor{b: e.b}, matchOptions{})
		name := map[Version]string{V10: "NXM", V12: "OXM"}[v]
		fmt.Fprintf(&b, "%s: %s -> ", name, FormatNXM(e.b, v))
		switch {
		case d.err != nil:
			fmt.Fprintf(&b, "%s\n", CodeOf(d.err))
		case v == V10:
			fmt.Fprintf(&b, "%s\n", vlanText(&got))
		default:
			b.WriteString(oxmVLANText(&got))
		}
	}
	vlanFixed(&b, &m)
	return b.String()
}

func vlanText(m *Match) string {
	return fmt.Sprintf("%04x/%04x", m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI)
}

func oxmVLANText(m *Match) string {
	tci, mask := m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI
	pcp := "--"
	if mask>>13 != 0 {
		pcp = fmt.Sprintf("%02x", tci>>13)
	}
	return fmt.Sprintf("%04x/%04x,%s\n", tci&0x1fff, mask&0x1fff, pcp)
}

// vlanFixed writes VID and priority, each with its wildcard bit.
func vlanFixed(b *strings.Builder, m *Match) {
	bit := func(set bool) int {
		if set {
			return 1
		}
		return 0
	}
	b10 := encodeMatch10(m)
	wild := binary.BigEndian.Uint32(b10)
	d := &decoder{MsgHeader: MsgHeader{Version: V10}, t: msgTable(), cursor: cursor{b: b10}}
	got := d.match10()
	fmt.Fprintf(b, "OF1.0: %x/%d,%02x/%d -> %s\n", b10[18:20], bit(wild&(1<<1) != 0), b10[20], bit(wild&(1<<20) != 0), vlanText(&got))
	e := &encoder{proto: P11, v: V11, t: msgTable()}
	e.matchStd11(m)
	wild = binary.BigEndian.Uint32(e.b[8:])
	d = &decoder{MsgHeader: MsgHeader{Version: V11}, t: msgTable(), cursor: cursor{b: e.b}}
	got = d.match11(matchOptions{})
	fmt.Fprintf(b, "OF1.1: %x/%d,%02x/%d -> %s\n", e.b[36:38], bit(wild&w11DLVLAN != 0), e.b[38], bit(wild&w11DLVLANPCP != 0), vlanText(&got))
}

package openflow

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"weir/internal/flow"
)

// ParseNXM reads fields in the form of FormatNXM and gives their bytes.
func ParseNXM(s string) ([]byte, error) {
	w := &buf{}
	s, _, _ = strings.Cut(s, "#")
	s = strings.TrimSpace(s)
	if s == "<any>" {
		return nil, nil
	}
	for s = strings.Trim(s, ", "); s != ""; s = strings.TrimLeft(s, ", ") {
		open := strings.IndexByte(s, '(')
		end := strings.IndexByte(s, ')')
		if open < 0 || end < open {
			return nil, fmt.Errorf("%s: missing ( following field name", s)
		}
		name, body := s[:open], s[open+1:end]
		if err := w.nxmItem(name, body); err != nil {
			return nil, err
		}
		s = s[end+1:]
	}
	return w.b, nil
}

// nxmItem writes one field: its name, or its header in hexadecimal.
func (w *buf) nxmItem(name, body string) error {
	valText, maskText, masked := strings.Cut(body, "/")
	val, err := hex.DecodeString(padHex(valText))
	if err != nil {
		return fmt.Errorf("%s: bad hex digits", body)
	}
	mask, err := hex.DecodeString(padHex(maskText))
	if err != nil {
		return fmt.Errorf("%s: bad hex digits", body)
	}
	if h, err := hex.DecodeString(name); err == nil && (len(h) == 4 || len(h) == 8) {
		w.bytes(h)
		w.bytes(val)
		w.bytes(mask)
		return nil
	}
	base, isW := strings.CutSuffix(name, "_W")
	if base == "NXM_NX_COOKIE" {
		w.oxmHeaderOf(flow.MakeHeader(1, 0, 30, 8), 8, isW)
	} else {
		f, c, ok := flow.FieldByCodepoint(base)
		if !ok {
			return fmt.Errorf("%s: unknown field `%s'", name, name)
		}
		n := f.NBytes
		if f.IsTunMetadata() {
			n = max(len(val), len(mask))
		}
		val, mask = fitBytes(val, n), fitBytes(mask, n)
		w.oxmHeaderOf(c.Header, n, isW)
	}
	w.bytes(val)
	if isW {
		if !masked {
			return fmt.Errorf("%s: missing / in masked field %s", body, name)
		}
		w.bytes(mask)
	}
	return nil
}

func padHex(s string) string {
	s = strings.TrimSpace(s)
	if len(s)%2 != 0 {
		return "0" + s
	}
	return s
}

func fitBytes(b []byte, n int) []byte {
	if len(b) >= n {
		return b[len(b)-n:]
	}
	return append(make([]byte, n-len(b)), b...)
}

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

package openflow

import (
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

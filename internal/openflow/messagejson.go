package openflow

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"weir/internal/flow"
	"weir/internal/json"
	"weir/internal/packet"
)

// AppendJSON appends a message as one JSON object: its name and version, then
// its members in snake case. Matches are objects of fields, actions are in the
// syntax of ovs-actions(7), cookies and datapath ids are hexadecimal text.
func AppendJSON(dst []byte, title string, h MsgHeader, m Message, names *Names) []byte {
	w := jsonWriter{b: dst, names: names}
	w.b = append(w.b, `{"message":`...)
	w.text(title)
	w.b = append(w.b, `,"version":`...)
	w.text(h.Version.String())
	w.members(reflect.ValueOf(m).Elem())
	w.b = append(w.b, '}')
	return w.b
}

// MergeReplies puts the lists of a part of a multipart reply behind those of
// the parts before it; both have the same type.
func MergeReplies(all, part Message) {
	a, p := reflect.ValueOf(all).Elem(), reflect.ValueOf(part).Elem()
	for i := range a.NumField() {
		if f := a.Field(i); f.Kind() == reflect.Slice {
			f.Set(reflect.AppendSlice(f, p.Field(i)))
		}
	}
}

type jsonWriter struct {
	b     []byte
	names *Names
}

func (w *jsonWriter) text(s string) { w.b = json.AppendString(w.b, s) }

// members writes the members of a struct, those of embedded ones among them,
// each with a comma before it.
func (w *jsonWriter) members(v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case !f.IsExported():
			continue
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Match]():
			w.members(v.Field(i))
			continue
		}
		w.b = append(w.b, ',')
		w.text(snakeCase(f.Name))
		w.b = append(w.b, ':')
		w.value(f.Name, v.Field(i))
	}
}

// value writes one value; name is that of its member.
func (w *jsonWriter) value(name string, v reflect.Value) {
	if w.special(name, v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.b = strconv.AppendUint(w.b, v.Uint(), 10)
	case reflect.String:
		w.text(v.String())
	case reflect.Slice, reflect.Array:
		w.list(v)
	case reflect.Struct:
		at := len(w.b)
		w.members(v)
		if len(w.b) == at {
			w.b = append(w.b, '{')
		}
		w.b[at] = '{'
		w.b = append(w.b, '}')
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			w.b = append(w.b, "null"...)
			return
		}
		w.value(name, v.Elem())
	default:
		w.text(fmt.Sprint(v.Interface()))
	}
}

func (w *jsonWriter) list(v reflect.Value) {
	w.b = append(w.b, '[')
	for i := range v.Len() {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.value("", v.Index(i))
	}
	w.b = append(w.b, ']')
}

// special writes the types that have a form of their own.
func (w *jsonWriter) special(name string, v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case Match:
		w.match(&x)
	case []Action:
		w.b = append(w.b, '[')
		for i, a := range x {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.text(FormatAction(a, w.names))
		}
		w.b = append(w.b, ']')
	case PortNo:
		w.port(x)
	case packet.MAC:
		w.text(x.String())
	case []byte:
		w.text(hex.EncodeToString(x))
	case [16]byte:
		w.text(hex.EncodeToString(x[:]))
	case FieldSet:
		w.fields(&x)
	case fmt.Stringer:
		w.text(x.String())
	case uint64:
		if name != "Cookie" && name != "NewCookie" && name != "CookieMask" && name != "DatapathID" {
			return false
		}
		w.text("0x" + strconv.FormatUint(x, 16))
	default:
		return false
	}
	return true
}

func (w *jsonWriter) match(m *Match) {
	w.b = append(w.b, '{')
	for i, kv := range flow.SplitSettings(m.Format(flow.DefaultPriority, w.names.ports())) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(kv.Name)
		w.b = append(w.b, ':')
		if kv.Value == "" {
			w.b = append(w.b, "true"...)
			continue
		}
		w.text(kv.Value)
	}
	w.b = append(w.b, '}')
}

// port writes a port's number, or its name where it has one.
func (w *jsonWriter) port(p PortNo) {
	s := w.names.port(p)
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		w.b = strconv.AppendUint(w.b, n, 10)
		return
	}
	w.text(strings.Trim(s, `"`))
}

func (w *jsonWriter) fields(s *FieldSet) {
	w.b = append(w.b, '[')
	first := true
	for i := range flow.NumFields {
		if !s.Has(uint16(i)) {
			continue
		}
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		w.text(flow.FieldID(i).Field().Name)
	}
	w.b = append(w.b, ']')
}

// snakeCase turns DatapathID into datapath_id and TxPackets into tx_packets.
func snakeCase(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if unicode.IsUpper(c) {
			next := i+1 < len(r) && unicode.IsLower(r[i+1])
			if i > 0 && (!unicode.IsUpper(r[i-1]) || next) {
				b.WriteByte('_')
			}
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}

package flow

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"weir/internal/packet"
)

// ErrUnknownField says that a word is neither a field nor a shorthand.
var ErrUnknownField = errors.New("unknown field")

// Setting is one name=value of flow text; a word alone has no value.
type Setting struct{ Name, Value string }

// SplitSettings cuts flow text into its settings: names and values separated
// by commas or white space, where a value starts after =, : or within
// parentheses that may nest.
func SplitSettings(s string) []Setting {
	const sep = ", \t\r\n"
	var out []Setting
	for {
		s = strings.TrimLeft(s, sep)
		if s == "" {
			return out
		}
		i := strings.IndexAny(s, ":=("+sep)
		if i < 0 || strings.IndexByte(sep, s[i]) >= 0 {
			if i < 0 {
				i = len(s)
			}
			out = append(out, Setting{Name: s[:i]})
			s = s[i:]
			continue
		}
		name, start := s[:i], i+1
		if s[i] == '(' {
			end := ClosingParen(s, i)
			out = append(out, Setting{name, s[start:min(end, len(s))]})
			s = s[min(end+1, len(s)):]
			continue
		}
		end := start
		for end < len(s) && strings.IndexByte(sep, s[end]) < 0 {
			if s[end] == '(' {
				end = ClosingParen(s, end)
			}
			end++
		}
		end = min(end, len(s))
		out = append(out, Setting{name, s[start:end]})
		s = s[end:]
	}
}

// ClosingParen finds the parenthesis that closes the one at i, or the end.
func ClosingParen(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// ShorthandByName finds a shorthand like "tcp".
func ShorthandByName(name string) (Shorthand, bool) {
	s, ok := shorthandsByName()[name]
	return s, ok
}

var shorthandsByName = sync.OnceValue(indexShorthands)

func indexShorthands() map[string]Shorthand {
	m := map[string]Shorthand{}
	for _, s := range Shorthands {
		m[s.Name] = s
	}
	for _, name := range []string{"ip", "icmp", "tcp", "udp", "sctp"} {
		m[name+"4"] = m[name] // other spellings that are accepted
	}
	m["ipv4"], m["ip6"] = m["ip"], m["ipv6"]
	return m
}

// Word is what a name in flow text stands for: a shorthand or a field.
type Word struct {
	Short *Shorthand // nil: none
	Field *Field     // nil: none
}

// WordByName finds a word; ok is false where there is none.
func WordByName(name string) (w Word, ok bool) {
	w, ok = wordsByName[name]
	return w, ok
}

var wordsByName = indexWordsByName()

func indexWordsByName() map[string]Word {
	m := map[string]Word{}
	for name, f := range indexNames() {
		m[name] = Word{Field: f}
	}
	for name, s := range indexShorthands() {
		m[name] = Word{Short: &s}
	}
	return m
}

// ParseSetting applies one setting of flow text to the match: a shorthand, or
// a field with its value. It returns ErrUnknownField for any other word.
func (m *Match) ParseSetting(name, value string, names PortNames) error {
	if name == "eth" {
		m.Key.PacketType, m.Mask.PacketType = 0, 0xffffffff
		return nil
	}
	w, ok := WordByName(name)
	if !ok {
		return ErrUnknownField
	}
	return m.ParseWord(w, value, names)
}

// ParseWord is [Match.ParseSetting] for a word that has been found.
func (m *Match) ParseWord(w Word, value string, names PortNames) error {
	if s := w.Short; s != nil {
		m.Key.EthType, m.Mask.EthType = s.EthType, 0xffff
		if s.Proto >= 0 {
			m.Key.NwProto, m.Mask.NwProto = uint8(s.Proto), 0xff
		}
		return nil
	}
	f := m.specific(w.Field)
	v, mask, err := f.ParseValue(value, names)
	if err != nil {
		return err
	}
	if f.IsTunMetadata() {
		return m.setOption(f, v, mask, value)
	}
	m.Set(f, v, mask)
	return nil
}

// setOption demands a tunnel option. Where no table gives its length, the
// longer of the value and the mask does.
func (m *Match) setOption(f *Field, v, mask Value, text string) error {
	masked := mask.IsZero() || strings.Contains(text, "/")
	n := (v.Len() + 7) / 8
	switch {
	case masked:
		n = max(n, (mask.Len()+7)/8)
	default:
		n = max(n, 1)
	}
	b, err := m.BindOption(f, n, masked)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if v.Len() > b.NBits {
		return fmt.Errorf("%s: value too large for %d-byte field %s", text, b.NBytes, f.Name)
	}
	m.Set(b, v, mask)
	return nil
}

// specific: tp_src and tp_dst mean the ports of the protocol that the match
// names, ip_src and so on those of its network protocol.
func (m *Match) specific(f *Field) *Field {
	var udp, sctp FieldID
	switch f.ID {
	case FieldTCPSrc:
		udp, sctp = FieldUDPSrc, FieldSCTPSrc
	case FieldTCPDst:
		udp, sctp = FieldUDPDst, FieldSCTPDst
	default:
		return f
	}
	switch {
	case m.Mask.NwProto == 0:
	case m.Key.NwProto == packet.ProtoUDP:
		return udp.Field()
	case m.Key.NwProto == packet.ProtoSCTP:
		return sctp.Field()
	}
	return f
}

// ParseMatch reads a match alone, as in the argument of ovs-ofctl del-flows.
func ParseMatch(s string, names PortNames) (*Match, error) {
	m := new(Match)
	for _, kv := range SplitSettings(s) {
		if err := m.ParseSetting(kv.Name, kv.Value, names); err == ErrUnknownField {
			return nil, fmt.Errorf("unknown keyword %s", kv.Name)
		} else if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ParseKey reads one packet's key in flow syntax, as ofproto/trace takes it:
// every field exact, given after what it needs and not when it has a value. tlv, which may be nil,
// says where tunnel options stand.
func ParseKey(s string, names PortNames, tlv *TLVTable) (*Key, error) {
	k := new(Key)
	seen := map[FieldID]bool{}
	for _, kv := range SplitSettings(s) {
		if kv.Name == "eth" {
			continue
		}
		if sh, ok := ShorthandByName(kv.Name); ok {
			if k.EthType != 0 {
				return nil, fmt.Errorf("%s: Ethernet type set multiple times", s)
			}
			k.EthType = sh.EthType
			if sh.Proto >= 0 {
				if k.NwProto != 0 {
					return nil, fmt.Errorf("%s: network protocol set multiple times", s)
				}
				k.NwProto = uint8(sh.Proto)
			}
			continue
		}
		f := FieldByName(kv.Name)
		if f == nil {
			return nil, fmt.Errorf("%s: unknown field %s", s, kv.Name)
		}
		exact := &Match{Key: *k, Mask: *onesKey()}
		f = exact.specific(f)
		seen[f.ID] = true
		if f.IsTunMetadata() {
			if f = tlv.Bind(f); f == nil {
				return nil, fmt.Errorf("%s: %s: %w", s, kv.Name, ErrTLVUnbound)
			}
		}
		if err := f.parseInto(k, kv, names); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	if k.InPort == 0 && !seen[FieldInPort] && !seen[FieldInPortOXM] {
		k.InPort = PortNone
	}
	if k.PacketType>>16 == 1 && k.EthType == 0 {
		k.EthType = uint16(k.PacketType)
	}
	for i := range k.VLANs {
		if v := &k.VLANs[i]; v.TCI&VLANPresent != 0 && v.TPID == 0 {
			v.TPID = packet.EtherTypeVLAN
		}
	}
	return k, nil
}

// parseInto reads an exact value of the field into a key.
func (f *Field) parseInto(k *Key, kv Setting, names PortNames) error {
	if !f.Get(k).IsZero() {
		return fmt.Errorf("field %s set multiple times", kv.Name)
	}
	if !f.Applies(k) {
		return fmt.Errorf("prerequisites not met for setting %s", kv.Name)
	}
	v, mask, err := f.ParseValue(kv.Value, names)
	if err != nil {
		return fmt.Errorf("bad value for %s (%s)", kv.Name, err)
	}
	if mask.And(f.exact) != f.exact {
		return fmt.Errorf("bad value for %s (%s: wildcards not allowed here)", kv.Name, kv.Value)
	}
	f.Set(k, v)
	return nil
}

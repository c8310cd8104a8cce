package flow

import (
	"errors"
	"fmt"
	"strings"

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
	var out []Setting
	for {
		kv, rest, ok := nextSetting(s)
		if !ok {
			return out
		}
		out, s = append(out, kv), rest
	}
}

// separates reports whether a byte separates settings.
func separates(c byte) bool {
	return c == ',' || c == ' ' || c >= '\t' && c <= '\r' && c != '\v' && c != '\f'
}

// nextSetting cuts the first setting off flow text; ok is false where there is none.
func nextSetting(s string) (kv Setting, rest string, ok bool) {
	i := 0
	for i < len(s) && separates(s[i]) {
		i++
	}
	if s = s[i:]; s == "" {
		return kv, "", false
	}
	i = 0
	for i < len(s) && s[i] != ':' && s[i] != '=' && s[i] != '(' && !separates(s[i]) {
		i++
	}
	kv.Name = s[:i]
	if i == len(s) || separates(s[i]) {
		return kv, s[i:], true
	}
	start, end := i+1, i+1
	if s[i] == '(' {
		end = ClosingParen(s, i)
		kv.Value = s[start:min(end, len(s))]
		return kv, s[min(end+1, len(s)):], true
	}
	for end < len(s) && !separates(s[end]) {
		if s[end] == '(' {
			end = ClosingParen(s, end)
		}
		end++
	}
	end = min(end, len(s))
	kv.Value = s[start:end]
	return kv, s[end:], true
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

// indexShorthands are the shorthands by their names.
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
	if value == "" {
		value = "0/0" // what a field without a value stands for, where its form has that
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
	if m.Mask.TunMetaPresent&(1<<(f.ID-FieldTunMetadata0)) != 0 {
		return fmt.Errorf("field %s set multiple times", f.Name)
	}
	masked := mask.IsZero() || strings.Contains(text, "/")
	n := (v.Len() + 7) / 8
	switch {
	case masked:
		n = max(n, (mask.Len()+7)/8)
	default:
		n = max(n, 1)
	}
	b, err := m.BindOption(f, n, masked)
	if errors.Is(err, ErrTLVFull) {
		return fmt.Errorf("field %s exceeds maximum size for tunnel metadata (used %d, max %d)", f.Name, m.TLV.Space()+n, TunMetaBytes)
	}
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
	if m.Mask.NwProto == 0 {
		return f
	}
	return f.ofProto(m.Key.NwProto)
}

// ofProto is the field of an IP protocol's packets that a name of the TCP ports
// means.
func (f *Field) ofProto(proto uint8) *Field {
	var udp, sctp FieldID
	switch f.ID {
	case FieldTCPSrc:
		udp, sctp = FieldUDPSrc, FieldSCTPSrc
	case FieldTCPDst:
		udp, sctp = FieldUDPDst, FieldSCTPDst
	default:
		return f
	}
	switch proto {
	case packet.ProtoUDP:
		return udp.Field()
	case packet.ProtoSCTP:
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
	if err := k.Parse(s, names, tlv); err != nil {
		return nil, err
	}
	return k, nil
}

// Parse is [ParseKey] into k, of which nothing stays.
func (k *Key) Parse(s string, names PortNames, tlv *TLVTable) error {
	*k = Key{}
	hasInPort := false
	for kv, rest, ok := nextSetting(s); ok; kv, rest, ok = nextSetting(rest) {
		if kv.Name == "eth" {
			continue
		}
		w, _ := WordByName(kv.Name)
		switch {
		case w.Short != nil:
			if err := k.parseShorthand(w.Short); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			continue
		case w.Field == nil:
			return fmt.Errorf("%s: unknown field %s", s, kv.Name)
		}
		f := w.Field.ofProto(k.NwProto)
		hasInPort = hasInPort || f.ID == FieldInPort || f.ID == FieldInPortOXM
		if f.IsTunMetadata() {
			if f = tlv.Bind(f); f == nil {
				return fmt.Errorf("%s: %s: %w", s, kv.Name, ErrTLVUnbound)
			}
		}
		if err := f.parseInto(k, kv, names); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if k.InPort == 0 && !hasInPort {
		k.InPort = PortNone
	}
	for i := range k.VLANs {
		if v := &k.VLANs[i]; v.TCI&VLANPresent != 0 && v.TPID == 0 {
			v.TPID = packet.EtherTypeVLAN
		}
	}
	return nil
}

// parseShorthand sets what a shorthand stands for.
func (k *Key) parseShorthand(s *Shorthand) error {
	if k.EthType != 0 {
		return errors.New("Ethernet type set multiple times")
	}
	k.EthType = s.EthType
	if s.Proto >= 0 {
		if k.NwProto != 0 {
			return errors.New("network protocol set multiple times")
		}
		k.NwProto = uint8(s.Proto)
	}
	return nil
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

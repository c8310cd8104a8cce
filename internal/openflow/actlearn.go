package openflow

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"weir/internal/flow"
)

// learn reads the arguments of learn (ovs-actions(7)).
func (p *actParser) learn(s string) (Action, error) {
	l := &Learn{Priority: flow.DefaultPriority, TableID: 1}
	var have Match // what the specs demand, for the prerequisites of later ones
	for _, kv := range SplitKeyValues(s) {
		ok, err := p.learnOption(l, kv)
		if err == nil && !ok {
			var spec LearnSpec
			if spec, err = p.learnSpec(kv, s, &have); err == nil {
				l.Specs = append(l.Specs, spec)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// learnOption reads an argument that is not a spec.
func (p *actParser) learnOption(l *Learn, kv KeyValue) (bool, error) {
	var dst *uint16
	switch kv.Key {
	case "table":
		t, err := p.tableArg(kv.Value)
		if err == nil && t == 0xff {
			err = fmt.Errorf("%s: table id 255 not valid for `learn' action", kv.Raw)
		}
		l.TableID = t
		return true, err
	case "idle_timeout":
		dst = &l.IdleTimeout
	case "hard_timeout":
		dst = &l.HardTimeout
	case "fin_idle_timeout":
		dst = &l.FinIdleTimeout
	case "fin_hard_timeout":
		dst = &l.FinHardTimeout
	case "priority":
		dst = &l.Priority
	case "cookie":
		v, err := parseUint(kv.Value, 64, "cookie")
		l.Cookie = v
		return true, err
	case "send_flow_rem":
		l.Flags |= LearnSendFlowRem
		return true, nil
	case "delete_learned":
		l.Flags |= LearnDeleteLearned
		return true, nil
	case "limit":
		v, err := parseUint(kv.Value, 32, "limit")
		l.Limit = uint32(v)
		return true, err
	case "result_dst":
		return true, l.parseResult(kv.Value)
	default:
		return false, nil
	}
	v, err := parseUint(kv.Value, 16, kv.Key)
	*dst = uint16(v)
	return true, err
}

// parseResult reads the bit that says whether a flow was learned.
func (l *Learn) parseResult(s string) error {
	sub, err := ParseSubfield(s)
	switch {
	case err != nil:
		return err
	case !sub.Field.Writable:
		return fmt.Errorf("%s is read-only", sub.Field.Name)
	case sub.N != 1:
		return fmt.Errorf("result_dst in 'learn' action must be a single bit")
	}
	l.ResultDst = sub
	l.Flags |= LearnWriteResult
	return nil
}

func (p *actParser) learnSpec(kv KeyValue, whole string, have *Match) (LearnSpec, error) {
	if f := fieldByAnyName(strings.TrimSuffix(kv.Key, "[]")); f != nil {
		sub := Subfield{Field: f, N: uint16(f.NBits)}
		return p.learnMatch(sub, kv, whole, have)
	}
	if strings.Contains(kv.Key, "[") {
		sub, err := ParseSubfield(kv.Key)
		if err != nil {
			return LearnSpec{}, fmt.Errorf("%s: unknown keyword %s", whole, kv.Key)
		}
		return p.learnMatch(sub, kv, whole, have)
	}
	switch kv.Key {
	case "load":
		return p.learnLoad(kv.Value)
	case "output":
		sub, err := ParseSubfield(kv.Value)
		return LearnSpec{Dst: LearnOutput, Src: sub, NBits: sub.N}, err
	}
	return LearnSpec{}, fmt.Errorf("%s: unknown keyword %s", whole, kv.Key)
}

// learnMatch reads "FIELD", "FIELD=FIELD" or "FIELD=VALUE".
func (p *actParser) learnMatch(dst Subfield, kv KeyValue, whole string, have *Match) (LearnSpec, error) {
	s := LearnSpec{Dst: LearnMatch, DstSub: dst, NBits: dst.N}
	if err := plainHeader(kv.Raw, kv.Key, dst); err != nil {
		return s, err
	}
	if kv.Value == "" {
		s.Src = dst
		return s, nil
	}
	src, srcErr := ParseSubfield(kv.Value)
	if srcErr == nil {
		if src.N != dst.N {
			return s, fmt.Errorf("%s: bit widths of %s (%d) and %s (%d) differ", whole, kv.Key, src.N, kv.Value, dst.N)
		}
		s.Src = src
		return s, nil
	}
	v, err := p.learnValue(dst, kv)
	if err != nil {
		return s, fmt.Errorf("%s: %s value %s cannot be parsed as a subfield (%s) or an immediate value (%w)",
			whole, kv.Key, kv.Value, srcErr, err)
	}
	s.FromImm, s.Imm = true, v.And(flow.Ones(int(dst.N)))
	if dst.whole() {
		have.SetExact(dst.Field, v)
	}
	return s, nil
}

// whole reports whether a subfield is all of its field.
func (s Subfield) whole() bool { return s.Ofs == 0 && int(s.N) == s.Field.NBits }

// learnValue reads the value that a learned flow matches in dst: in the field's own
// notation where it is a whole field, else a number.
func (p *actParser) learnValue(dst Subfield, kv KeyValue) (flow.Value, error) {
	if f := dst.Field; dst.whole() {
		v, mask, err := f.ParseValue(kv.Value, p.names.ports())
		switch {
		case err != nil:
		case mask.And(f.Exact()) != f.Exact():
			err = fmt.Errorf("%s: wildcards not allowed here", kv.Value)
		case !validValue(f, v):
			err = fmt.Errorf("%s: invalid value for field %s", kv.Value, f.Name)
		}
		return v, err
	}
	v, ok := parseBig(kv.Value)
	switch {
	case !ok:
		return v, fmt.Errorf("%s: cannot parse integer value", kv.Raw)
	case v.Len() > int(dst.N):
		return v, fmt.Errorf("%s: value %#x does not fit into %d bits", kv.Raw, new(big.Int).SetBytes(valueBytes(v)), dst.N)
	}
	return v, nil
}

// learnLoad reads "SRC->DST", where SRC is a field or a number.
func (p *actParser) learnLoad(s string) (LearnSpec, error) {
	src, dstText, ok := strings.Cut(s, "->")
	if !ok {
		return LearnSpec{}, fmt.Errorf("load: missing `->' in `%s'", s)
	}
	if src == "" {
		return LearnSpec{}, fmt.Errorf("load: missing source before `->' in `%s'", s)
	}
	if _, number := parseBig(src); !number && src[0] >= '0' && src[0] <= '9' {
		return LearnSpec{}, fmt.Errorf("load: garbage before `->' in `%s'", s)
	}
	dst, err := ParseSubfield(dstText)
	if err != nil {
		return LearnSpec{}, err
	}
	if err := plainHeader(s, dstText, dst); err != nil {
		return LearnSpec{}, err
	}
	spec := LearnSpec{Dst: LearnLoad, DstSub: dst, NBits: dst.N}
	if v, ok := parseBig(src); ok {
		if v.Len() > int(dst.N) {
			return spec, fmt.Errorf("%s: value does not fit into %d bits", s, dst.N)
		}
		spec.FromImm, spec.Imm = true, v
		return spec, nil
	}
	sub, _, err := parseSubfield(src)
	if err != nil {
		return spec, fmt.Errorf("%s: unknown field `%s'", s, src)
	}
	if sub.N != dst.N {
		return spec, fmt.Errorf("%s: source field is %d bits wide but destination is %d bits wide", s, sub.N, dst.N)
	}
	spec.Src = sub
	return spec, nil
}

// actParseTable maps names to parsers. It is built at the first use, for the
// parsers of nested actions refer back to it.
type actParseIndex struct {
	once sync.Once
	m    map[string]actParseFunc
}

var actParse actParseIndex

func actParseTable() map[string]actParseFunc {
	actParse.once.Do(func() { actParse.m = buildActParsers() })
	return actParse.m
}

func buildActParsers() map[string]actParseFunc {
	return map[string]actParseFunc{
		"output": (*actParser).output, "controller": (*actParser).controller, "enqueue": (*actParser).enqueue,
		"bundle": (*actParser).bundle, "bundle_load": (*actParser).bundleLoad, "multipath": (*actParser).multipath,
		"load": (*actParser).load, "set_field": (*actParser).setField, "move": (*actParser).move,
		"push": (*actParser).push, "pop": (*actParser).pop,
		"resubmit": (*actParser).resubmit, "dec_ttl": (*actParser).decTTL, "fin_timeout": (*actParser).finTimeout,
		"learn": (*actParser).learn, "note": (*actParser).note, "conjunction": (*actParser).conjunction,
		"ct": (*actParser).ct, "nat": (*actParser).nat, "clone": (*actParser).clone, "sample": (*actParser).sample,
		"encap": (*actParser).encap, "decap": (*actParser).decap, "check_pkt_larger": (*actParser).checkPktLarger,
		"delete_field":   (*actParser).deleteField,
		"write_metadata": (*actParser).writeMetadata, "write_actions": (*actParser).writeActions,
		"goto_table":   (*actParser).gotoTable,
		"mod_vlan_vid": vlanVID(true), "set_vlan_vid": vlanVID(false),
		"mod_vlan_pcp": vlanPCP(true), "set_vlan_pcp": vlanPCP(false),
		"push_vlan": (*actParser).pushVLAN, "mod_dl_src": (*actParser).ethSrc, "mod_dl_dst": (*actParser).ethDst,
		"mod_nw_src": (*actParser).nwSrc, "mod_nw_dst": (*actParser).nwDst,
		"mod_nw_tos": (*actParser).nwTOS, "mod_nw_ecn": (*actParser).nwECN,
		"mod_nw_ttl":     number(8, "TTL", func(v uint64) Action { return &SetIPTTL{TTL: uint8(v)} }),
		"set_nw_ttl":     number(8, "TTL", func(v uint64) Action { return &SetIPTTL{TTL: uint8(v)} }),
		"mod_tp_src":     number(16, "source port", func(v uint64) Action { return &SetL4SrcPort{Port: uint16(v)} }),
		"mod_tp_dst":     number(16, "destination port", func(v uint64) Action { return &SetL4DstPort{Port: uint16(v)} }),
		"set_mpls_label": (*actParser).mplsLabel, "set_mpls_tc": (*actParser).mplsTC, "set_mpls_ttl": (*actParser).mplsTTL,
		"push_mpls":     number(16, "push_mpls", func(v uint64) Action { return &PushMPLS{EthType: uint16(v)} }),
		"pop_mpls":      number(16, "pop_mpls", func(v uint64) Action { return &PopMPLS{EthType: uint16(v)} }),
		"set_tunnel":    number(64, "", func(v uint64) Action { return &SetTunnelID{ID: v, Wide: v>>32 != 0} }),
		"set_tunnel64":  number(64, "", func(v uint64) Action { return &SetTunnelID{ID: v, Wide: true} }),
		"set_queue":     number(32, "", func(v uint64) Action { return &SetQueue{Queue: uint32(v)} }),
		"group":         number(32, "", func(v uint64) Action { return &Group{ID: uint32(v)} }),
		"meter":         (*actParser).meter,
		"unroll_xlate":  (*actParser).unrollXlate,
		"strip_vlan":    fixed(func() Action { return &StripVLAN{} }),
		"pop_vlan":      fixed(func() Action { return &StripVLAN{Pop: true} }),
		"dec_mpls_ttl":  fixed(func() Action { return &DecMPLSTTL{} }),
		"dec_nsh_ttl":   (*actParser).decNSHTTL,
		"pop_queue":     fixed(func() Action { return &PopQueue{} }),
		"exit":          fixed(func() Action { return &Exit{} }),
		"ct_clear":      fixed(func() Action { return &CTClear{} }),
		"clear_actions": fixed(func() Action { return &ClearActions{} }),
		"debug_slow":    fixed(func() Action { return &DebugSlow{} }),
		"debug_recirc":  fixed(func() Action { return &DebugRecirc{} }),
	}
}

func vlanVID(push bool) actParseFunc {
	return func(_ *actParser, s string) (Action, error) {
		v, err := parseUint(s, 16, "VLAN VID")
		if err == nil && v > 0xfff {
			err = fmt.Errorf("%s: not a valid VLAN VID", s)
		}
		return &SetVLANVID{VID: uint16(v), PushIfNeeded: push}, err
	}
}

func vlanPCP(push bool) actParseFunc {
	return func(_ *actParser, s string) (Action, error) {
		v, err := parseUint(s, 8, "VLAN PCP")
		if err == nil && v > 7 {
			err = fmt.Errorf("%s: not a valid VLAN PCP", s)
		}
		return &SetVLANPCP{PCP: uint8(v), PushIfNeeded: push}, err
	}
}

func (p *actParser) pushVLAN(s string) (Action, error) {
	p.usable &= P11 | PAnyOXM
	v, err := parseUint(s, 16, "ethertype")
	if err == nil && v != 0x8100 && v != 0x88a8 {
		err = fmt.Errorf("%s: not a valid VLAN ethertype", s)
	}
	return &PushVLAN{EthType: uint16(v)}, err
}

func (p *actParser) ethSrc(s string) (Action, error) {
	m, err := parseMACArg(s)
	return &SetEthSrc{MAC: m}, err
}

func (p *actParser) ethDst(s string) (Action, error) {
	m, err := parseMACArg(s)
	return &SetEthDst{MAC: m}, err
}

func (p *actParser) nwSrc(s string) (Action, error) {
	a, err := parseIPArg(s)
	return &SetIPv4Src{Addr: a}, err
}

func (p *actParser) nwDst(s string) (Action, error) {
	a, err := parseIPArg(s)
	return &SetIPv4Dst{Addr: a}, err
}

func (p *actParser) nwTOS(s string) (Action, error) {
	v, err := parseUint(s, 8, "TOS")
	if err == nil && v&3 != 0 {
		err = fmt.Errorf("%s: not a valid TOS", s)
	}
	return &SetIPDSCP{DSCP: uint8(v)}, err
}

func (p *actParser) nwECN(s string) (Action, error) {
	v, err := parseUint(s, 8, "ECN")
	if err == nil && v > 3 {
		err = fmt.Errorf("%s: not a valid ECN", s)
	}
	return &SetIPECN{ECN: uint8(v)}, err
}

func (p *actParser) mplsLabel(s string) (Action, error) {
	v, err := parseUint(s, 32, "")
	switch {
	case s == "":
		err = fmt.Errorf("set_mpls_label: expected label.")
	case err == nil && v > 0xfffff:
		err = fmt.Errorf("%s: not a valid MPLS label", s)
	}
	return &SetMPLSLabel{Label: uint32(v)}, err
}

func (p *actParser) mplsTC(s string) (Action, error) {
	v, err := parseUint(s, 8, "MPLS TC")
	switch {
	case s == "":
		err = fmt.Errorf("set_mpls_tc: expected tc.")
	case err == nil && v > 7:
		err = fmt.Errorf("%s: not a valid MPLS TC", s)
	}
	return &SetMPLSTC{TC: uint8(v)}, err
}

func (p *actParser) mplsTTL(s string) (Action, error) {
	v, err := parseUint(s, 8, "MPLS TTL")
	if s == "" {
		err = fmt.Errorf("set_mpls_ttl: expected ttl.")
	}
	return &SetMPLSTTL{TTL: uint8(v)}, err
}

func (p *actParser) meter(s string) (Action, error) {
	p.usable &= P13 | P14 | P15
	v, err := parseUint(s, 32, "")
	return &MeterInst{ID: uint32(v)}, err
}

func (p *actParser) decNSHTTL(string) (Action, error) {
	p.usable &= P13 | P14 | P15
	return &DecNSHTTL{}, nil
}

func (p *actParser) gotoTable(s string) (Action, error) {
	t, err := p.tableArg(s)
	return &GotoTable{Table: t}, err
}

// valueBytes is a value of up to 128 bits, most significant byte first.
func valueBytes(v flow.Value) []byte {
	b := make([]byte, 16)
	v.PutBytes(b)
	return b
}

// unrollXlate refuses the action by which translations come back from where they
// were: it is none of OpenFlow's.
func (p *actParser) unrollXlate(string) (Action, error) {
	return nil, errors.New("UNROLL is an internal action that shouldn't be used via OpenFlow")
}

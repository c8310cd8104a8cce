package openflow

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// FlowMod commands in flow files and in error texts.
var flowCommandNames = map[string]FlowModCommand{
	"add": FlowAdd, "modify": FlowModify, "modify_strict": FlowModifyStrict,
	"delete": FlowDelete, "delete_strict": FlowDeleteStrict,
}

// ParseOptions vary how flows are read.
type ParseOptions struct {
	Names *Names
	// Log gets warnings and notes, see DecodeOptions. May be nil.
	Log func(module, site string, warn bool, text string)
}

func (o *ParseOptions) log(module, site string, warn bool, text string) {
	if o.Log != nil {
		o.Log(module, site, warn, text)
	}
}

// ParseFlowMod reads a flow in the syntax of ovs-ofctl(8), and tells which
// protocols can carry it. command < 0: the line begins with the command, or is
// an addition.
func ParseFlowMod(s string, command int, opt ParseOptions) (*FlowMod, Protocol, error) {
	m := &FlowMod{}
	usable, err := (&FlowParser{Command: command, Options: opt}).Parse(m, s)
	if err != nil {
		return nil, 0, err
	}
	return m, usable, nil
}

// FlowParser reads flows one after another, as [ParseFlowMod] does. It remembers
// what flows have in common: those with the same text of actions share the list,
// which therefore nobody may change. It belongs to one goroutine.
type FlowParser struct {
	Command int // of the flows; negative as in [ParseFlowMod]
	Options ParseOptions

	actions map[string]*parsedActions
	shape   flow.Shape // of the last match, of which what follows is true
	usable  Protocol
	normal  bool
}

// Parse reads a flow into m, which may have held another.
func (x *FlowParser) Parse(m *FlowMod, s string) (Protocol, error) {
	*m = FlowMod{}
	if x.Command < 0 {
		m.Command = FlowAdd
		n := 0
		for n < len(s) && !keyEnd[s[n]] {
			n++
		}
		if n == len(s) || s[n] == ' ' || s[n] == '\t' {
			if c, ok := flowCommandNames[strings.ToLower(s[:n])]; ok {
				m.Command = c
				s = strings.TrimLeft(s[n:], " \t")
			}
		}
	} else {
		m.Command = FlowModCommand(x.Command)
	}
	p := &flowParser{m: m, opt: x.Options, usable: PAny, memory: x}
	if err := p.parse(s); err != nil {
		return 0, err
	}
	return p.usable, nil
}

// flowParser parses one flow.
type flowParser struct {
	m      *FlowMod
	opt    ParseOptions
	usable Protocol
	memory *FlowParser
}

func (p *flowParser) hasActions() bool { return p.m.Command <= FlowModifyStrict }

func (p *flowParser) parse(s string) error {
	m := p.m
	m.Priority, m.BufferID, m.OutPort, m.OutGroup, m.TableID = flow.DefaultPriority, NoBuffer, PortNone, GroupAny, TableAny
	m.ModifyCookie = false
	if m.Command == FlowAdd {
		m.NewCookie = 0
	} else {
		m.NewCookie = ^uint64(0)
	}
	var actions string
	if p.hasActions() {
		var err error
		if s, actions, err = splitActions(s); err != nil {
			return err
		}
	}
	for kv := range keyValues(s) {
		if err := p.setting(kv); err != nil {
			return err
		}
	}
	if m.CookieMask == 0 && m.NewCookie == ^uint64(0) && p.hasActions() {
		// A modification of nothing adds a flow, whose cookie is zero.
		m.NewCookie, m.ModifyCookie = 0, false
	}
	x := p.memory
	if !x.shape.Is(&m.Match) {
		x.shape.Take(&m.Match)
		x.usable, x.normal = MatchProtocols(&m.Match), m.Match.IsNormal()
	}
	p.usable &= x.usable
	if p.hasActions() {
		if err := p.parseActions(actions); err != nil {
			return err
		}
	}
	if !x.normal {
		NormalizeMatch(&m.Match, p.opt.Log)
	}
	return nil
}

// splitActions cuts "MATCH actions=ACTIONS" in two.
func splitActions(s string) (match, actions string, err error) {
	i := strings.Index(s, "action")
	if i < 0 {
		return "", "", fmt.Errorf("must specify an action")
	}
	_, actions, ok := strings.Cut(s[i:], "=")
	if !ok {
		return "", "", fmt.Errorf("must specify an action")
	}
	return s[:i], actions, nil
}

// parsedActions is a list of actions with what parsing it found.
type parsedActions struct {
	list   []Action
	usable Protocol
	// anywhere: they go with every match.
	anywhere bool
}

// maxParsedActions bounds what a FlowParser remembers of actions.
const maxParsedActions = 4096

func (x *FlowParser) parseActions(s string) (*parsedActions, error) {
	if a := x.actions[s]; a != nil {
		return a, nil
	}
	as, usable, err := ParseInstructions(s, x.Options.Names)
	if err != nil {
		return nil, err
	}
	a := &parsedActions{list: as, usable: usable, anywhere: goAnywhere(as)}
	if shareable(as) {
		if x.actions == nil || len(x.actions) >= maxParsedActions {
			x.actions = map[string]*parsedActions{}
		}
		x.actions[strings.Clone(s)] = a
	}
	return a, nil
}

// goAnywhere reports whether no action can fail a check for the flow's match,
// table or protocol: all of them output to usual ports.
func goAnywhere(as []Action) bool {
	for _, a := range as {
		if o, ok := a.(*Output); !ok || o.Port >= PortMax {
			return false
		}
	}
	return true
}

func (p *flowParser) parseActions(s string) error {
	a, err := p.memory.parseActions(s)
	if err != nil {
		return err
	}
	p.usable &= a.usable
	p.m.Actions = a.list
	if a.anywhere && p.usable != 0 {
		return nil
	}
	got, err := CheckActions(a.list, &p.m.Match, ActionCheck{
		MaxPorts: PortMax, TableID: p.m.TableID, NTables: 255, Usable: p.usable, Log: p.opt.Log,
	})
	if err == nil && got == 0 {
		err = ErrBACMatchInconsistent.Err()
	}
	if err != nil {
		return fmt.Errorf("actions are invalid with specified match (%s)", CodeOf(err))
	}
	p.usable = got
	return nil
}

// flagWords are the settings without a value.
var flagWords = map[string]struct {
	flag   FlowFlags
	usable Protocol
}{
	"send_flow_rem":       {FlowSendRem, PAny},
	"check_overlap":       {FlowCheckOverlap, PAny},
	"reset_counts":        {FlowResetCounts, P12 | P13 | P14 | P15},
	"no_packet_counts":    {FlowNoPktCounts, P13 | P14 | P15},
	"no_byte_counts":      {FlowNoBytCounts, P13 | P14 | P15},
	"no_readonly_table":   {FlowNoReadonly, PAny},
	"allow_hidden_fields": {FlowHiddenFields, PAny},
}

func (p *flowParser) setting(kv KeyValue) error {
	m := &p.m.Match
	if w, ok := flow.WordByName(kv.Key); ok {
		return p.word(m, w, kv.Value)
	}
	if kv.Value == "" && !p.deletes() {
		if f, ok := flagWords[kv.Key]; ok {
			p.m.Flags |= f.flag
			p.usable &= f.usable
			return nil
		}
	}
	if err := p.matchSetting(m, kv); err != flow.ErrUnknownField {
		return err
	}
	if kv.Value == "" && kv.Raw == kv.Key {
		return fmt.Errorf("field %s missing value", kv.Key)
	}
	if !p.allows(kv.Key) {
		return fmt.Errorf("unknown keyword %s", kv.Key)
	}
	return p.number(kv)
}

// deletes reports whether the flows are looked for, to be deleted or shown.
func (p *flowParser) deletes() bool {
	return p.m.Command == FlowDelete || p.m.Command == FlowDeleteStrict
}

// allows reports whether the command has a use for a setting: one that is
// ignored would let it reach more flows than was meant.
func (p *flowParser) allows(key string) bool {
	switch key {
	case "out_port", "out_group":
		return p.deletes()
	case "priority":
		return p.m.Command != FlowDelete
	case "idle_timeout", "hard_timeout":
		return !p.deletes()
	case "importance":
		return p.m.Command == FlowAdd
	}
	return true
}

// word applies a setting of the match by a shorthand or a field.
func (p *flowParser) word(m *Match, w flow.Word, value string) error {
	err := m.ParseWord(w, value, p.opt.Names.ports())
	if err == nil && (w.Short != nil || w.Field.Prereq == flow.PrereqEthernet || w.Field.ID == flow.FieldDLVLAN) {
		m.SetDefaultPacketType()
	}
	if err == nil && w.Field != nil && w.Field.ID == flow.FieldVLANTCI && m.Mask.VLANs[0].TCI != 0xffff {
		p.usable &= PAnyNXM | PAnyOXM
	}
	return err
}

// matchSetting applies a setting of a match.
func (p *flowParser) matchSetting(m *Match, kv KeyValue) error {
	name := kv.Key
	if w, ok := flow.WordByName(name); ok {
		return p.word(m, w, kv.Value)
	}
	switch {
	case name == "":
	case strings.Contains(name, "["):
		return p.subfieldSetting(m, kv)
	case name == "eth":
		return m.ParseSetting(name, kv.Value, p.opt.Names.ports())
	case name[0] <= 'Z': // as the names of all headers begin
		if f, _, ok := flow.FieldByCodepoint(name); ok {
			return p.word(m, flow.Word{Field: f}, kv.Value)
		}
	}
	return flow.ErrUnknownField
}

// subfieldSetting matches some bits of a field: "reg0[4..7]=5".
func (p *flowParser) subfieldSetting(m *Match, kv KeyValue) error {
	sub, err := ParseSubfield(kv.Key)
	if err != nil {
		return err
	}
	val, maskText, masked := strings.Cut(kv.Value, "/")
	v, ok := parseBig(val)
	mask := flow.Ones(int(sub.N))
	if ok && masked {
		mask, ok = parseBig(maskText)
	}
	if !ok || v.Len() > int(sub.N) || mask.Len() > int(sub.N) {
		return fmt.Errorf("%s: value does not fit into %s", kv.Value, kv.Key)
	}
	f := sub.Field
	all := f.Get(&m.Mask).Or(mask.Shl(int(sub.Ofs)))
	val2 := f.Get(&m.Key).AndNot(mask.Shl(int(sub.Ofs))).Or(v.And(mask).Shl(int(sub.Ofs)))
	m.Set(f, val2, all)
	if f.Prereq == flow.PrereqEthernet {
		m.SetDefaultPacketType()
	}
	return nil
}

func (p *flowParser) number(kv KeyValue) error {
	m := p.m
	var dst *uint16
	switch kv.Key {
	case "table":
		id, err := p.table(kv.Value)
		if err != nil {
			return err
		}
		m.TableID = id
		if id != TableAny {
			p.usable &= PTID | P11 | PAnyOXM
		}
		return nil
	case "out_port":
		n, ok := flow.ParsePort(kv.Value, p.opt.Names.ports())
		if !ok {
			return fmt.Errorf("%s is not a valid OpenFlow port", kv.Value)
		}
		m.OutPort = PortNo(n)
		return nil
	case "out_group":
		v, err := parseUint(kv.Value, 32, "out_group")
		if kv.Value == "any" || kv.Value == "ANY" {
			v, err = GroupAny, nil
		}
		m.OutGroup = uint32(v)
		p.usable &= P11 | PAnyOXM
		return err
	case "cookie":
		return p.cookie(kv.Value)
	case "priority":
		dst = &m.Priority
	case "idle_timeout":
		dst = &m.IdleTimeout
	case "hard_timeout":
		dst = &m.HardTimeout
	case "importance":
		dst = &m.Importance
	case "duration", "n_packets", "n_bytes", "idle_age", "hard_age":
		// As dump-flows prints them, so that its output can be fed back.
		return nil
	default:
		return fmt.Errorf("unknown keyword %s", kv.Key)
	}
	v, err := parseUint(kv.Value, 16, kv.Key)
	*dst = uint16(v)
	return err
}

func (p *flowParser) table(s string) (uint8, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	switch {
	case err == nil && n <= 255:
		return uint8(n), nil
	case err == nil:
		p.opt.log("ofp_table", "", true, fmt.Sprintf("table %d is outside the supported range 0 through 255", n))
	case p.opt.Names != nil && p.opt.Names.Tables != nil:
		if id, ok := p.opt.Names.Tables.TableNumber(strings.Trim(s, `"`)); ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("unknown table %q", s)
}

func (p *flowParser) cookie(s string) error {
	m := p.m
	val, mask, masked := strings.Cut(s, "/")
	if masked {
		if m.Command == FlowAdd {
			return fmt.Errorf("flow additions cannot use a cookie mask")
		}
		v, err := parseUint(mask, 64, "")
		if err != nil {
			return err
		}
		m.CookieMask = v
		if m.Cookie, err = parseUint(val, 64, ""); err != nil {
			return err
		}
		p.usable &= PAnyNXM | P11 | PAnyOXM
		return nil
	}
	if p.deletes() {
		return fmt.Errorf("cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=%s/-1)", s)
	}
	v, err := parseUint(val, 64, "")
	m.NewCookie = v
	m.ModifyCookie = m.Command != FlowAdd
	if m.Command != FlowAdd && p.hasActions() {
		m.ModifyCookie = true
	}
	return err
}

// NormalizeMatch drops what lacks its prerequisites and logs what it dropped.
func NormalizeMatch(m *Match, log func(module, site string, warn bool, text string)) {
	if log == nil {
		m.Normalize()
		return
	}
	if m.IsNormal() {
		return
	}
	before := m.Format(flow.DefaultPriority, nil)
	m.Normalize()
	log("ofp_match", "normalize", false, "normalization changed ofp_match, details:")
	log("ofp_match", "normalize", false, " pre: "+before)
	log("ofp_match", "normalize", false, "post: "+m.Format(flow.DefaultPriority, nil))
}

// ParseFlowRequest reads the flow argument of dump-flows and dump-aggregate.
func ParseFlowRequest(s string, aggregate bool, opt ParseOptions) (*FlowStatsRequest, Protocol, error) {
	fm, usable, err := ParseFlowMod(s, int(FlowDelete), opt)
	if err != nil {
		return nil, 0, err
	}
	// Special case: a dump can be limited to a table without extensions.
	return &FlowStatsRequest{
		Aggregate: aggregate, Match: fm.Match, Cookie: fm.Cookie, CookieMask: fm.CookieMask,
		OutPort: fm.OutPort, OutGroup: fm.OutGroup, TableID: fm.TableID,
	}, usable | tableProtocols(fm), nil
}

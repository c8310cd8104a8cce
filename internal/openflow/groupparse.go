package openflow

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// groupCommandWords are the commands of group files.
var groupCommandWords = map[string]GroupModCommand{
	"add": GroupAdd, "modify": GroupModify, "add_or_mod": GroupAddOrMod, "delete": GroupDelete,
	"insert_bucket": GroupInsertBucket, "remove_bucket": GroupRemoveBucket,
}

// ParseGroupMod reads a group in the syntax of ovs-ofctl(8), "Group Syntax".
// command < 0: the line begins with the command, or is an addition.
func ParseGroupMod(s string, command int, opt ParseOptions) (*GroupMod, Protocol, error) {
	g := &GroupMod{Command: GroupModCommand(command), CommandBucketID: BucketAll}
	if command < 0 {
		g.Command = GroupAdd
		word, rest, _ := strings.Cut(strings.TrimLeft(s, " \t"), " ")
		if c, ok := groupCommandWords[word]; ok {
			g.Command, s = c, rest
		}
	}
	p := &groupParser{g: g, opt: opt, usable: P10 | P10TID | PNXM | PNXMTID | P11 | PAnyOXM}
	return p.parse(s)
}

// needsNoType: what the command is about has its type already.
func (c GroupModCommand) needsNoType() bool {
	return c != GroupAdd && c != GroupModify && c != GroupAddOrMod
}

// groupParser parses one group.
type groupParser struct {
	g        *GroupMod
	opt      ParseOptions
	usable   Protocol
	haveID   bool
	haveType bool
	haveCmd  bool
}

func (p *groupParser) parse(s string) (*GroupMod, Protocol, error) {
	g := p.g
	if g.Command == GroupInsertBucket || g.Command == GroupRemoveBucket {
		p.usable &= PAny10 | P15
	}
	head, buckets := s, ""
	if i := bucketsIn(s); i >= 0 {
		head, buckets = s[:i], s[i:]
	}
	for _, kv := range SplitKeyValues(head) {
		if err := p.setting(kv); err != nil {
			return nil, 0, err
		}
	}
	withType := !g.Command.needsNoType()
	switch {
	case !withType && p.haveType:
		return nil, 0, fmt.Errorf("type is not needed")
	case !p.haveID && g.Command == GroupDelete:
		g.ID = GroupAll
	case !p.haveID:
		return nil, 0, fmt.Errorf("must specify a group_id")
	case withType && !p.haveType:
		return nil, 0, fmt.Errorf("must specify a type")
	case g.Command == GroupInsertBucket && !p.haveCmd:
		return nil, 0, fmt.Errorf("must specify a command bucket id")
	case g.Command == GroupInsertBucket && g.CommandBucketID == BucketAll:
		return nil, 0, fmt.Errorf("command_bucket_id=all is not permitted")
	case p.haveCmd && (withType || g.Command == GroupDelete):
		return nil, 0, fmt.Errorf("command bucket id is not needed")
	}
	if err := g.Props.consistent(); err != nil {
		return nil, 0, err
	}
	if buckets != "" {
		if g.Command == GroupDelete || g.Command == GroupRemoveBucket {
			return nil, 0, fmt.Errorf("bucket is not needed")
		}
		if err := p.buckets(buckets); err != nil {
			return nil, 0, err
		}
	}
	if len(g.Buckets) == 0 && g.Props.SelectionMethod != "" {
		p.usable &= PAny10 | P15
	}
	if g.Type == GroupTypeIndirect && len(g.Buckets) > 1 {
		return nil, 0, fmt.Errorf("Indirect groups can have at most one bucket.")
	}
	return g, p.usable, nil
}

// bucketsIn is where the first bucket begins, negative when there is none: a
// setting may end in the same word.
func bucketsIn(s string) int {
	const word = "bucket="
	for at := 0; ; {
		i := strings.Index(s[at:], word)
		if i < 0 {
			return -1
		}
		at += i
		if at == 0 || strings.ContainsRune(", \t\r\n", rune(s[at-1])) {
			return at
		}
		at += len(word)
	}
}

func (p *groupParser) setting(kv KeyValue) error {
	g := p.g
	switch kv.Key {
	case "command_bucket_id":
		p.haveCmd = true
		switch kv.Value {
		case "all":
			g.CommandBucketID = BucketAll
		case "first":
			g.CommandBucketID = BucketFirst
		case "last":
			g.CommandBucketID = BucketLast
		default:
			v, err := parseUint(kv.Value, 32, "")
			if err != nil {
				return err
			}
			if v > BucketMax && v != BucketAll {
				return fmt.Errorf("invalid command bucket id %d", v)
			}
			g.CommandBucketID = uint32(v)
		}
	case "group_id":
		p.haveID = true
		if kv.Value == "all" && g.Command == GroupDelete {
			g.ID = GroupAll
			return nil
		}
		v, err := parseUint(kv.Value, 32, "")
		if err != nil {
			return err
		}
		if v > GroupMax && !(g.Command == GroupDelete && v == GroupAll) {
			return fmt.Errorf("invalid group id %d", v)
		}
		g.ID = uint32(v)
	case "type":
		p.haveType = true
		switch kv.Value {
		case "all":
			g.Type = GroupTypeAll
		case "select":
			g.Type = GroupTypeSelect
		case "indirect":
			g.Type = GroupTypeIndirect
		case "ff", "fast_failover":
			g.Type = GroupTypeFF
		default:
			return fmt.Errorf("invalid group type %s", kv.Value)
		}
	case "selection_method":
		if g.Command.needsNoType() {
			return fmt.Errorf("selection method is not needed")
		}
		if len(kv.Value) >= 16 {
			return fmt.Errorf("selection method is longer than %d bytes long", 15)
		}
		g.Props.SelectionMethod = kv.Value
	case "selection_method_param":
		v, err := parseUint(kv.Value, 64, "")
		if err != nil {
			return err
		}
		g.Props.SelectionParam = v
	case "fields":
		return p.fields(kv.Value)
	default:
		return fmt.Errorf("unknown keyword %s", kv.Key)
	}
	return nil
}

// LeftOut names what of the group its message has no room for in a version:
// properties of OpenFlow 1.5 and Open vSwitch's extension of 1.0; "" for nothing.
func (g *GroupMod) LeftOut(v Version) string {
	if group15(v) {
		return ""
	}
	if g.Props.SelectionMethod != "" {
		return "selection_method"
	}
	for i := range g.Buckets {
		if g.Buckets[i].ID != uint32(i) {
			return "bucket_id"
		}
	}
	return ""
}

// consistent checks that the properties of a selection method go together.
func (g *GroupProps) consistent() error {
	switch {
	case !g.FieldSet.Empty() && g.SelectionMethod != "hash":
		return fmt.Errorf(`fields may only be specified with "selection_method=hash"`)
	case g.SelectionParam != 0 && g.SelectionMethod == "":
		return fmt.Errorf(`selection_method_param is only allowed with "selection_method"`)
	}
	return nil
}

func (p *groupParser) fields(s string) error {
	for _, kv := range SplitKeyValues(s) {
		f := fieldByAnyName(kv.Key)
		if f == nil {
			return fmt.Errorf("%s: unknown field %s", s, kv.Key)
		}
		if p.g.Props.FieldSet.Has(uint16(f.ID)) {
			return fmt.Errorf("%s: duplicate field", kv.Key)
		}
		mask := f.Exact()
		if kv.Value != "" {
			v, _, err := f.ParseValue(kv.Value, p.opt.Names.ports())
			if err != nil {
				return fmt.Errorf("%s: invalid mask for field %s", kv.Value, f.Name)
			}
			if v.IsZero() {
				return fmt.Errorf("%s: mask is all-zeros", kv.Value)
			}
			mask = v
		}
		p.g.Props.FieldSet.Add(uint16(f.ID))
		p.g.Props.Fields.Set(f, mask, mask)
	}
	return nil
}

func (p *groupParser) buckets(s string) error {
	for _, part := range strings.Split(s, "bucket=")[1:] {
		b, usable, err := parseBucket(strings.TrimRight(part, ", \t"), p.g, p.opt)
		if err != nil {
			return err
		}
		p.usable &= usable
		p.g.Buckets = append(p.g.Buckets, b)
	}
	numberBuckets(p.g.Buckets)
	return nil
}

// numberBuckets gives each bucket without an ID the lowest one that no other
// has.
func numberBuckets(buckets []Bucket) {
	taken := make(map[uint32]bool, len(buckets))
	for i := range buckets {
		taken[buckets[i].ID] = true
	}
	next := uint32(0)
	for i := range buckets {
		if buckets[i].ID != BucketAll {
			continue
		}
		for taken[next] {
			next++
		}
		buckets[i].ID = next
		taken[next] = true
	}
}

// parseBucket reads one bucket: settings and actions in any order.
func parseBucket(s string, g *GroupMod, opt ParseOptions) (Bucket, Protocol, error) {
	b := Bucket{ID: BucketAll, Weight: usualWeight(g.Type, g.Command == GroupInsertBucket), WatchPort: PortNone, WatchGroup: GroupAny}
	usable := PAny
	var actions []string
	for _, kv := range SplitKeyValues(s) {
		switch strings.ToLower(kv.Key) {
		case "weight":
			v, err := parseUint(kv.Value, 16, "weight")
			if err != nil {
				return b, 0, err
			}
			b.Weight = uint16(v)
		case "watch_port":
			n, ok := flow.ParsePort(kv.Value, opt.Names.ports())
			if !ok || PortNo(n) >= PortMax && PortNo(n) != PortNone && PortNo(n) != PortController {
				return b, 0, fmt.Errorf("%s: invalid watch_port", kv.Value)
			}
			b.WatchPort = PortNo(n)
		case "watch_group":
			v, err := parseUint(kv.Value, 32, "")
			if err != nil || v > GroupMax {
				return b, 0, fmt.Errorf("invalid watch_group id %s", kv.Value)
			}
			b.WatchGroup = uint32(v)
		case "bucket_id":
			v, err := parseUint(kv.Value, 32, "")
			if err != nil || v > BucketMax {
				return b, 0, fmt.Errorf("invalid bucket_id id %s", kv.Value)
			}
			b.ID = uint32(v)
		case "action", "actions":
			_, rest, _ := strings.Cut(kv.Raw, "=")
			actions = append(actions, rest)
		default:
			actions = append(actions, kv.Raw)
		}
	}
	switch {
	case len(actions) == 0:
		return b, 0, fmt.Errorf("bucket must specify actions")
	case g.Command == GroupInsertBucket:
	case g.Type == GroupTypeFF && b.WatchPort == PortNone && b.WatchGroup == GroupAny:
		return b, 0, fmt.Errorf("fast failover bucket requires watch_port or watch_group")
	case g.Type != GroupTypeSelect && b.Weight != 0:
		return b, 0, fmt.Errorf("Only select groups can have bucket weights.")
	}
	as, u, err := ParseActions(strings.Join(actions, ","), opt.Names)
	b.Actions = as
	return b, usable & u, err
}

// ParseMeterMod reads a meter in the syntax of ovs-ofctl(8), "Meter Syntax".
func ParseMeterMod(s string, command MeterModCommand) (*MeterMod, error) {
	m := &MeterMod{Command: command}
	head, bands := s, ""
	if command != MeterDelete {
		i := strings.Index(s, "band")
		if i < 0 {
			return nil, fmt.Errorf("must specify bands")
		}
		_, rest, ok := strings.Cut(s[i:], "=")
		if !ok {
			return nil, fmt.Errorf("must specify bands")
		}
		head, bands = s[:i], rest
	}
	have := false
	for _, kv := range SplitKeyValues(head) {
		switch {
		case kv.Key == "kbps" && kv.Value == "":
			m.Meter.Flags |= MeterKbps
		case kv.Key == "pktps" && kv.Value == "":
			m.Meter.Flags |= MeterPktps
		case kv.Key == "burst" && kv.Value == "":
			m.Meter.Flags |= MeterBurst
		case kv.Key == "stats" && kv.Value == "":
			m.Meter.Flags |= MeterStatsFlag
		case kv.Key == "meter":
			id, err := ParseMeterID(kv.Value, command == MeterDelete)
			if err != nil {
				return nil, err
			}
			m.Meter.ID, have = id, true
		case kv.Value == "":
			return nil, fmt.Errorf("field %s missing value", kv.Key)
		default:
			return nil, fmt.Errorf("unknown keyword %s", kv.Key)
		}
	}
	if !have {
		return nil, fmt.Errorf("must specify 'meter'")
	}
	if command != MeterDelete && m.Meter.Flags&(MeterKbps|MeterPktps) == 0 {
		return nil, fmt.Errorf("meter must specify either 'kbps' or 'pktps'")
	}
	return m, m.parseBands(bands)
}

// ParseMeterID reads a number or the name of a special meter; all only where
// it makes sense.
func ParseMeterID(s string, all bool) (uint32, error) {
	switch {
	case s == "all" && all:
		return MeterAll, nil
	case s == "controller":
		return MeterController, nil
	case s == "slowpath":
		return MeterSlowpath, nil
	}
	v, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("invalid numeric format %s", s)
	}
	if v == 0 || v > MeterMax {
		return 0, fmt.Errorf("invalid value for meter")
	}
	return uint32(v), nil
}

func (m *MeterMod) parseBands(s string) error {
	var b *MeterBand
	for _, kv := range SplitKeyValues(s) {
		if kv.Key == "type" {
			if err := m.checkBand(b); err != nil {
				return err
			}
			m.Meter.Bands = append(m.Meter.Bands, MeterBand{})
			b = &m.Meter.Bands[len(m.Meter.Bands)-1]
			switch kv.Value {
			case "drop":
				b.Type = BandDrop
			case "dscp_remark":
				b.Type = BandDSCPRemark
			default:
				return fmt.Errorf("field type unknown value %s", kv.Value)
			}
			continue
		}
		if b == nil {
			return fmt.Errorf("band must start with the 'type' keyword")
		}
		if err := b.set(kv); err != nil {
			return err
		}
	}
	return m.checkBand(b)
}

// set reads one property of a band.
func (b *MeterBand) set(kv KeyValue) error {
	bits := 32
	if kv.Key == "prec_level" {
		bits = 8
	}
	v, err := parseUint(kv.Value, bits, kv.Key)
	switch kv.Key {
	case "rate":
		b.Rate = uint32(v)
	case "burst_size":
		b.Burst = uint32(v)
	case "prec_level":
		b.PrecLevel = uint8(v)
	default:
		return fmt.Errorf("unknown keyword %s", kv.Key)
	}
	return err
}

// checkBand checks that a band is whole, and what the meter says it is.
func (m *MeterMod) checkBand(b *MeterBand) error {
	if b == nil {
		return nil
	}
	burst, remark := m.Meter.Flags&MeterBurst != 0, b.Type == BandDSCPRemark
	switch {
	case b.Rate == 0:
		return fmt.Errorf("band must have 'rate'")
	case burst && b.Burst == 0:
		return fmt.Errorf("band must have 'burst_size' when 'burst' flag is set")
	case !burst && b.Burst != 0:
		return fmt.Errorf("band may have 'burst_size' only when 'burst' flag is set")
	case remark && b.PrecLevel == 0:
		return fmt.Errorf("'dscp_remark' band must have 'prec_level'")
	case !remark && b.PrecLevel != 0:
		return fmt.Errorf("Only 'dscp_remark' band may have 'prec_level'")
	}
	return nil
}

// ParseTLVMaps reads "{class=C,type=T,len=L}->tun_metadataN[,...]".
func ParseTLVMaps(s string, command TLVCommand) (*TLVTableMod, error) {
	m := &TLVTableMod{Command: command}
	for _, part := range strings.Split(s, "{") {
		if part = strings.Trim(part, ", \t"); part == "" {
			continue
		}
		var t TLVMap
		var idx uint16
		opts, field, ok := strings.Cut(part, "}->tun_metadata")
		if !ok {
			return nil, fmt.Errorf("invalid tlv mapping")
		}
		n, err := strconv.ParseUint(strings.TrimSpace(field), 10, 16)
		idx = uint16(n)
		if err != nil {
			return nil, fmt.Errorf("invalid tlv mapping")
		}
		given := map[string]bool{}
		for _, kv := range SplitKeyValues(opts) {
			given[kv.Key] = true
			v, err := strconv.ParseUint(kv.Value, 0, 16)
			if err != nil {
				return nil, fmt.Errorf("invalid option %s", kv.Key)
			}
			switch kv.Key {
			case "class":
				t.Class = uint16(v)
			case "type":
				t.Type = uint8(v)
			case "len":
				t.Len = uint8(v)
			default:
				return nil, fmt.Errorf("invalid tlv mapping")
			}
		}
		if !given["class"] || !given["type"] || !given["len"] {
			return nil, fmt.Errorf("invalid tlv mapping")
		}
		t.Index = idx
		m.Maps = append(m.Maps, t)
	}
	return m, nil
}

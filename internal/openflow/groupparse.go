package openflow

import (
	"fmt"
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
	if err := p.complete(); err != nil {
		return nil, 0, err
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

// complete checks that the settings are those that the command needs.
func (p *groupParser) complete() error {
	g := p.g
	withType := !g.Command.needsNoType()
	switch {
	case !withType && p.haveType:
		return fmt.Errorf("type is not needed")
	case !p.haveID && g.Command == GroupDelete:
		g.ID = GroupAll
	case !p.haveID:
		return fmt.Errorf("must specify a group_id")
	case withType && !p.haveType:
		return fmt.Errorf("must specify a type")
	case g.Command == GroupInsertBucket && !p.haveCmd:
		return fmt.Errorf("must specify a command bucket id")
	case g.Command == GroupInsertBucket && g.CommandBucketID == BucketAll:
		return fmt.Errorf("command_bucket_id=all is not permitted")
	case p.haveCmd && (withType || g.Command == GroupDelete):
		return fmt.Errorf("command bucket id is not needed")
	}
	return nil
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
		return p.commandBucket(kv.Value)
	case "group_id":
		p.haveID = true
		return p.groupID(kv.Value)
	case "type":
		p.haveType = true
		return p.groupType(kv.Value)
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

// commandBucket reads where a bucket is inserted, or which is removed.
func (p *groupParser) commandBucket(s string) error {
	switch s {
	case "all":
		p.g.CommandBucketID = BucketAll
		return nil
	case "first":
		p.g.CommandBucketID = BucketFirst
		return nil
	case "last":
		p.g.CommandBucketID = BucketLast
		return nil
	}
	v, err := parseUint(s, 32, "")
	if err != nil {
		return err
	}
	if v > BucketMax && v != BucketAll {
		return fmt.Errorf("invalid command bucket id %d", v)
	}
	p.g.CommandBucketID = uint32(v)
	return nil
}

func (p *groupParser) groupID(s string) error {
	deleting := p.g.Command == GroupDelete
	if s == "all" && deleting {
		p.g.ID = GroupAll
		return nil
	}
	v, err := parseUint(s, 32, "")
	if err != nil {
		return err
	}
	if v > GroupMax && !(deleting && v == GroupAll) {
		return fmt.Errorf("invalid group id %d", v)
	}
	p.g.ID = uint32(v)
	return nil
}

func (p *groupParser) groupType(s string) error {
	switch s {
	case "all":
		p.g.Type = GroupTypeAll
	case "select":
		p.g.Type = GroupTypeSelect
	case "indirect":
		p.g.Type = GroupTypeIndirect
	case "ff", "fast_failover":
		p.g.Type = GroupTypeFF
	default:
		return fmt.Errorf("invalid group type %s", s)
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
		if isSetting, err := b.setting(kv, opt); err != nil {
			return b, 0, err
		} else if isSetting {
			continue
		}
		switch strings.ToLower(kv.Key) {
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

// setting reads a setting of a bucket, if it is one.
func (b *Bucket) setting(kv KeyValue, opt ParseOptions) (bool, error) {
	switch strings.ToLower(kv.Key) {
	case "weight":
		v, err := parseUint(kv.Value, 16, "weight")
		if err != nil {
			return true, err
		}
		b.Weight = uint16(v)
	case "watch_port":
		n, ok := flow.ParsePort(kv.Value, opt.Names.ports())
		if !ok || PortNo(n) >= PortMax && PortNo(n) != PortNone && PortNo(n) != PortController {
			return true, fmt.Errorf("%s: invalid watch_port", kv.Value)
		}
		b.WatchPort = PortNo(n)
	case "watch_group":
		v, err := parseUint(kv.Value, 32, "")
		if err != nil || v > GroupMax {
			return true, fmt.Errorf("invalid watch_group id %s", kv.Value)
		}
		b.WatchGroup = uint32(v)
	case "bucket_id":
		v, err := parseUint(kv.Value, 32, "")
		if err != nil || v > BucketMax {
			return true, fmt.Errorf("invalid bucket_id id %s", kv.Value)
		}
		b.ID = uint32(v)
	default:
		return false, nil
	}
	return true, nil
}

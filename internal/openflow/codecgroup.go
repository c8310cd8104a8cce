package openflow

import "weir/internal/flow"

// Codecs of groups (OpenFlow 1.1, A.3.4.2 and A.3.5.6; 1.5, 7.3.4.3;
// NXT_GROUP_MOD has the form of 1.5 in OpenFlow 1.0).

// group15 reports whether groups have the form of OpenFlow 1.5.
func group15(v Version) bool { return v == V10 || v >= V15 }

const (
	groupPropWeight     = 0
	groupPropWatchPort  = 1
	groupPropWatchGroup = 2
)

func decGroupMod(d *decoder) Message {
	m := &GroupMod{Command: GroupModCommand(d.u16()), Type: GroupType(d.u8()), CommandBucketID: BucketAll}
	d.skip(1)
	m.ID = d.u32()
	if group15(d.Version) {
		n := int(d.u16())
		d.skip(2)
		m.CommandBucketID = d.u32()
		d.checkCommandBucket(m)
		c := d.sub(n, ErrGMFCBadBucket)
		m.Buckets = d.buckets(&c, usualWeight(m.Type, m.Command == GroupInsertBucket))
		m.Props = d.groupProps(&d.cursor, m.Type, m.Command)
	} else {
		m.Buckets = d.buckets(&d.cursor, 0)
	}
	d.checkGroup(m)
	return m
}

// checkGroup makes the checks that depend on the command and type, after those
// of the buckets.
func (d *decoder) checkGroup(m *GroupMod) {
	if m.Type > GroupTypeFF {
		d.fail(ErrGMFCBadType)
	}
	if m.Command > GroupRemoveBucket && m.Command != GroupAddOrMod ||
		(m.Command == GroupInsertBucket || m.Command == GroupRemoveBucket) && !group15(d.Version) {
		d.fail(ErrGMFCBadCommand)
	}
	if m.Command == GroupAdd && m.ID > GroupMax {
		d.fail(ErrGMFCInvalidGroup)
	}
	adds := m.Command == GroupAdd || m.Command == GroupModify || m.Command == GroupAddOrMod
	if m.Command != GroupDelete && m.Type == GroupTypeIndirect && len(m.Buckets) != 1 {
		d.fail(ErrGMFCInvalidGroup)
	}
	if m.Command == GroupRemoveBucket && len(m.Buckets) > 0 {
		d.fail(ErrGMFCBadBucket)
	}
	if adds && m.Type != GroupTypeSelect && d.weighed {
		d.fail(ErrGMFCInvalidGroup)
	}
	for _, b := range m.Buckets {
		watches := b.WatchPort != PortNone || b.WatchGroup != GroupAny
		switch {
		case m.Type == GroupTypeFF && !watches:
			d.fail(ErrGMFCInvalidGroup)
		case adds && (m.Type == GroupTypeAll || m.Type == GroupTypeIndirect) && watches:
			d.fail(ErrGMFCWatchUnsupported)
		}
	}
}

// checkCommandBucket checks the bucket that a command is about: none, unless
// buckets are inserted or removed (OpenFlow 1.5.1, 7.3.4.3).
func (d *decoder) checkCommandBucket(m *GroupMod) {
	id, ok := m.CommandBucketID, true
	switch m.Command {
	case GroupRemoveBucket:
		ok = id <= BucketMax || id >= BucketFirst
	case GroupInsertBucket:
		ok = id <= BucketMax || id >= BucketFirst && id != BucketAll
	default:
		ok = id == BucketAll
	}
	if !ok {
		d.fail(ErrGMFCBadBucket)
	}
}

// usualWeight is the weight of a bucket that says none. A bucket that is inserted
// may be one of a select group.
func usualWeight(typ GroupType, insertion bool) uint16 {
	if typ == GroupTypeSelect || insertion {
		return 1
	}
	return 0
}

// buckets reads buckets to the end of c; those that can, and don't, say a weight
// have the usual one.
func (d *decoder) buckets(c *cursor, weight uint16) []Bucket {
	var out []Bucket
	ids := map[uint32]bool{}
	for c.left() > 0 && c.err == nil && d.err == nil {
		var b Bucket
		if group15(d.Version) {
			b = d.bucket15(c, weight)
			if ids[b.ID] {
				d.fail(ErrGMFCBadBucket)
			}
			ids[b.ID] = true
		} else {
			b = d.bucket11(c)
			b.ID = uint32(len(out))
		}
		out = append(out, b)
	}
	d.failErr(c.err)
	return out
}

func (d *decoder) bucket11(c *cursor) Bucket {
	if c.left() < 16 {
		c.fail(ErrGMFCBadBucket)
	}
	n := int(c.u16())
	if n < 16 || n%8 != 0 || n-2 > c.left() {
		c.fail(ErrGMFCBadBucket)
	}
	b := Bucket{Weight: c.u16(), WatchPort: c.watchPort(), WatchGroup: c.u32()}
	d.weighed = d.weighed || b.Weight != 0
	c.skip(4)
	a := c.sub(n-16, ErrGMFCBadBucket)
	b.Actions = d.actions(&a)
	return b
}

func (d *decoder) bucket15(c *cursor, weight uint16) Bucket {
	n, actLen := int(c.u16()), int(c.u16())
	b := Bucket{ID: c.u32(), Weight: weight, WatchPort: PortNone, WatchGroup: GroupAny}
	if n < 8 || n%8 != 0 || actLen > n-8 {
		c.fail(ErrGMFCBadBucket)
	}
	a := c.sub(actLen, ErrGMFCBadBucket)
	b.Actions = d.actions(&a)
	p := c.sub(n-8-actLen, ErrGMFCBadBucket)
	for p.left() > 0 && p.err == nil {
		t, _, v := p.prop()
		switch t {
		case groupPropWeight:
			b.Weight = v.u16()
			d.weighed = d.weighed || b.Weight != 0
			v.skip(2)
		case groupPropWatchPort:
			b.WatchPort = v.watchPort()
		case groupPropWatchGroup:
			b.WatchGroup = v.u32()
		default:
			p.fail(ErrBPCBadType)
			continue
		}
		p.endProp(&v)
	}
	c.failErr(p.err)
	if b.ID > BucketMax {
		c.fail(ErrGMFCBadBucket)
	}
	return b
}

// groupProps reads the selection method of Netronome's extension.
func (d *decoder) groupProps(c *cursor, typ GroupType, cmd GroupModCommand) GroupProps {
	var g GroupProps
	for c.left() > 0 && c.err == nil {
		t, exp, v := c.prop()
		if t != 0xffff {
			c.fail(ErrBPCBadType)
			continue
		}
		if exp[0] != VendorNTR && exp[0] != vendorNTROld {
			c.fail(ErrBPCBadExperimenter)
			continue
		}
		if exp[1] != 1 {
			c.fail(ErrBPCBadExpType)
			continue
		}
		if typ != GroupTypeSelect {
			d.logf("ofp_group", true, "ntr selection method property is only allowed for select groups")
			c.fail(ErrBPCBadValue)
		}
		if cmd != GroupAdd && cmd != GroupModify && cmd != GroupAddOrMod {
			d.logf("ofp_group", true, "ntr selection method property is only allowed for add and delete group modifications")
			c.fail(ErrBPCBadValue)
		}
		v.skip(4)
		g.SelectionMethod = v.str(16)
		g.SelectionParam = v.u64()
		switch g.SelectionMethod {
		case "hash", "dp_hash":
		default:
			d.logf("ofp_group", true, "ntr selection method '"+g.SelectionMethod+"' is not supported")
			c.fail(ErrBPCBadValue)
		}
		d.groupFields(&v, &g)
		c.endProp(&v)
	}
	d.failErr(c.err)
	return g
}

// groupFields reads the fields property: headers whose value is a mask.
func (d *decoder) groupFields(v *cursor, g *GroupProps) {
	for v.left() > 0 && v.err == nil {
		f, h, ok := d.oxmHeader(v)
		if !ok {
			return
		}
		if g.FieldSet.Has(uint16(f.ID)) {
			v.fail(ErrBMCDupField)
			return
		}
		mask := f.Exact()
		if h.payload > 0 {
			mask = decValue(v.bytes(h.payload))
		}
		if mask.IsZero() {
			d.logf("ofp_group", true, "zero mask for field "+f.Name)
			v.fail(ErrBMCBadMask)
			return
		}
		g.FieldSet.Add(uint16(f.ID))
		g.Fields.Set(f, mask, mask)
	}
}

func (e *encoder) encodeGroupMod(m *GroupMod) {
	if e.v == V10 {
		e.start("NXT_GROUP_MOD")
	} else {
		e.start("OFPT_GROUP_MOD")
	}
	cmd := m.Command
	if !group15(e.v) && (cmd == GroupInsertBucket || cmd == GroupRemoveBucket) {
		e.fail(&UnsupportedError{Name: "insert or remove bucket", Version: e.v})
	}
	e.u16(uint16(cmd))
	e.u8(uint8(m.Type))
	e.pad(1)
	e.u32(m.ID)
	if !group15(e.v) {
		e.buckets(m.Type, m.Buckets)
		return
	}
	at := e.len()
	e.u16(0)
	e.pad(2)
	e.u32(m.CommandBucketID)
	start := e.len()
	e.insertion = cmd == GroupInsertBucket
	e.buckets(m.Type, m.Buckets)
	e.put16(at, e.len()-start)
	e.groupProps(&m.Props)
}

func (e *encoder) buckets(typ GroupType, bs []Bucket) {
	for i := range bs {
		if group15(e.v) {
			e.bucket15(typ, &bs[i])
		} else {
			e.bucket11(&bs[i])
		}
	}
}

func (e *encoder) bucket11(b *Bucket) {
	start := e.len()
	e.u16(0)
	e.u16(b.Weight)
	e.u32(uint32(b.WatchPort))
	e.u32(b.WatchGroup)
	e.pad(4)
	e.actions(b.Actions)
	e.put16(start, e.len()-start)
}

func (e *encoder) bucket15(typ GroupType, b *Bucket) {
	start := e.len()
	e.pad(4)
	e.u32(b.ID)
	acts := e.len()
	e.actions(b.Actions)
	e.put16(start+2, e.len()-acts)
	if typ == GroupTypeSelect || b.Weight != usualWeight(typ, e.insertion) {
		p := e.propStart(groupPropWeight)
		e.u16(b.Weight)
		e.pad(2)
		e.propEnd(p)
	}
	if b.WatchPort != PortNone {
		p := e.propStart(groupPropWatchPort)
		e.u32(uint32(b.WatchPort))
		e.propEnd(p)
	}
	if b.WatchGroup != GroupAny {
		p := e.propStart(groupPropWatchGroup)
		e.u32(b.WatchGroup)
		e.propEnd(p)
	}
	e.put16(start, e.len()-start)
}

func (e *encoder) groupProps(g *GroupProps) {
	if g.SelectionMethod == "" {
		return
	}
	p := e.propStart(0xffff)
	e.u32(VendorNTR)
	e.u32(1)
	e.pad(4)
	e.str(g.SelectionMethod, 16)
	e.u64(g.SelectionParam)
	e.fieldArray(g)
	e.propEnd(p)
}

func decGroupStatsRequest(d *decoder) Message {
	m := &GroupStatsRequest{ID: d.u32()}
	d.skip(4)
	return m
}

func decGroupStatsReply(d *decoder) Message {
	m := &GroupStatsReply{}
	for d.left() > 0 && d.err == nil {
		start := d.off
		n := int(d.u16())
		d.skip(2)
		s := GroupStats{ID: d.u32(), RefCount: d.u32()}
		d.skip(4)
		s.Packets, s.Bytes = d.u64(), d.u64()
		if d.Version == V10 || d.Version >= V13 {
			s.HasDuration = d.duration(&s.DurationSec, &s.DurationNsec)
		}
		if n < d.off-start {
			d.fail(ErrBRCBadLen)
		}
		c := d.sub(n-(d.off-start), ErrBRCBadLen)
		for c.left() > 0 && c.err == nil {
			s.Buckets = append(s.Buckets, BucketStats{c.u64(), c.u64()})
		}
		d.failErr(c.err)
		m.Stats = append(m.Stats, s)
	}
	return m
}

func (e *encoder) encodeGroupStats(m *GroupStatsReply) {
	e.start(e.nxName("GROUP_REPLY"))
	for i := range m.Stats {
		s := &m.Stats[i]
		start := e.len()
		e.u16(0)
		e.pad(2)
		e.u32(s.ID)
		e.u32(s.RefCount)
		e.pad(4)
		e.u64(s.Packets)
		e.u64(s.Bytes)
		if e.v == V10 || e.v >= V13 {
			e.duration(s.HasDuration, s.DurationSec, s.DurationNsec)
		}
		for _, b := range s.Buckets {
			e.u64(b.Packets)
			e.u64(b.Bytes)
		}
		e.put16(start, e.len()-start)
		e.endEntry()
	}
}

// nxName is the name of a multipart message that is Nicira's in OpenFlow 1.0.
func (e *encoder) nxName(s string) string {
	if e.v == V10 {
		return "NXST_" + s
	}
	return "OFPST_" + s
}

func decGroupDescRequest(d *decoder) Message {
	m := &GroupDescRequest{ID: GroupAll}
	if group15(d.Version) {
		m.ID = d.u32()
		d.skip(4)
	}
	return m
}

func decGroupDescReply(d *decoder) Message {
	m := &GroupDescReply{}
	for d.left() > 0 && d.err == nil {
		start := d.off
		n := int(d.u16())
		g := GroupDesc{Type: GroupType(d.u8())}
		d.skip(1)
		g.ID = d.u32()
		bucketLen := -1
		if group15(d.Version) {
			bucketLen = int(d.u16())
			d.skip(6)
		}
		if n < d.off-start {
			d.fail(ErrBRCBadLen)
		}
		c := d.sub(n-(d.off-start), ErrBRCBadLen)
		if bucketLen >= 0 {
			b := c.sub(bucketLen, ErrBRCBadLen)
			g.Buckets = d.buckets(&b, usualWeight(g.Type, false))
			g.Props = d.groupProps(&c, g.Type, GroupAdd)
		} else {
			g.Buckets = d.buckets(&c, 0)
		}
		m.Groups = append(m.Groups, g)
	}
	return m
}

func (e *encoder) encodeGroupDesc(m *GroupDescReply) {
	e.start(e.nxName("GROUP_DESC_REPLY"))
	for i := range m.Groups {
		g := &m.Groups[i]
		start := e.len()
		e.u16(0)
		e.u8(uint8(g.Type))
		e.pad(1)
		e.u32(g.ID)
		if group15(e.v) {
			at := e.len()
			e.u16(0)
			e.pad(6)
			b := e.len()
			e.buckets(g.Type, g.Buckets)
			e.put16(at, e.len()-b)
			e.groupProps(&g.Props)
		} else {
			e.buckets(g.Type, g.Buckets)
		}
		e.put16(start, e.len()-start)
		e.endEntry()
	}
}

func decGroupFeaturesReply(d *decoder) Message {
	m := &GroupFeaturesReply{Types: d.u32(), Capabilities: d.u32()}
	for i := range m.MaxGroups {
		m.MaxGroups[i] = d.u32()
	}
	for i := range m.Actions {
		m.Actions[i] = decActionBits(d.u32(), d.Version)
	}
	return m
}

func (e *encoder) encodeGroupFeatures(m *GroupFeaturesReply) {
	if e.v < V12 {
		e.start("NXST_GROUP_FEATURES_REPLY")
	} else {
		e.start("OFPST_GROUP_FEATURES_REPLY")
	}
	e.u32(m.Types)
	e.u32(m.Capabilities)
	for _, n := range m.MaxGroups {
		e.u32(n)
	}
	for _, a := range m.Actions {
		e.u32(encActionBits(a, e.v))
	}
}

// fieldArray writes the fields property of a group (NTR selection method).
func (e *encoder) fieldArray(g *GroupProps) {
	for i := range flow.NumFields {
		if !g.FieldSet.Has(uint16(i)) {
			continue
		}
		f := flow.FieldID(i).Field()
		mask := f.Get(&g.Fields.Mask)
		if f.IsExact(&g.Fields.Mask) || mask.IsZero() {
			mask = f.Exact()
		}
		if !e.oxmHead(f, false, e.v) {
			continue
		}
		e.value(mask, f.NBytes)
	}
}

package openflow

// Codecs of descriptions and of table messages (OpenFlow 1.0, 5.3.5; 1.1,
// A.3.5.3; 1.4, 7.3.4.3 and 7.3.5.16).

func decDescReply(d *decoder) Message {
	return &DescReply{
		Manufacturer: d.str(256), Hardware: d.str(256), Software: d.str(256), Serial: d.str(32), Datapath: d.str(256),
	}
}

func (e *encoder) encodeDesc(m *DescReply) {
	e.start("OFPST_DESC_REPLY")
	e.str(m.Manufacturer, 256)
	e.str(m.Hardware, 256)
	e.str(m.Software, 256)
	e.str(m.Serial, 32)
	e.str(m.Datapath, 256)
}

func decTableStatsReply(d *decoder) Message {
	m := &TableStatsReply{}
	for d.left() > 0 && d.err == nil {
		f := TableFeatures{TableID: d.u8()}
		s := TableStats{TableID: f.TableID}
		switch d.Version {
		case V10:
			d.tableStats10(&s, &f)
		case V11:
			d.tableStats11(&s, &f)
		case V12:
			d.tableStats12(&s, &f)
		default:
			d.skip(3)
			s.Active, s.Lookup, s.Matched = d.u32(), d.u64(), d.u64()
			m.Stats = append(m.Stats, s)
			continue
		}
		m.Stats = append(m.Stats, s)
		m.Features = append(m.Features, f)
	}
	return m
}

func (d *decoder) tableStats10(s *TableStats, f *TableFeatures) {
	d.skip(3)
	f.Name = d.str(32)
	wild := d.u32()
	f.MaxEntries, s.Active = d.u32(), d.u32()
	s.Lookup, s.Matched = d.u64(), d.u64()
	f.Match, f.Wildcard = fields10(wild)
	f.Mask = FieldSet{}
	for _, r := range wild10 {
		if r.cidr && wild&r.bit != 0 {
			f.Mask.Add(uint16(r.field))
		}
	}
	f.NonMiss.Instructions = 1 << InstApply
	f.Miss = f.NonMiss
}

func (e *encoder) tableStats10(s *TableStats, f *TableFeatures) {
	e.u8(s.TableID)
	e.pad(3)
	e.str(f.Name, 32)
	var wild uint32
	for _, r := range wild10 {
		if f.Wildcard.Has(uint16(r.field)) {
			wild |= r.all()
		}
	}
	e.u32(wild)
	e.u32(f.MaxEntries)
	e.u32(s.Active)
	e.u64(s.Lookup)
	e.u64(s.Matched)
}

func (d *decoder) tableStats11(s *TableStats, f *TableFeatures) {
	d.skip(7)
	f.Name = d.str(32)
	wild, match := d.u32(), d.u32()
	f.NonMiss.Instructions = decInstructionBits(d.u32(), V11)
	write, apply, config := d.u32(), d.u32(), d.u32()
	f.MissConfig = missFromWire(config)
	f.NonMiss.Write.Actions = decActionBits(write, V11)
	f.NonMiss.Apply.Actions = decActionBits(apply, V11)
	f.Miss = f.NonMiss
	f.MaxEntries, s.Active = d.u32(), d.u32()
	s.Lookup, s.Matched = d.u64(), d.u64()
	f.Match, f.Wildcard = fields11(match), fields11(wild)
}

func (e *encoder) tableStats11(s *TableStats, f *TableFeatures) {
	e.u8(s.TableID)
	e.pad(7)
	e.str(f.Name, 32)
	e.u32(bits11(&f.Wildcard))
	e.u32(bits11(&f.Match))
	e.u32(encInstructionBits(f.NonMiss.Instructions, V11))
	e.u32(encActionBits(f.NonMiss.Write.Actions, V11))
	e.u32(encActionBits(f.NonMiss.Apply.Actions, V11))
	e.u32(missToWire(f.MissConfig))
	e.u32(f.MaxEntries)
	e.u32(s.Active)
	e.u64(s.Lookup)
	e.u64(s.Matched)
}

func (d *decoder) tableStats12(s *TableStats, f *TableFeatures) {
	d.skip(7)
	f.Name = d.str(32)
	f.Match, f.Wildcard = oxmBitmap(d.u64()), oxmBitmap(d.u64())
	f.NonMiss.Write.Actions = decActionBits(d.u32(), V12)
	f.NonMiss.Apply.Actions = decActionBits(d.u32(), V12)
	f.NonMiss.Write.SetField = oxmBitmap(d.u64())
	f.NonMiss.Apply.SetField = oxmBitmap(d.u64())
	f.MetadataMatch, f.MetadataWrite = d.u64(), d.u64()
	f.NonMiss.Instructions = decInstructionBits(d.u32(), V12)
	f.MissConfig = missFromWire(d.u32())
	f.Miss = f.NonMiss
	f.MaxEntries, s.Active = d.u32(), d.u32()
	s.Lookup, s.Matched = d.u64(), d.u64()
	f.Mask = f.Wildcard
}

func (e *encoder) tableStats12(s *TableStats, f *TableFeatures) {
	e.u8(s.TableID)
	e.pad(7)
	e.str(f.Name, 32)
	e.u64(oxmBits(&f.Match))
	e.u64(oxmBits(&f.Wildcard))
	e.u32(encActionBits(f.NonMiss.Write.Actions, V12))
	e.u32(encActionBits(f.NonMiss.Apply.Actions, V12))
	e.u64(oxmBits(&f.NonMiss.Write.SetField))
	e.u64(oxmBits(&f.NonMiss.Apply.SetField))
	e.u64(f.MetadataMatch)
	e.u64(f.MetadataWrite)
	e.u32(encInstructionBits(f.NonMiss.Instructions, V12))
	e.u32(missToWire(f.MissConfig))
	e.u32(f.MaxEntries)
	e.u32(s.Active)
	e.u64(s.Lookup)
	e.u64(s.Matched)
}

func (e *encoder) encodeTableStats(m *TableStatsReply) {
	e.start("OFPST_TABLE_REPLY")
	for i := range m.Stats {
		s, f := &m.Stats[i], &TableFeatures{}
		if i < len(m.Features) {
			f = &m.Features[i]
		}
		switch e.v {
		case V10:
			e.tableStats10(s, f)
		case V11:
			e.tableStats11(s, f)
		case V12:
			e.tableStats12(s, f)
		default:
			e.u8(s.TableID)
			e.pad(3)
			e.u32(s.Active)
			e.u64(s.Lookup)
			e.u64(s.Matched)
		}
		e.endEntry()
	}
}

// missFromWire reads the table-miss bits of ofp11_table_config.
func missFromWire(config uint32) TableMiss {
	switch config & 3 {
	case 1:
		return MissContinue
	case 2:
		return MissDrop
	}
	return MissController
}

func missToWire(m TableMiss) uint32 {
	switch m {
	case MissContinue:
		return 1
	case MissDrop:
		return 2
	}
	return 0
}

const (
	tableEviction      = 4
	tableVacancyEvents = 8
)

func tristate(on bool) int8 {
	if on {
		return 1
	}
	return 0
}

// tableConfig reads the config word and properties of OpenFlow 1.4.
func (d *decoder) tableConfig(t *TableDesc, config uint32, c *cursor) {
	t.Eviction, t.Vacancy, t.EvictionFlags = -1, -1, ^uint32(0)
	if d.Version < V13 {
		if config&^3 != 0 || config&3 == 3 {
			d.fail(ErrTMFCBadConfig)
		}
		t.Miss = missFromWire(config)
	}
	if d.Version < V14 {
		return
	}
	t.Eviction, t.Vacancy = tristate(config&tableEviction != 0), tristate(config&tableVacancyEvents != 0)
	for c.left() > 0 && c.err == nil {
		typ, _, b := c.prop()
		switch typ {
		case 2:
			t.EvictionFlags = b.u32()
			c.endProp(&b)
		case 3:
			t.VacancyDown, t.VacancyUp, t.VacancyNow = b.u8(), b.u8(), b.u8()
			b.skip(1)
			c.endProp(&b)
		default:
			c.fail(ErrBPCBadType)
		}
	}
}

func (e *encoder) tableConfig(t *TableDesc) uint32 {
	var config uint32
	if e.v < V13 {
		config = missToWire(t.Miss)
	}
	if e.v >= V14 {
		if t.Eviction == 1 {
			config |= tableEviction
		}
		if t.Vacancy == 1 {
			config |= tableVacancyEvents
		}
	}
	return config
}

func (e *encoder) tableProps(t *TableDesc) {
	if e.v < V14 {
		return
	}
	if t.EvictionFlags != ^uint32(0) {
		p := e.propStart(2)
		e.u32(t.EvictionFlags)
		e.propEnd(p)
	}
	if t.Vacancy == 1 {
		p := e.propStart(3)
		e.u8(t.VacancyDown)
		e.u8(t.VacancyUp)
		e.u8(t.VacancyNow)
		e.pad(1)
		e.propEnd(p)
	}
}

func decTableMod(d *decoder) Message {
	t := TableDesc{TableID: d.u8()}
	d.skip(3)
	config := d.u32()
	d.tableConfig(&t, config, &d.cursor)
	if t.VacancyDown > t.VacancyUp || t.VacancyUp > 100 || t.VacancyNow != 0 { // percents; the last is the switch's to tell
		d.fail(ErrBPCBadValue)
	}
	return &TableMod{
		TableID: t.TableID, Miss: t.Miss, Eviction: t.Eviction, EvictionFlags: t.EvictionFlags,
		Vacancy: t.Vacancy, VacancyDown: t.VacancyDown, VacancyUp: t.VacancyUp,
	}
}

func (e *encoder) encodeTableMod(m *TableMod) {
	e.start("OFPT_TABLE_MOD")
	t := TableDesc{
		TableID: m.TableID, Miss: m.Miss, Eviction: m.Eviction, EvictionFlags: m.EvictionFlags,
		Vacancy: m.Vacancy, VacancyDown: m.VacancyDown, VacancyUp: m.VacancyUp,
	}
	e.u8(m.TableID)
	e.pad(3)
	e.u32(e.tableConfig(&t))
	e.tableProps(&t)
}

func (d *decoder) tableDesc() TableDesc {
	start := d.off
	n := int(d.u16())
	t := TableDesc{TableID: d.u8()}
	d.skip(1)
	config := d.u32()
	if n < d.off-start {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-(d.off-start), ErrBRCBadLen)
	d.tableConfig(&t, config, &c)
	d.failErr(c.err)
	return t
}

func (e *encoder) tableDesc(t *TableDesc) {
	start := e.len()
	e.u16(0)
	e.u8(t.TableID)
	e.pad(1)
	e.u32(e.tableConfig(t))
	e.tableProps(t)
	e.put16(start, e.len()-start)
}

func decTableDescReply(d *decoder) Message {
	m := &TableDescReply{}
	for d.left() > 0 && d.err == nil {
		m.Tables = append(m.Tables, d.tableDesc())
	}
	return m
}

func decTableStatus(d *decoder) Message {
	m := &TableStatus{Reason: TableStatusReason(d.u8())}
	if m.Reason != VacancyDownEvent && m.Reason != VacancyUpEvent {
		d.fail(ErrBPCBadValue)
	}
	d.skip(7)
	m.Desc = d.tableDesc()
	return m
}

func (e *encoder) encodeTableStatus(m *TableStatus) {
	e.start("OFPT_TABLE_STATUS")
	e.u8(uint8(m.Reason))
	e.pad(7)
	e.tableDesc(&m.Desc)
}

package openflow

// Codecs of meters (OpenFlow 1.3.1, A.3.4.4 and A.3.5.10).

func decMeterMod(d *decoder) Message {
	m := &MeterMod{Command: MeterModCommand(d.u16())}
	if m.Command > MeterDelete {
		d.fail(ErrMMFCBadCommand)
	}
	m.Meter.Flags = d.u16()
	m.Meter.ID = d.u32()
	if m.Command == MeterDelete {
		m.Meter.Flags = 0
		d.rest()
		return m
	}
	if m.Meter.Flags&MeterKbps != 0 && m.Meter.Flags&MeterPktps != 0 {
		d.fail(ErrMMFCBadFlags)
	}
	m.Meter.Bands = d.meterBands(&d.cursor)
	return m
}

// meterBandLen is the length of a band of either type.
const meterBandLen = 16

func (d *decoder) meterBands(c *cursor) []MeterBand {
	var out []MeterBand
	for c.left() > 0 && c.err == nil {
		b := MeterBand{Type: c.u16()}
		if n := int(c.u16()); n != meterBandLen {
			c.fail(ErrBRCBadLen)
		}
		b.Rate, b.Burst = c.u32(), c.u32()
		switch {
		case b.Type != BandDrop && b.Type != BandDSCPRemark:
			c.fail(ErrMMFCBadBand)
		case b.Type == BandDSCPRemark:
			b.PrecLevel = c.u8()
			c.skip(3)
		default:
			c.skip(4)
		}
		out = append(out, b)
	}
	d.failErr(c.err)
	return out
}

func (e *encoder) meterBands(bands []MeterBand) {
	for _, b := range bands {
		e.u16(b.Type)
		e.u16(meterBandLen)
		e.u32(b.Rate)
		e.u32(b.Burst)
		if b.Type == BandDSCPRemark {
			e.u8(b.PrecLevel)
			e.pad(3)
		} else {
			e.pad(4)
		}
	}
}

func (e *encoder) encodeMeterMod(m *MeterMod) {
	e.start("OFPT_METER_MOD")
	e.u16(uint16(m.Command))
	e.u16(m.Meter.Flags)
	e.u32(m.Meter.ID)
	e.meterBands(m.Meter.Bands)
}

func (d *decoder) meterID() uint32 {
	id := d.u32()
	d.skip(4)
	return id
}

func decMeterStatsRequest(d *decoder) Message  { return &MeterStatsRequest{ID: d.meterID()} }
func decMeterConfigRequest(d *decoder) Message { return &MeterConfigRequest{ID: d.meterID()} }

func (e *encoder) encodeMeterRequest(name string, id uint32) {
	e.start(name)
	e.u32(id)
	e.pad(4)
}

func decMeterStatsReply(d *decoder) Message {
	m := &MeterStatsReply{}
	for d.left() > 0 && d.err == nil {
		s := MeterStats{ID: d.u32()}
		n := int(d.u16())
		d.skip(6)
		s.FlowCount, s.PacketIn, s.ByteIn = d.u32(), d.u64(), d.u64()
		s.DurationSec, s.DurationNsec = d.u32(), d.u32()
		if n < 40 {
			d.fail(ErrBRCBadLen)
		}
		c := d.sub(n-40, ErrBRCBadLen)
		for c.left() > 0 && c.err == nil {
			s.Bands = append(s.Bands, BucketStats{c.u64(), c.u64()})
		}
		d.failErr(c.err)
		m.Stats = append(m.Stats, s)
	}
	return m
}

func (e *encoder) encodeMeterStats(m *MeterStatsReply) {
	e.start("OFPST_METER_REPLY")
	for i := range m.Stats {
		s := &m.Stats[i]
		e.u32(s.ID)
		e.u16(uint16(40 + 16*len(s.Bands)))
		e.pad(6)
		e.u32(s.FlowCount)
		e.u64(s.PacketIn)
		e.u64(s.ByteIn)
		e.u32(s.DurationSec)
		e.u32(s.DurationNsec)
		for _, b := range s.Bands {
			e.u64(b.Packets)
			e.u64(b.Bytes)
		}
		e.endEntry()
	}
}

func decMeterConfigReply(d *decoder) Message {
	m := &MeterConfigReply{}
	for d.left() > 0 && d.err == nil {
		n := int(d.u16())
		c := MeterConfig{Flags: d.u16(), ID: d.u32()}
		if n < 8 {
			d.fail(ErrBRCBadLen)
		}
		b := d.sub(n-8, ErrBRCBadLen)
		c.Bands = d.meterBands(&b)
		m.Meters = append(m.Meters, c)
	}
	return m
}

func (e *encoder) encodeMeterConfig(m *MeterConfigReply) {
	e.start("OFPST_METER_CONFIG_REPLY")
	for i := range m.Meters {
		c := &m.Meters[i]
		start := e.len()
		e.u16(0)
		e.u16(c.Flags)
		e.u32(c.ID)
		e.meterBands(c.Bands)
		e.put16(start, e.len()-start)
		e.endEntry()
	}
}

func decMeterFeaturesReply(d *decoder) Message {
	m := &MeterFeaturesReply{
		MaxMeters: d.u32(), BandTypes: d.u32(), Capabilities: d.u32(), MaxBands: d.u8(), MaxColor: d.u8(),
	}
	d.skip(2)
	return m
}

func (e *encoder) encodeMeterFeatures(m *MeterFeaturesReply) {
	e.start("OFPST_METER_FEATURES_REPLY")
	e.u32(m.MaxMeters)
	e.u32(m.BandTypes)
	e.u32(m.Capabilities)
	e.u8(m.MaxBands)
	e.u8(m.MaxColor)
	e.pad(2)
}

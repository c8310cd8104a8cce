package openflow

// Codecs of port statistics (OpenFlow 1.0, 5.3.5; 1.4, 7.3.5.6).

func decPortStatsRequest(d *decoder) Message {
	m := &PortStatsRequest{Port: d.port()}
	if d.Version == V10 {
		d.skip(6)
	} else {
		d.skip(4)
	}
	return m
}

func decPortStatsReply(d *decoder) Message {
	m := &PortStatsReply{}
	for d.left() > 0 && d.err == nil {
		if d.Version >= V14 {
			m.Stats = append(m.Stats, d.portStats14())
		} else {
			m.Stats = append(m.Stats, d.portStats())
		}
	}
	return m
}

func (s *PortStats) common() []*uint64 {
	return []*uint64{
		&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes, &s.RxDropped, &s.TxDropped, &s.RxErrors, &s.TxErrors,
	}
}

func (s *PortStats) ethernet() []*uint64 {
	return []*uint64{&s.RxFrameErr, &s.RxOverErr, &s.RxCRCErr, &s.Collisions}
}

func (r *PortStatsRFC2819) all() []*uint64 {
	return []*uint64{
		&r.Rx1to64, &r.Rx65to127, &r.Rx128to255, &r.Rx256to511, &r.Rx512to1023, &r.Rx1024to1522, &r.Rx1523toMax,
		&r.Tx1to64, &r.Tx65to127, &r.Tx128to255, &r.Tx256to511, &r.Tx512to1023, &r.Tx1024to1522, &r.Tx1523toMax,
		&r.TxMulticast, &r.RxBroadcast, &r.TxBroadcast, &r.RxUndersized, &r.RxOversize, &r.RxFragmented, &r.RxJabber,
	}
}

func (c *cursor) u64s(dst []*uint64) {
	for _, p := range dst {
		*p = c.u64()
	}
}

func (w *buf) u64s(src []*uint64) {
	for _, p := range src {
		w.u64(*p)
	}
}

const durationUnknown = 0xffffffff

func (c *cursor) duration(sec, nsec *uint32) bool {
	*sec, *nsec = c.u32(), c.u32()
	if *sec == durationUnknown && *nsec == durationUnknown {
		*sec, *nsec = 0, 0
		return false
	}
	return true
}

func (w *buf) duration(has bool, sec, nsec uint32) {
	if !has {
		sec, nsec = durationUnknown, durationUnknown
	}
	w.u32(sec)
	w.u32(nsec)
}

func (d *decoder) portStats() PortStats {
	s := PortStats{PortNo: d.port()}
	if d.Version == V10 {
		d.skip(6)
	} else {
		d.skip(4)
	}
	d.u64s(s.common())
	d.u64s(s.ethernet())
	if d.Version >= V13 {
		s.HasDuration = d.duration(&s.DurationSec, &s.DurationNsec)
	}
	return s
}

func (d *decoder) portStats14() PortStats {
	start := d.off
	n := int(d.u16())
	d.skip(2)
	s := PortStats{PortNo: d.port()}
	s.HasDuration = d.duration(&s.DurationSec, &s.DurationNsec)
	d.u64s(s.common())
	for _, p := range s.ethernet() {
		*p = ^uint64(0)
	}
	if n < d.off-start {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-(d.off-start), ErrBRCBadLen)
	for c.left() > 0 && c.err == nil {
		t, exp, b := c.prop()
		switch {
		case t == 0:
			b.skip(4)
			b.u64s(s.ethernet())
			c.endProp(&b)
		case t == 0xffff && exp == [2]uint32{VendorIntel, 1}:
			b.skip(4)
			s.RFC2819 = new(PortStatsRFC2819)
			b.u64s(s.RFC2819.all())
			c.endProp(&b)
		case t == 0xffff && exp == [2]uint32{VendorIntel, 2}:
			s.Custom = decCustom(&b)
			c.endProp(&b)
		}
	}
	d.failErr(c.err)
	return s
}

func decCustom(b *cursor) []CustomCounter {
	b.skip(2)
	n := int(b.u16())
	var out []CustomCounter
	for range n {
		name := string(b.bytes(int(b.u8())))
		v := b.u64()
		if b.err != nil {
			return nil
		}
		out = append(out, CustomCounter{name, v})
	}
	return out
}

func (e *encoder) portStats(s *PortStats) {
	start := e.len()
	if e.v >= V14 {
		e.u16(0)
		e.pad(2)
	}
	e.port(s.PortNo)
	switch {
	case e.v == V10:
		e.pad(6)
	case e.v < V14:
		e.pad(4)
	default:
		e.duration(s.HasDuration, s.DurationSec, s.DurationNsec)
	}
	e.u64s(s.common())
	if e.v < V14 {
		e.u64s(s.ethernet())
		if e.v == V13 {
			e.duration(s.HasDuration, s.DurationSec, s.DurationNsec)
		}
		return
	}
	p := e.propStart(0)
	e.pad(4)
	e.u64s(s.ethernet())
	e.propEnd(p)
	e.intelStats(s)
	e.put16(start, e.len()-start)
}

// intelStats writes the properties of Intel's extension.
func (e *encoder) intelStats(s *PortStats) {
	if s.RFC2819 != nil {
		p := e.propStart(0xffff)
		e.u32(VendorIntel)
		e.u32(1)
		e.pad(4)
		e.u64s(s.RFC2819.all())
		e.propEnd(p)
	}
	if len(s.Custom) > 0 {
		p := e.propStart(0xffff)
		e.u32(VendorIntel)
		e.u32(2)
		e.pad(2)
		e.u16(uint16(len(s.Custom)))
		for _, c := range s.Custom {
			name := c.Name[:min(len(c.Name), 255)]
			e.u8(uint8(len(name)))
			e.bytes([]byte(name))
			e.u64(c.Value)
		}
		e.propEnd(p)
	}
}

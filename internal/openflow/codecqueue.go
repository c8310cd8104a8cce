package openflow

// Codecs of queue statistics and configuration (OpenFlow 1.0, 5.2.2 and
// 5.3.5; 1.4, 7.3.5.10).

func decQueueStatsRequest(d *decoder) Message {
	m := &QueueStatsRequest{Port: d.port()}
	if d.Version == V10 {
		d.skip(2)
		if m.Port == PortAll {
			m.Port = PortNone
		}
	}
	m.Queue = d.u32()
	return m
}

func (e *encoder) encodeQueueStatsRequest(m *QueueStatsRequest) {
	e.start("OFPST_QUEUE_REQUEST")
	if e.v == V10 {
		if m.Port == PortNone {
			e.u16(PortAll.To10())
		} else {
			e.port(m.Port)
		}
		e.pad(2)
	} else {
		e.port(m.Port)
	}
	e.u32(m.Queue)
}

func decQueueStatsReply(d *decoder) Message {
	m := &QueueStatsReply{}
	for d.left() > 0 && d.err == nil {
		start := d.off
		n := 0
		if d.Version >= V14 {
			n = int(d.u16())
			d.skip(6)
		}
		s := QueueStats{Port: d.port()}
		if d.Version == V10 {
			d.skip(2)
		}
		s.Queue = d.u32()
		d.u64s([]*uint64{&s.TxBytes, &s.TxPackets, &s.TxErrors})
		if d.Version >= V13 {
			s.HasDuration = d.duration(&s.DurationSec, &s.DurationNsec)
		}
		if d.Version >= V14 {
			if n < d.off-start {
				d.fail(ErrBRCBadLen)
			}
			d.skip(n - (d.off - start))
		}
		m.Stats = append(m.Stats, s)
	}
	return m
}

func (e *encoder) queueStats(s *QueueStats) {
	if e.v >= V14 {
		e.u16(48)
		e.pad(6)
	}
	e.port(s.Port)
	if e.v == V10 {
		e.pad(2)
	}
	e.u32(s.Queue)
	e.u64s([]*uint64{&s.TxBytes, &s.TxPackets, &s.TxErrors})
	if e.v >= V13 {
		e.duration(s.HasDuration, s.DurationSec, s.DurationNsec)
	}
}

func decQueueConfigRequest(d *decoder) Message {
	m := &QueueConfigRequest{Port: d.port(), Queue: QueueAll}
	switch {
	case d.Version == V10:
		d.skip(2)
	case d.Version < V14:
		d.skip(4)
	default:
		m.Queue = d.u32()
		return m
	}
	if m.Port >= PortMax && (d.Version == V10 || m.Port != PortNone) {
		d.fail(ErrQOFCBadPort) // OpenFlow 1.1, A.3.6
	}
	return m
}

func (e *encoder) encodeQueueConfigRequest(m *QueueConfigRequest) {
	if e.v < V14 {
		e.start("OFPT_QUEUE_GET_CONFIG_REQUEST")
	} else {
		e.start("OFPST_QUEUE_DESC_REQUEST")
	}
	e.port(m.Port)
	switch {
	case e.v == V10:
		e.pad(2)
	case e.v < V14:
		e.pad(4)
	default:
		e.u32(m.Queue)
	}
}

func decQueueConfigReply(d *decoder) Message {
	m := &QueueConfigReply{}
	if d.Version < V14 {
		m.Port = d.port()
		d.skip(4)
		if d.Version == V10 {
			d.skip(2)
		}
	}
	for d.left() > 0 && d.err == nil {
		m.Queues = append(m.Queues, d.queueConfig(m.Port))
	}
	return m
}

func (d *decoder) queueConfig(port PortNo) QueueConfig {
	start := d.off
	q := QueueConfig{Port: port, MinRate: 0xffff, MaxRate: 0xffff}
	if d.Version >= V14 {
		q.Port = d.port()
	}
	q.Queue = d.u32()
	if d.Version == V12 || d.Version == V13 {
		d.skip(4) // the port, which the message has said before
	}
	n := int(d.u16())
	if d.Version < V12 {
		d.skip(2)
	} else {
		d.skip(6)
	}
	if n < d.off-start {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-(d.off-start), ErrBRCBadLen)
	for c.left() > 0 && c.err == nil {
		t, _, b := c.prop()
		if d.Version < V14 {
			b.skip(4)
		}
		switch t {
		case 1:
			q.MinRate = b.u16()
		case 2:
			q.MaxRate = b.u16()
		}
		c.failErr(b.err)
	}
	d.failErr(c.err)
	return q
}

func (e *encoder) encodeQueueConfigReply(m *QueueConfigReply) {
	if e.v < V14 {
		e.start("OFPT_QUEUE_GET_CONFIG_REPLY")
		e.port(m.Port)
		e.pad(4)
		if e.v == V10 {
			e.pad(2)
		}
	} else {
		e.start("OFPST_QUEUE_DESC_REPLY")
	}
	for i := range m.Queues {
		e.queueConfig(&m.Queues[i])
		if e.v >= V14 {
			e.endEntry()
		}
	}
}

func (e *encoder) queueConfig(q *QueueConfig) {
	start := e.len()
	if e.v >= V14 {
		e.port(q.Port)
	}
	e.u32(q.Queue)
	if e.v == V12 || e.v == V13 {
		e.port(q.Port)
	}
	lenAt := e.len()
	e.u16(0)
	if e.v < V12 {
		e.pad(2)
	} else {
		e.pad(6)
	}
	for i, rate := range []uint16{q.MinRate, q.MaxRate} {
		if rate == 0xffff {
			continue
		}
		p := e.propStart(uint16(1 + i))
		if e.v < V14 {
			e.pad(4)
			e.u16(rate)
			e.pad(6)
		} else {
			e.u16(rate)
			e.pad(2)
		}
		e.propEnd(p)
	}
	e.put16(lenAt, e.len()-start)
}

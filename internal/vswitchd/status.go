package vswitchd

import (
	"strconv"

	"weir/internal/netdev"
	"weir/internal/ofproto"
	"weir/internal/ovsdb"
)

// iface writes everything that is known of an interface.
func (w *writer) iface(i *iface) {
	id := i.conf.UUID
	ofport := int64(-1)
	if i.dev != nil {
		ofport = int64(shortNumber(i.ofport))
	}
	w.set("Interface", id, "ofport", number(ofport))
	w.set("Interface", id, "error", optText(i.err))
	w.deviceStatus(i)
	w.deviceStats(i)
}

// gone says of an interface that it is no more, if its row still is.
func (w *writer) gone(i *iface) {
	id := i.conf.UUID
	if w.s.seen.Row("Interface", id) == nil {
		return
	}
	for c, d := range noDevice() {
		w.set("Interface", id, c, d)
	}
	w.set("Interface", id, "ofport", optNumber(0, false))
}

// noDevice is the status of an interface without a device.
func noDevice() map[string]ovsdb.Datum {
	none := optText("")
	noNumber := optNumber(0, false)
	return map[string]ovsdb.Datum{
		"mac_in_use": none, "admin_state": none, "link_state": none, "duplex": none,
		"mtu": noNumber, "ifindex": noNumber, "link_speed": noNumber, "link_resets": noNumber,
		"status": texts(nil), "statistics": numbers(nil),
	}
}

// deviceStatus writes what changes seldom.
func (w *writer) deviceStatus(i *iface) {
	columns := noDevice()
	delete(columns, "statistics")
	if i.dev != nil {
		i.changes = i.dev.Changes()
		deviceColumns(i.dev, columns)
		columns["status"] = texts(withNotes(i.conf.Notes, i.dev.Status()))
	}
	for c, d := range columns {
		w.set("Interface", i.conf.UUID, c, d)
	}
}

func deviceColumns(dev netdev.Device, columns map[string]ovsdb.Datum) {
	updown := func(up bool) ovsdb.Datum {
		if up {
			return text("up")
		}
		return text("down")
	}
	flags := dev.Flags()
	columns["admin_state"] = updown(flags&netdev.Up != 0)
	columns["link_state"] = updown(flags&netdev.Running != 0)
	columns["mac_in_use"] = text(dev.MAC().String())
	columns["link_resets"] = number(int64(dev.CarrierResets()))
	columns["mtu"] = optNumber(int64(dev.MTU()), dev.MTU() > 0)
	columns["ifindex"] = number(int64(dev.Ifindex()))
	if bps, full := dev.Speed(); bps > 0 {
		columns["link_speed"] = number(int64(bps))
		columns["duplex"] = text("half")
		if full {
			columns["duplex"] = text("full")
		}
	}
}

// deviceStats writes the counters.
func (w *writer) deviceStats(i *iface) {
	stats := map[string]int64{}
	if i.dev != nil {
		if st, err := i.port.bridge.obj.PortStats(i.ofport); err == nil {
			stats = statsMap(&st)
			if c, ok := i.dev.(netdev.CustomStatser); ok {
				for _, cs := range c.CustomStats() {
					stats[cs.Name] = int64(cs.Value)
				}
			}
		}
	}
	w.set("Interface", i.conf.UUID, "statistics", numbers(stats))
}

// statsMap leaves out the counters that the device can't give.
func statsMap(st *netdev.Stats) map[string]int64 {
	m := map[string]int64{}
	add := func(name string, v uint64) {
		if v != ^uint64(0) {
			m[name] = int64(v)
		}
	}
	add("rx_packets", st.RxPackets)
	add("tx_packets", st.TxPackets)
	add("rx_bytes", st.RxBytes)
	add("tx_bytes", st.TxBytes)
	add("rx_dropped", st.RxDropped)
	add("tx_dropped", st.TxDropped)
	add("rx_errors", st.RxErrors)
	add("tx_errors", st.TxErrors)
	add("rx_frame_err", st.RxFrameErr)
	add("rx_over_err", st.RxOverErr)
	add("rx_crc_err", st.RxCRCErr)
	add("rx_missed_errors", st.RxMissedErrors)
	add("collisions", st.Collisions)
	return m
}

// defaultStatsInterval is the default of other_config:stats-update-interval.
const defaultStatsInterval = 5000

// refresh looks at devices and controllers for changes of status.
func (s *Switch) refresh() {
	now := s.clock.Now()
	every := millis(intOption(s.other, "stats-update-interval", defaultStatsInterval, defaultStatsInterval, 1<<31))
	stats := every != s.statsEvery || !now.Before(s.nextStats)
	if stats {
		s.statsEvery, s.nextStats = every, now.Add(every)
	}
	for _, i := range s.ifaces {
		if i.dev == nil {
			continue
		}
		if i.changes != i.dev.Changes() {
			s.writer.deviceStatus(i)
			s.followMTU(i)
			s.deviceMoved(i)
		}
		if stats {
			s.writer.deviceStats(i)
		}
	}
	for b := range s.moved {
		b.obj.Refresh()
	}
	if stats {
		for _, b := range s.bridges {
			s.writer.mirrorStats(b)
		}
		s.systemStats()
	}
	s.followDevices()
	s.refreshControllers(stats)
	s.writer.flush()
}

// systemStats writes the statistics of the system where that is asked for, and
// takes them away where it no longer is.
func (s *Switch) systemStats() {
	if s.desired.Open == nil {
		return
	}
	var m map[string]string
	if boolOption(s.other, "enable-statistics", false) {
		m = thisSystem(s.opts.RunDir).statistics()
	}
	s.writer.set("Open_vSwitch", s.desired.Open.UUID, "statistics", texts(m))
}

// refreshControllers writes the status of controllers: at once when one comes,
// goes or changes its role, and the times at the interval of statistics.
func (s *Switch) refreshControllers(times bool) {
	for _, b := range s.bridges {
		if len(b.conf.Controllers) == 0 {
			continue
		}
		status := b.obj.ControllerStatus()
		for _, c := range b.conf.Controllers {
			st := status[c.Target]
			was, known := b.controllers[c.Target]
			if known && !times && was.Connected == st.Connected && was.Role == st.Role && was.State == st.State {
				continue
			}
			if b.controllers == nil {
				b.controllers = map[string]ofproto.ControllerStatus{}
			}
			b.controllers[c.Target] = st
			s.writer.controller(&c, st)
		}
	}
}

func (w *writer) controller(c *ControllerConf, st ofproto.ControllerStatus) {
	id, m := c.UUID, withNotes(c.Notes, nil)
	if st.State != "" {
		m["state"] = st.State
	}
	if st.LastError != "" {
		m["last_error"] = st.LastError
	}
	if st.SecSinceConnect >= 0 {
		m["sec_since_connect"] = strconv.FormatInt(st.SecSinceConnect, 10)
	}
	if st.SecSinceDisconnect >= 0 {
		m["sec_since_disconnect"] = strconv.FormatInt(st.SecSinceDisconnect, 10)
	}
	for reason, st := range st.PacketIns {
		key := "packet-in-" + reason + "-"
		m[key+"bypassed"] = strconv.FormatUint(st.Bypassed, 10)
		m[key+"queued"] = strconv.FormatUint(st.Queued, 10)
		m[key+"dropped"] = strconv.FormatUint(st.Dropped, 10)
		m[key+"backlog"] = strconv.Itoa(st.Backlog)
	}
	w.set("Controller", id, "is_connected", ovsdb.ScalarDatum(ovsdb.BoolAtom(st.Connected)))
	w.set("Controller", id, "role", optText(st.Role))
	w.set("Controller", id, "status", texts(m))
}

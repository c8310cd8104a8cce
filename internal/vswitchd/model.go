package vswitchd

import (
	"slices"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
)

// Desired is what the database asks for, as values. It is kept by UUID and
// brought from one snapshot to the next by [Desired.Update], at a cost in
// proportion to what changed. The goroutine that calls Update owns it.
type Desired struct {
	snap       *client.Snapshot
	Open       *OpenConf // nil while the database has no row
	Bridges    map[ovsdb.UUID]*BridgeConf
	Ports      map[ovsdb.UUID]*PortConf
	portBridge map[ovsdb.UUID]ovsdb.UUID
	ifacePort  map[ovsdb.UUID]ovsdb.UUID
}

// Changes names what differs between two states of a [Desired], by UUID: the
// bridges whose own configuration changed, came or went, and the ports that
// did (with the bridge that has or had them).
type Changes struct {
	Open    bool
	Bridges map[ovsdb.UUID]bool
	Ports   map[ovsdb.UUID]bool
}

// Empty reports whether nothing changed.
func (c *Changes) Empty() bool { return !c.Open && len(c.Bridges) == 0 && len(c.Ports) == 0 }

// NewDesired is the state of a database without a row.
func NewDesired() *Desired {
	return &Desired{
		Bridges:    map[ovsdb.UUID]*BridgeConf{},
		Ports:      map[ovsdb.UUID]*PortConf{},
		portBridge: map[ovsdb.UUID]ovsdb.UUID{},
		ifacePort:  map[ovsdb.UUID]ovsdb.UUID{},
	}
}

// PortBridge is the bridge that a port belongs to.
func (d *Desired) PortBridge(port ovsdb.UUID) (ovsdb.UUID, bool) {
	b, ok := d.portBridge[port]
	return b, ok
}

// Update brings the state to a snapshot and says what changed. The result
// equals that of a fresh Desired on the same snapshot.
func (d *Desired) Update(s *client.Snapshot) *Changes {
	ch := &Changes{Bridges: map[ovsdb.UUID]bool{}, Ports: map[ovsdb.UUID]bool{}}
	old := d.snap
	d.snap = s
	changed := func(table string, f func(was, is *client.Row)) {
		for c := range client.Diff(old, s, table) {
			f(c.Old, c.New)
		}
	}
	d.updateOpen(s, changed, ch)
	d.markBridges(changed, ch)
	for id := range ch.Bridges {
		d.updateBridge(s, id, ch)
	}
	changed("Port", func(was, is *client.Row) { ch.Ports[rowOf(was, is).UUID()] = true })
	queued := false
	for _, t := range []string{"QoS", "Queue"} {
		changed(t, func(_, _ *client.Row) { queued = true })
	}
	if queued {
		for r := range s.Rows("Port") {
			if _, ok := r.Ref("qos"); ok {
				ch.Ports[r.UUID()] = true
			}
		}
	}
	changed("Interface", func(was, is *client.Row) {
		if port, ok := d.ifacePort[rowOf(was, is).UUID()]; ok && configDiffers(was, is) {
			ch.Ports[port] = true
		}
	})
	for id := range ch.Ports {
		d.updatePort(s, id)
	}
	return ch
}

// rowOf is whichever version of a row there is.
func rowOf(was, is *client.Row) *client.Row {
	if is != nil {
		return is
	}
	return was
}

// configDiffers is false where only what the switch itself writes changed.
func configDiffers(was, is *client.Row) bool {
	return was == nil || is == nil || is.DiffersFrom(was, "error", "ofport")
}

type changedFunc = func(table string, f func(was, is *client.Row))

func (d *Desired) updateOpen(s *client.Snapshot, changed changedFunc, ch *Changes) {
	changed("Open_vSwitch", func(was, is *client.Row) {
		ch.Open = ch.Open || was == nil || is == nil || is.DiffersFrom(was, "cur_cfg")
	})
	for _, table := range []string{"SSL", "Datapath", "Manager"} {
		changed(table, func(_, _ *client.Row) { ch.Open = true })
	}
	if !ch.Open {
		return
	}
	var was []ovsdb.UUID
	if d.Open != nil {
		was = d.Open.Bridges
	}
	d.Open = readOpen(s)
	var is []ovsdb.UUID
	if d.Open != nil {
		is = d.Open.Bridges
	}
	diffIDs(was, is, func(id ovsdb.UUID, _ bool) { ch.Bridges[id] = true })
}

// markBridges marks the bridges whose rows changed, or a row that they refer
// to. Controllers, mirrors and flow tables are few, so their bridges are searched.
func (d *Desired) markBridges(changed changedFunc, ch *Changes) {
	changed("Bridge", func(was, is *client.Row) { ch.Bridges[rowOf(was, is).UUID()] = true })
	changed("Flow_Sample_Collector_Set", func(was, is *client.Row) {
		for _, r := range []*client.Row{was, is} {
			if r == nil {
				continue
			}
			if id, ok := r.Ref("bridge"); ok {
				ch.Bridges[id] = true
			}
		}
	})
	refs := map[ovsdb.UUID]bool{}
	for _, t := range []string{"Controller", "Flow_Table", "Mirror"} {
		changed(t, func(was, is *client.Row) { refs[rowOf(was, is).UUID()] = true })
	}
	if len(refs) == 0 {
		return
	}
	for r := range d.snap.Rows("Bridge") {
		hit := slices.ContainsFunc(r.Refs("controller"), func(id ovsdb.UUID) bool { return refs[id] })
		for _, id := range r.IntRefs("flow_tables") {
			hit = hit || refs[id]
		}
		hit = hit || slices.ContainsFunc(r.Refs("mirrors"), func(id ovsdb.UUID) bool { return refs[id] })
		if hit {
			ch.Bridges[r.UUID()] = true
		}
	}
}

func (d *Desired) updateBridge(s *client.Snapshot, id ovsdb.UUID, ch *Changes) {
	var was []ovsdb.UUID
	if b := d.Bridges[id]; b != nil {
		was = b.Ports
	}
	var is []ovsdb.UUID
	row := s.Row("Bridge", id)
	if row == nil || d.Open == nil || !slices.Contains(d.Open.Bridges, id) {
		delete(d.Bridges, id)
	} else {
		b := readBridge(s, row)
		d.Bridges[id] = b
		is = b.Ports
	}
	diffIDs(was, is, func(port ovsdb.UUID, added bool) {
		ch.Ports[port] = true
		if added {
			d.portBridge[port] = id
		} else if d.portBridge[port] == id {
			delete(d.portBridge, port)
		}
	})
}

func (d *Desired) updatePort(s *client.Snapshot, id ovsdb.UUID) {
	if p := d.Ports[id]; p != nil {
		for _, i := range p.Interfaces {
			if d.ifacePort[i.UUID] == id {
				delete(d.ifacePort, i.UUID)
			}
		}
	}
	row := s.Row("Port", id)
	if _, ok := d.portBridge[id]; row == nil || !ok {
		delete(d.Ports, id)
		return
	}
	p := readPort(s, row)
	d.Ports[id] = p
	for _, i := range p.Interfaces {
		d.ifacePort[i.UUID] = id
	}
}

// diffIDs calls f for every member of only one of two sorted lists.
func diffIDs(a, b []ovsdb.UUID, f func(id ovsdb.UUID, added bool)) {
	for len(a) > 0 || len(b) > 0 {
		c := 0
		switch {
		case len(a) == 0:
			c = 1
		case len(b) == 0:
			c = -1
		default:
			c = slices.Compare(a[0][:], b[0][:])
		}
		switch {
		case c < 0:
			f(a[0], false)
			a = a[1:]
		case c > 0:
			f(b[0], true)
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
}

package vswitchd

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/clock"
	"weir/internal/loop"
	"weir/internal/netdev"
	"weir/internal/netdev/patch"
	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/ovsdb"
	"weir/internal/packet"
)

// fakeDevice is a device that only has attributes.
type fakeDevice struct {
	netdev.Device
	name    string
	mac     packet.MAC
	mtu     int
	changes uint64
	closed  bool
}

func (d *fakeDevice) MAC() packet.MAC              { return d.mac }
func (d *fakeDevice) SetMAC(m packet.MAC) error    { d.mac = m; d.changes++; return nil }
func (d *fakeDevice) MTU() int                     { return d.mtu }
func (d *fakeDevice) SetMTU(n int) error           { d.mtu = n; d.changes++; return nil }
func (d *fakeDevice) Flags() netdev.Flags          { return netdev.Up | netdev.Running }
func (d *fakeDevice) Stats() (netdev.Stats, error) { return netdev.Stats{}, nil }
func (d *fakeDevice) Status() map[string]string    { return nil }
func (d *fakeDevice) Speed() (uint64, bool)        { return 0, false }
func (d *fakeDevice) CarrierResets() uint64        { return 0 }
func (d *fakeDevice) Ifindex() int                 { return 7 }
func (d *fakeDevice) Changes() uint64              { return d.changes }
func (d *fakeDevice) Close() error                 { d.closed = true; return nil }

// fakeSwitch is a backend whose bridges record what is asked of them.
type fakeSwitch struct {
	bridges map[string]*fakeBridge
	missing map[string]bool // devices that don't exist
	opened  int
	calls   int
}

type fakeBridge struct {
	sw      *fakeSwitch
	cfg     ofproto.Config
	ports   map[openflow.PortNo]netdev.Device
	names   map[string]openflow.PortNo
	bundles map[string]ofproto.BundleConfig
	ctrls   []ofproto.ControllerConfig
	next    openflow.PortNo
}

func (f *fakeSwitch) NewBridge(c ofproto.Config) (Bridge, error) {
	b := &fakeBridge{sw: f, cfg: c, ports: map[openflow.PortNo]netdev.Device{},
		names: map[string]openflow.PortNo{}, bundles: map[string]ofproto.BundleConfig{}, next: 1}
	f.bridges[c.Name] = b
	return b, nil
}
func (f *fakeSwitch) Close() {}

func (b *fakeBridge) Configure(c ofproto.Config) error                      { b.cfg = c; return nil }
func (b *fakeBridge) SetControllers(c []ofproto.ControllerConfig)           { b.ctrls = c }
func (b *fakeBridge) ControllerStatus() map[string]ofproto.ControllerStatus { return nil }
func (b *fakeBridge) SetPeer(openflow.PortNo, string) error                 { b.sw.calls++; return nil }
func (b *fakeBridge) DelBundle(name string)                                 { delete(b.bundles, name); b.sw.calls++ }
func (b *fakeBridge) Refresh()                                              { b.sw.calls++ }
func (b *fakeBridge) ReconnectControllers()                                 {}
func (b *fakeBridge) Destroy()                                              { delete(b.sw.bridges, b.cfg.Name) }
func (b *fakeBridge) MirrorStats() map[string]ofproto.MirrorStats           { return nil }
func (b *fakeBridge) PortStats(openflow.PortNo) (netdev.Stats, error)       { return netdev.Stats{}, nil }
func (b *fakeBridge) SetBundle(c ofproto.BundleConfig) error {
	b.bundles[c.Name] = c
	b.sw.calls++
	return nil
}
func (b *fakeBridge) AddPort(c ofproto.PortConfig) (openflow.PortNo, error) {
	b.sw.calls++
	no := c.Request
	if no == 0 || b.ports[no] != nil {
		for no = 1; b.ports[no] != nil; no++ {
		}
	}
	b.ports[no], b.names[c.Name] = c.Device, no
	return no, nil
}
func (b *fakeBridge) DelPort(no openflow.PortNo) error {
	b.sw.calls++
	for name, n := range b.names {
		if n == no {
			delete(b.names, name)
		}
	}
	delete(b.ports, no)
	return nil
}

func newTestSwitch(t *testing.T) (*Switch, *fakeSwitch, *testDB) {
	f := &fakeSwitch{bridges: map[string]*fakeBridge{}, missing: map[string]bool{}}
	open := func(name string, _ map[string]string) (netdev.Device, error) {
		if f.missing[name] {
			return nil, fmt.Errorf("device %q: %w", name, syscall.ENODEV)
		}
		f.opened++
		return &fakeDevice{name: name, mtu: 1500}, nil
	}
	c := clock.New()
	s := New(Options{
		Clock: c, Loop: loop.New(c), RunDir: "/run",
		Datapaths: []DatapathType{{"system", func() (Backend, error) { return f, nil }}},
		Devices: func(string) netdev.Providers {
			return netdev.Providers{{Type: "system", Open: open}, {Type: "internal", Open: open}, patch.Provider()}
		},
	})
	return s, f, newTestDB(t)
}

// commit reconciles with the database and returns what is wanted of status.
func commit(s *Switch, db *testDB) {
	s.seen = db.commit()
	s.reconcile(s.seen)
}

func (s *Switch) status(table string, id ovsdb.UUID, column string) string {
	r := s.writer.rows[rowID{table, id}]
	if r == nil {
		return "no row"
	}
	d, ok := r.want[column]
	if !ok {
		return "not written"
	}
	return d.JSON()
}

func TestReconcile(t *testing.T) {
	s, f, db := newTestSwitch(t)
	f.missing["p2"] = true
	br := db.addBridge("br0")
	_, i1 := db.addPort(br, "p1", "")
	db.set("Interface", i1, "ofport_request", number(5))
	p2, i2 := db.addPort(br, "p2", "")
	_, i3 := db.addPort(br, "p3", "nonsense")
	db.set("Open_vSwitch", db.root, "next_cfg", number(3))
	commit(s, db)

	if diff := cmp.Diff(map[string]openflow.PortNo{"br0": openflow.PortLocal, "p1": 5}, f.bridges["br0"].names); diff != "" {
		t.Errorf("ports:\n%s", diff)
	}
	for _, c := range []struct {
		id     ovsdb.UUID
		column string
		want   string
	}{
		{i1, "ofport", "5"}, {i1, "error", `["set",[]]`},
		{i2, "ofport", "-1"}, {i2, "error", `"could not open network device p2 (No such device)"`},
		{i3, "error", `"could not open network device p3 (Address family not supported by protocol)"`},
	} {
		if got := s.status("Interface", c.id, c.column); got != c.want {
			t.Errorf("%s is %s, want %s", c.column, got, c.want)
		}
	}
	if got := s.status("Open_vSwitch", db.root, "cur_cfg"); got != "3" {
		t.Errorf("cur_cfg %s", got)
	}

	// The device comes: any change makes the switch try again.
	delete(f.missing, "p2")
	db.set("Open_vSwitch", db.root, "next_cfg", number(4))
	db.set("Port", p2, "tag", number(9))
	commit(s, db)
	if got := s.status("Interface", i2, "error"); got != `["set",[]]` {
		t.Errorf("error of p2: %s", got)
	}
	want := ofproto.BundleConfig{Name: "p2", Ports: []openflow.PortNo{1}, VLANMode: ofproto.VLANAccess, VLAN: 9, QinQEthType: 0x88a8}
	if diff := cmp.Diff(want, f.bridges["br0"].bundles["p2"]); diff != "" {
		t.Errorf("bundle of p2:\n%s", diff)
	}

	// p2 asks for the number of an interface that didn't ask: they are not in
	// each other's way; p1 asked, so it keeps its own.
	db.set("Interface", i2, "ofport_request", number(5))
	commit(s, db)
	if diff := cmp.Diff(map[string]openflow.PortNo{"br0": openflow.PortLocal, "p1": 5, "p2": 1}, f.bridges["br0"].names); diff != "" {
		t.Errorf("ports:\n%s", diff)
	}
	db.set("Interface", i1, "ofport_request", optNumber(0, false))
	commit(s, db)
	db.set("Interface", i2, "ofport_request", number(6))
	commit(s, db)
	db.set("Interface", i2, "ofport_request", number(5))
	commit(s, db)
	if got := f.bridges["br0"].names["p2"]; got != 5 {
		t.Errorf("p2 has number %d, want 5", got)
	}
	if got := f.bridges["br0"].names["p1"]; got == 5 || got == 0 {
		t.Errorf("p1 has number %d", got)
	}

	// One asks for the number that the other gives up at the same time, then
	// they change places.
	db.set("Interface", i1, "ofport_request", number(5))
	db.set("Interface", i2, "ofport_request", optNumber(0, false))
	commit(s, db)
	if got := f.bridges["br0"].names["p1"]; got != 5 {
		t.Errorf("p1 has number %d, not the one given up", got)
	}
	db.set("Interface", i2, "ofport_request", number(6))
	commit(s, db)
	db.set("Interface", i1, "ofport_request", number(6))
	db.set("Interface", i2, "ofport_request", number(5))
	commit(s, db)
	if n := f.bridges["br0"].names; n["p1"] != 6 || n["p2"] != 5 {
		t.Errorf("the numbers are %v, want p1 6 and p2 5", n)
	}

	// The bridge goes.
	db.set("Open_vSwitch", db.root, "bridges", ref())
	db.check(db.tx.Delete("Bridge", br))
	commit(s, db)
	if len(f.bridges) != 0 || len(s.ports) != 0 || len(s.ifaces) != 0 || len(s.backends) != 0 {
		t.Errorf("left over: %d bridges, %d ports, %d interfaces, %d backends", len(f.bridges), len(s.ports), len(s.ifaces), len(s.backends))
	}
}

func TestPatchErrors(t *testing.T) {
	s, _, db := newTestSwitch(t)
	br0, br1 := db.addBridge("br0"), db.addBridge("br1")
	_, a := db.addPort(br0, "pa", "patch")
	peer := func(i ovsdb.UUID, name string) {
		db.set("Interface", i, "options", texts(map[string]string{"peer": name}))
	}
	_, b := db.addPort(br1, "pb", "patch")
	commit(s, db)
	if got, want := s.status("Interface", b, "error"), `"pb: patch type requires valid 'peer' argument"`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
	peer(a, "pb")
	commit(s, db)
	if got, want := s.status("Interface", a, "error"), `"No usable peer 'pb' exists in 'system' datapath."`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
	peer(b, "pa")
	commit(s, db)
	for _, i := range []ovsdb.UUID{a, b} {
		if got := s.status("Interface", i, "error"); got != `["set",[]]` {
			t.Errorf("error %s", got)
		}
	}
}

// TestPortCost: the 1,000th port costs the calls that the 10th cost.
func TestPortCost(t *testing.T) {
	s, f, db := newTestSwitch(t)
	br := db.addBridge("br0")
	commit(s, db)
	var cost []int
	for n := 1; n <= 1000; n++ {
		db.addPort(br, fmt.Sprintf("p%d", n), "")
		was := f.calls
		commit(s, db)
		cost = append(cost, f.calls-was)
	}
	if cost[9] != cost[999] || slices.Max(cost[1:]) > cost[9] {
		t.Errorf("the 10th port made %d calls, the 1,000th %d, the most was %d", cost[9], cost[999], slices.Max(cost))
	}
	if f.opened != 1001 {
		t.Errorf("%d devices were opened for 1,001 ports", f.opened)
	}
}

func TestMACChoice(t *testing.T) {
	s, f, db := newTestSwitch(t)
	br := db.addBridge("br0")
	commit(s, db)
	b := s.bridges[br]
	u := br
	if want := (packet.MAC{u[3]&^1 | 2, u[2], u[1], u[0], u[7], u[6]}); b.mac != want {
		t.Errorf("address %v, want %v", b.mac, want)
	}
	db.addPort(br, "p1", "")
	commit(s, db)
	dev := f.bridges["br0"].ports[1].(*fakeDevice)
	hw := packet.MAC{0, 0x1b, 0x21, 1, 2, 3}
	_ = dev.SetMAC(hw)
	s.refresh()
	if b.mac != hw || f.bridges["br0"].cfg.DPID != hw.Uint64() {
		t.Errorf("address %v, datapath id %x; want those of p1, %v", b.mac, f.bridges["br0"].cfg.DPID, hw)
	}
	if got := f.bridges["br0"].ports[openflow.PortLocal].MAC(); got != hw {
		t.Errorf("the local port has address %v", got)
	}
	db.set("Bridge", br, "other_config", texts(map[string]string{"hwaddr": "aa:55:aa:55:00:00", "datapath-id": "fedcba9876543210"}))
	commit(s, db)
	if got := s.status("Bridge", br, "datapath_id"); got != `"fedcba9876543210"` {
		t.Errorf("datapath_id %s", got)
	}
	if b.mac.String() != "aa:55:aa:55:00:00" {
		t.Errorf("address %v", b.mac)
	}
}

// What the switch keeps to write the status of rows goes with the rows.
func TestStatusOfRowsThatWent(t *testing.T) {
	s, _, db := newTestSwitch(t)
	br := db.addBridge("br0")
	commit(s, db)
	rows := len(s.writer.rows)
	for i := range 5 {
		port, _ := db.addPort(br, fmt.Sprint("p", i), "")
		commit(s, db)
		if len(s.writer.rows) != rows+2 {
			t.Fatalf("with a port there are %d rows, without %d", len(s.writer.rows), rows)
		}
		db.delPort(br, port)
		commit(s, db)
	}
	if len(s.writer.rows) != rows {
		t.Errorf("%d rows, of which %d are there", len(s.writer.rows), rows)
	}
}

package vswitchd

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/internal/ofproto"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/schema"
)

// testDB is an Open_vSwitch database that tests change without a server.
type testDB struct {
	t    interface{ Fatalf(string, ...any) }
	snap *client.Snapshot
	tx   *client.Txn
	root ovsdb.UUID
}

func newTestDB(t interface{ Fatalf(string, ...any) }) *testDB {
	s, err := ovsdb.ParseSchema(schema.VSwitch)
	if err != nil {
		t.Fatalf("%v", err)
	}
	db := &testDB{t: t, snap: client.Empty(s)}
	db.begin()
	db.root = db.insert("Open_vSwitch")
	db.commit()
	return db
}

func (db *testDB) begin() { db.tx = client.NewTxn(db.snap) }

func (db *testDB) commit() *client.Snapshot {
	db.snap = db.tx.Preview()
	db.begin()
	return db.snap
}

func (db *testDB) check(err error) {
	if err != nil {
		db.t.Fatalf("%v", err)
	}
}

func (db *testDB) insert(table string) ovsdb.UUID {
	id, err := db.tx.Insert(table)
	db.check(err)
	return id
}

func (db *testDB) set(table string, id ovsdb.UUID, column string, d ovsdb.Datum) {
	db.check(db.tx.Set(table, id, column, d))
}

func ref(ids ...ovsdb.UUID) ovsdb.Datum {
	atoms := make([]ovsdb.Atom, len(ids))
	for i, id := range ids {
		atoms[i] = ovsdb.UUIDAtom(id)
	}
	return ovsdb.SetDatum(ovsdb.UUIDType, atoms)
}

// addBridge adds a bridge with its local port.
func (db *testDB) addBridge(name string) ovsdb.UUID {
	br := db.insert("Bridge")
	db.set("Bridge", br, "name", text(name))
	db.check(db.tx.AddElements("Open_vSwitch", db.root, "bridges", ref(br)))
	db.addPort(br, name, "internal")
	return br
}

func (db *testDB) addPort(br ovsdb.UUID, name, typ string) (port, iface ovsdb.UUID) {
	iface = db.insert("Interface")
	db.set("Interface", iface, "name", text(name))
	db.set("Interface", iface, "type", text(typ))
	port = db.insert("Port")
	db.set("Port", port, "name", text(name))
	db.set("Port", port, "interfaces", ref(iface))
	db.check(db.tx.AddElements("Bridge", br, "ports", ref(port)))
	return port, iface
}

func (db *testDB) delPort(br, port ovsdb.UUID) {
	db.check(db.tx.RemoveElements("Bridge", br, "ports", ref(port)))
	for _, i := range db.tx.Row("Port", port).Refs("interfaces") {
		db.check(db.tx.Delete("Interface", i))
	}
	db.check(db.tx.Delete("Port", port))
}

// TestDesiredIncremental: bringing the desired state from snapshot to snapshot
// gives what reading the last one afresh gives, and names all that changed.
func TestDesiredIncremental(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db := newTestDB(t)
		d := NewDesired()
		var bridges []ovsdb.UUID
		ports := map[ovsdb.UUID][]ovsdb.UUID{}
		names := 0
		for range rapid.IntRange(1, 8).Draw(t, "transactions") {
			for range rapid.IntRange(1, 4).Draw(t, "operations") {
				randomChange(t, db, &bridges, ports, &names)
			}
			was := cloneMaps(d)
			ch := d.Update(db.commit())
			fresh := NewDesired()
			fresh.Update(db.snap)
			if diff := cmp.Diff(fresh.Bridges, d.Bridges); diff != "" {
				t.Fatalf("bridges (-fresh +incremental):\n%s", diff)
			}
			if diff := cmp.Diff(fresh.Ports, d.Ports); diff != "" {
				t.Fatalf("ports (-fresh +incremental):\n%s", diff)
			}
			if diff := cmp.Diff(fresh.portBridge, d.portBridge); diff != "" {
				t.Fatalf("portBridge (-fresh +incremental):\n%s", diff)
			}
			if diff := cmp.Diff(fresh.ifacePort, d.ifacePort); diff != "" {
				t.Fatalf("ifacePort (-fresh +incremental):\n%s", diff)
			}
			checkNamed(t, ch, was, d)
		}
	})
}

func cloneMaps(d *Desired) *Desired {
	c := NewDesired()
	for k, v := range d.Bridges {
		c.Bridges[k] = v
	}
	for k, v := range d.Ports {
		c.Ports[k] = v
	}
	return c
}

// checkNamed: what isn't named as changed is as it was.
func checkNamed(t *rapid.T, ch *Changes, was, is *Desired) {
	for id, b := range is.Bridges {
		if !ch.Bridges[id] && was.Bridges[id] != b {
			t.Fatalf("bridge %s changed unnamed", b.Name)
		}
	}
	for id, p := range is.Ports {
		if !ch.Ports[id] && was.Ports[id] != p {
			t.Fatalf("port %s changed unnamed", p.Name)
		}
	}
	for id, p := range was.Ports {
		if !ch.Ports[id] && is.Ports[id] == nil {
			t.Fatalf("port %s went unnamed", p.Name)
		}
	}
}

func randomChange(t *rapid.T, db *testDB, bridges *[]ovsdb.UUID, ports map[ovsdb.UUID][]ovsdb.UUID, names *int) {
	*names++
	if len(*bridges) == 0 || rapid.IntRange(0, 9).Draw(t, "new bridge") == 0 {
		br := db.addBridge(fmt.Sprintf("br%d", *names))
		*bridges = append(*bridges, br)
		return
	}
	br := rapid.SampledFrom(*bridges).Draw(t, "bridge")
	switch op := rapid.IntRange(0, 6).Draw(t, "op"); {
	case op == 0 || len(ports[br]) == 0:
		p, _ := db.addPort(br, fmt.Sprintf("p%d", *names), "dummy")
		ports[br] = append(ports[br], p)
	case op == 1:
		i := rapid.IntRange(0, len(ports[br])-1).Draw(t, "port")
		db.delPort(br, ports[br][i])
		ports[br] = append(ports[br][:i:i], ports[br][i+1:]...)
	case op == 2:
		db.set("Port", rapid.SampledFrom(ports[br]).Draw(t, "port"), "tag", number(int64(*names)))
	case op == 3:
		p := rapid.SampledFrom(ports[br]).Draw(t, "port")
		db.set("Interface", db.tx.Row("Port", p).Refs("interfaces")[0], "mtu_request", number(int64(*names)))
	case op == 4:
		c := db.insert("Controller")
		db.set("Controller", c, "target", text(fmt.Sprintf("tcp:1.2.3.%d", *names)))
		db.set("Bridge", br, "controller", ref(c))
	case op == 5:
		if cs := db.tx.Row("Bridge", br).Refs("controller"); len(cs) > 0 {
			db.set("Controller", cs[0], "max_backoff", number(int64(1000+*names)))
		}
	default: // a port moves to another bridge
		to := rapid.SampledFrom(*bridges).Draw(t, "to")
		i := rapid.IntRange(0, len(ports[br])-1).Draw(t, "port")
		p := ports[br][i]
		db.check(db.tx.RemoveElements("Bridge", br, "ports", ref(p)))
		db.check(db.tx.AddElements("Bridge", to, "ports", ref(p)))
		ports[br] = append(ports[br][:i:i], ports[br][i+1:]...)
		ports[to] = append(ports[to], p)
	}
}

func TestVLANModes(t *testing.T) {
	for _, c := range []struct {
		mode string
		tag  int64
		want ofproto.VLANMode
		vid  int
	}{
		{"", -1, ofproto.VLANTrunk, -1},
		{"", 10, ofproto.VLANAccess, 10},
		{"access", -1, ofproto.VLANAccess, 0},
		{"trunk", 10, ofproto.VLANTrunk, -1},
		{"native-tagged", 10, ofproto.VLANNativeTagged, 10},
		{"native-untagged", 10, ofproto.VLANNativeUntagged, 10},
		{"native-untagged", -1, ofproto.VLANTrunk, -1},
		{"dot1q-tunnel", 10, ofproto.VLANDot1qTunnel, 10},
	} {
		db := newTestDB(t)
		port, _ := db.addPort(db.addBridge("br0"), "p1", "")
		db.set("Port", port, "vlan_mode", optText(c.mode))
		db.set("Port", port, "tag", optNumber(c.tag, c.tag >= 0))
		d := NewDesired()
		d.Update(db.commit())
		p := d.Ports[port]
		if p.VLANMode != c.want || p.Tag != c.vid {
			t.Errorf("mode %q tag %d: mode %v tag %d, want %v, %d", c.mode, c.tag, p.VLANMode, p.Tag, c.want, c.vid)
		}
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range [][2]string{{"p2", "p10"}, {"p", "p1"}, {"a9b1", "a9b2"}, {"p09", "p10"}, {"eth1.5", "eth1.10"}} {
		if ofproto.CompareNames(c[0], c[1]) >= 0 || ofproto.CompareNames(c[1], c[0]) <= 0 || ofproto.CompareNames(c[0], c[0]) != 0 {
			t.Errorf("%q is not before %q", c[0], c[1])
		}
	}
}

func TestParseDPID(t *testing.T) {
	for _, c := range []struct {
		text string
		want uint64
	}{
		{"fedcba9876543210", 0xfedcba9876543210}, {"0x1", 1}, {"0xfedcba9876543210", 0xfedcba9876543210},
		{"1", 0}, {"0000000000000000", 0}, {"0x", 0}, {"fedcba98765432100", 0}, {"gedcba9876543210", 0},
	} {
		if got, ok := parseDPID(c.text); got != c.want || ok != (c.want != 0) {
			t.Errorf("%q: %x, %v", c.text, got, ok)
		}
	}
}

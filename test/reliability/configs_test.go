package reliability

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Random changes of the configuration, with values that make sense and others: the
// switch lives, and comes to what a fresh one makes of the same database.
func TestRandomConfigurations(t *testing.T) {
	rounds := 2
	if long() {
		rounds = 20
	}
	for round := range uint64(rounds) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			p := newPair(t)
			p.start()
			g := newConfigurator(t, p, rand.New(rand.NewPCG(seed(), round)))
			for range changes {
				g.change()
				if t.Failed() || p.over(switchName) {
					return
				}
			}
			got := p.outcome()
			if g.made < changes/10 {
				t.Errorf("the server took only %d of %d changes", g.made, changes)
			}
			p.restartSwitch()
			if want := p.outcome(); got != want {
				t.Errorf("after the changes there is\n%s\nand a fresh switch makes of it\n%s", onlyIn(got, want), onlyIn(want, got))
			}
			p.run("ovs-vsctl", "--no-wait", "--", "clear", "Open_vSwitch", ".", "bridges", "--", "clear", "Open_vSwitch", ".", "other_config")
			p.run("ovs-vsctl", "emer-reset")
			if counts := p.goroutines(switchName); slices.Max(slices.Collect(maps.Values(counts))) > 20 {
				t.Errorf("without bridges there are the goroutines %q", most(counts))
			}
		})
	}
}

// changes is how many a round makes.
const changes = 120

// restartSwitch has a new process take the place of the present one.
func (p *pair) restartSwitch() {
	p.t.Helper()
	if _, err := p.appctl(switchName, "exit", "--cleanup"); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended[switchName]:
	case <-time.After(patience):
		p.t.Fatal("the switch does not end")
	}
	delete(p.running, switchName)
	p.startSwitch()
}

// outcome describes what a switch has made of the database, but for what differs from
// one process to the next: addresses that it made up, and the numbers of ports in data
// paths. It waits until the switch has all of the configuration.
func (p *pair) outcome() string {
	p.t.Helper()
	p.run("ovs-vsctl", "add", "Open_vSwitch", ".", "external_ids", "seen=yes") // waits for the switch
	var b strings.Builder
	for _, columns := range []string{"Bridge name,status", "Port name,status", "Interface name,ofport,error,admin_state,mtu"} {
		table, list, _ := strings.Cut(columns, " ")
		lines := strings.Split(p.run("ovs-vsctl", "-f", "csv", "--no-headings", "--columns="+list, "list", table), "\n")
		slices.Sort(lines)
		b.WriteString(table + strings.Join(lines, "\n"+table+" ") + "\n")
	}
	if out, err := p.appctl(switchName, "dpctl/show"); err == nil {
		b.WriteString(sortPorts(out))
	}
	for _, bridge := range strings.Fields(p.run("ovs-vsctl", "list-br")) {
		if out, err := p.try("ovs-ofctl", "-O", "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", "show", p.path(bridge+".mgmt")); err == nil {
			b.WriteString(out)
		}
	}
	return passing.ReplaceAllString(b.String(), "-")
}

// passing is what differs between two processes of one configuration.
var passing = regexp.MustCompile(`([0-9a-f]{2}:){5}[0-9a-f]{2}|dpid:[0-9a-f]+|xid=0x[0-9a-f]+|lookups:.*|flows: .*`)

// sortPorts has a data path's ports, which it numbers as they come, by name.
func sortPorts(text string) string {
	var out, ports []string
	for line := range strings.Lines(text) {
		if _, port, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(line, "  port ") {
			ports = append(ports, "  port "+port)
			continue
		}
		slices.Sort(ports)
		out, ports = append(append(out, ports...), line), nil
	}
	slices.Sort(ports)
	return strings.Join(append(out, ports...), "")
}

// onlyIn lists the lines of a text that another doesn't have as often.
func onlyIn(a, b string) string {
	times := map[string]int{}
	for line := range strings.Lines(b) {
		times[line]++
	}
	var only strings.Builder
	for line := range strings.Lines(a) {
		if times[line]--; times[line] < 0 {
			only.WriteString(line)
		}
	}
	return only.String()
}

// configurator makes random changes of a database.
type configurator struct {
	t      *testing.T
	db     *client
	rng    *rand.Rand
	tables map[string]map[string]columnType
	// keys are those of map columns that the documentation knows, by table and column.
	keys map[string][]string
	made int // changes that the server took
}

// columnType is the type of a column as the schema has it.
type columnType struct {
	key, value baseType
	min, max   int
}

type baseType struct {
	Type     string
	RefTable string
	Enum     []any // of the set
	Min, Max *int64
}

func newConfigurator(t *testing.T, p *pair, rng *rand.Rand) *configurator {
	t.Helper()
	s := &server{t: t, dir: p.dir}
	g := &configurator{t: t, db: s.client(), rng: rng, tables: map[string]map[string]columnType{}, keys: map[string][]string{}}
	g.readSchema()
	g.readKeys()
	return g
}

func (g *configurator) readSchema() {
	g.t.Helper()
	text, err := os.ReadFile("../../schema/vswitch.ovsschema")
	if err != nil {
		g.t.Fatal(err)
	}
	var schema struct {
		Tables map[string]struct {
			Columns map[string]struct {
				Type      json.RawMessage
				Ephemeral bool
			}
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		g.t.Fatal(err)
	}
	for table, s := range schema.Tables {
		g.tables[table] = map[string]columnType{}
		for column, c := range s.Columns {
			if !c.Ephemeral {
				g.tables[table][column] = parseType(g.t, c.Type)
			}
		}
	}
}

func parseType(t *testing.T, raw json.RawMessage) columnType {
	t.Helper()
	c := columnType{min: 1, max: 1}
	if json.Unmarshal(raw, &c.key.Type) == nil {
		return c
	}
	var full struct {
		Key, Value json.RawMessage
		Min        *int
		Max        any
	}
	if err := json.Unmarshal(raw, &full); err != nil {
		t.Fatal(err)
	}
	c.key, c.value = parseBase(t, full.Key), parseBase(t, full.Value)
	if full.Min != nil {
		c.min = *full.Min
	}
	switch m := full.Max.(type) {
	case float64:
		c.max = int(m)
	case string:
		c.max = 5
	}
	return c
}

func parseBase(t *testing.T, raw json.RawMessage) (b baseType) {
	t.Helper()
	if raw == nil || json.Unmarshal(raw, &b.Type) == nil {
		return b
	}
	var full struct {
		Type                   string
		RefTable               string
		Enum                   any
		MinInteger, MaxInteger *int64
	}
	if err := json.Unmarshal(raw, &full); err != nil {
		t.Fatal(err)
	}
	b = baseType{Type: full.Type, RefTable: full.RefTable, Min: full.MinInteger, Max: full.MaxInteger}
	switch e := full.Enum.(type) {
	case []any:
		b.Enum = e[1].([]any)
	case string:
		b.Enum = []any{e}
	}
	return b
}

var (
	tableHeading = regexp.MustCompile(`^## (\w+)`)
	keyLine      = regexp.MustCompile("^\\| `(\\w+):([^`]+)`")
)

// readKeys reads the keys of map columns out of the documentation.
func (g *configurator) readKeys() {
	g.t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		g.t.Fatal(err)
	}
	table := ""
	for line := range strings.Lines(string(text)) {
		if m := tableHeading.FindStringSubmatch(line); m != nil {
			table = m[1]
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			g.keys[table+"."+m[1]] = append(g.keys[table+"."+m[1]], m[2])
		}
	}
	if len(g.keys) < 10 {
		g.t.Fatalf("keys in the documentation: %v", g.keys)
	}
}

// change makes one change of a kind. The server may refuse it.
func (g *configurator) change() {
	switch n := g.rng.IntN(20); {
	case n < 2:
		g.addBridge()
	case n < 7:
		g.addPort()
	case n < 9:
		g.remove()
	case n < 13:
		g.refer()
	default:
		g.set()
	}
}

func (g *configurator) transact(ops ...any) {
	g.t.Helper()
	params, err := json.Marshal(append([]any{"Open_vSwitch"}, ops...))
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.db.call("transact", string(params)); err != nil && !strings.Contains(err.Error(), ":") {
		g.t.Errorf("%s: %v", params, err)
	} else if err == nil {
		g.made++
	}
}

type object = map[string]any

// insert is an operation that makes a row, to be referred to by its name in the
// transaction.
func insert(table, as string, row object) object {
	return object{"op": "insert", "table": table, "uuid-name": as, "row": row}
}

func (g *configurator) addBridge() {
	name := g.pick("br0", "br1", "br2", "br3")
	types := []string{"dummy", "dummy", "netdev", "", "nonesuch"}
	g.transact(
		insert("Interface", "i", object{"name": name, "type": "internal"}),
		insert("Port", "p", object{"name": name, "interfaces": []any{"named-uuid", "i"}}),
		insert("Bridge", "b", object{"name": name, "datapath_type": g.pick(types...), "ports": []any{"named-uuid", "p"}}),
		object{"op": "mutate", "table": "Open_vSwitch", "where": []any{}, "mutations": []any{[]any{"bridges", "insert", []any{"named-uuid", "b"}}}},
	)
}

// addPort adds a port of one interface, or a bond, to a bridge.
func (g *configurator) addPort() {
	bridge := g.row("Bridge")
	if bridge == "" {
		return
	}
	name := g.pick("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "a/b", "ä", strings.Repeat("x", 40))
	var ops []any
	refs := []any{}
	members := 1
	if g.rng.IntN(10) == 0 {
		members = 3
	}
	for i := range members {
		as, iface := fmt.Sprint("i", i), name
		if i > 0 {
			iface = fmt.Sprint(name, "-", i)
		}
		row := object{"name": iface, "type": g.pick("dummy", "dummy", "internal", "patch", "system", "tap", "", "vxlan", "gre", "geneve", "erspan", "gtpu", "lisp", "ip6gre", "nonesuch", "dummy-pmd")}
		for range g.rng.IntN(3) {
			g.fill("Interface", row)
		}
		row["options"] = []any{"map", []any{[]any{"remote_ip", g.pick("1.2.3.4", "flow", "::1", "x")}, []any{"peer", g.pick("p0", "p1", "p2")}, []any{"key", g.pick("1", "flow", "-1")}}}
		ops = append(ops, insert("Interface", as, row))
		refs = append(refs, []any{"named-uuid", as})
	}
	row := object{"name": name, "interfaces": []any{"set", refs}}
	for range g.rng.IntN(3) {
		g.fill("Port", row)
	}
	g.transact(append(ops, insert("Port", "p", row),
		object{"op": "mutate", "table": "Bridge", "where": same(bridge), "mutations": []any{[]any{"ports", "insert", []any{"named-uuid", "p"}}}})...)
}

func same(id string) []any { return []any{[]any{"_uuid", "==", []any{"uuid", id}}} }

// remove takes a bridge, or one of the things of a bridge or port, away.
func (g *configurator) remove() {
	if g.rng.IntN(4) == 0 {
		if id := g.row("Bridge"); id != "" {
			g.transact(object{"op": "mutate", "table": "Open_vSwitch", "where": []any{}, "mutations": []any{[]any{"bridges", "delete", []any{"uuid", id}}}})
		}
		return
	}
	if port, bridge := g.row("Port"), g.row("Bridge"); port != "" && bridge != "" {
		g.transact(object{"op": "mutate", "table": "Bridge", "where": same(bridge), "mutations": []any{[]any{"ports", "delete", []any{"uuid", port}}}})
	}
}

// references are the columns by which rows of other tables are in use.
var references = []string{
	"Bridge.mirrors", "Bridge.controller", "Bridge.netflow", "Bridge.sflow", "Bridge.ipfix", "Bridge.flow_tables", "Bridge.auto_attach", "Port.qos", "QoS.queues",
	"Open_vSwitch.manager_options", "Open_vSwitch.ssl", "Open_vSwitch.datapaths", "Bridge.controller", "Bridge.mirrors",
}

// refer makes a row that another then refers to.
func (g *configurator) refer() {
	table, column, _ := strings.Cut(g.pick(references...), ".")
	typ := g.tables[table][column]
	owner := g.row(table)
	if owner == "" {
		return
	}
	made := typ.key.RefTable
	var ref any = []any{"named-uuid", "r"}
	if typ.value.RefTable != "" {
		made = typ.value.RefTable
		ref = []any{"map", []any{[]any{g.atom(typ.key, ""), ref}}}
		if typ.key.Type == "string" {
			ref = []any{"map", []any{[]any{g.pick("dummy", "system"), []any{"named-uuid", "r"}}}}
		}
	}
	row := object{}
	for range 1 + g.rng.IntN(4) {
		g.fill(made, row)
	}
	for column, typ := range g.tables[made] { // those without a default of use
		if typ.min > 0 && row[column] == nil {
			row[column] = g.value(made, column, typ)
		}
	}
	g.transact(insert(made, "r", row), object{"op": "update", "table": table, "where": same(owner), "row": object{column: ref}})
}

// set gives columns of one row other values.
func (g *configurator) set() {
	tables := slices.Sorted(maps.Keys(g.tables))
	table := tables[g.rng.IntN(len(tables))]
	if g.rng.IntN(2) == 0 {
		table = g.pick("Bridge", "Port", "Interface", "Open_vSwitch")
	}
	id := g.row(table)
	if id == "" {
		return
	}
	row := object{}
	for range 1 + g.rng.IntN(3) {
		g.fill(table, row)
	}
	if len(row) > 0 {
		g.transact(object{"op": "update", "table": table, "where": same(id), "row": row})
	}
}

// fixed are columns that hold the configuration together, and those that the switch
// or tools write.
var fixed = regexp.MustCompile(`^(name|type|datapath_type|interfaces|ports|bridges|next_cfg|cur_cfg|ofport|error|status|statistics|.*_version|datapaths|ssl|iface_types|datapath_types|.*_initialized)$`)

// fill gives a column of a row a value.
func (g *configurator) fill(table string, row object) {
	columns := slices.Sorted(maps.Keys(g.tables[table]))
	column := columns[g.rng.IntN(len(columns))]
	if typ := g.tables[table][column]; !fixed.MatchString(column) || table == "Manager" || table == "Mirror" && column == "name" {
		row[column] = g.value(table, column, typ)
	}
}

// value is a random one of a column's type.
func (g *configurator) value(table, column string, typ columnType) any {
	n := typ.min + g.rng.IntN(typ.max-typ.min+1)
	list := []any{}
	for range n {
		if typ.value.Type == "" {
			if a := g.atom(typ.key, column); a != nil && !slices.ContainsFunc(list, func(x any) bool { return fmt.Sprint(x) == fmt.Sprint(a) }) {
				list = append(list, a)
			}
			continue
		}
		k, v := g.atom(typ.key, column), g.atom(typ.value, column)
		if keys := g.keys[table+"."+column]; len(keys) > 0 && g.rng.IntN(8) > 0 {
			k = keys[g.rng.IntN(len(keys))]
		}
		if k != nil && v != nil && !slices.ContainsFunc(list, func(x any) bool { return x.([]any)[0] == k }) {
			list = append(list, []any{k, v})
		}
	}
	if typ.value.Type != "" {
		return []any{"map", list}
	}
	if typ.min == 1 && typ.max == 1 && len(list) == 1 {
		return list[0]
	}
	return []any{"set", list}
}

// atom is a random value of a type; nil where it refers to a row and there is none.
func (g *configurator) atom(b baseType, column string) any {
	if len(b.Enum) > 0 {
		return b.Enum[g.rng.IntN(len(b.Enum))]
	}
	switch b.Type {
	case "uuid":
		if id := g.row(b.RefTable); id != "" {
			return []any{"uuid", id}
		}
		return nil
	case "boolean":
		return g.rng.IntN(2) == 0
	case "real":
		return g.rng.Float64() * 1e6
	case "integer":
		low, high := int64(-2), int64(1<<40)
		if b.Min != nil {
			low = *b.Min
		}
		if b.Max != nil {
			high = *b.Max
		}
		return []int64{low, high, low + 1, min(high, 100), low + g.rng.Int64N(high-low+1)}[g.rng.IntN(5)]
	}
	if strings.Contains(column, "target") {
		return g.pick("tcp:127.0.0.1:1", "unix:nowhere", "unix:controller", "unix:controller", "ptcp:0:127.0.0.1", "punix:br0.x", "ssl:127.0.0.1:2", "bogus:1", "", "tcp:", "tcp:[::1]:99999", "udp:1.2.3.4")
	}
	return g.pick("", "0", "1", "true", "false", "-1", "100", "4095", "65536", "4294967296", "1e99", "999999999999999999999", "yes", "1.2.3.4", "::1", "50:54:00:00:00:01",
		"01:00:00:00:00:00", "active-backup", "balance-tcp", "trunk", "access", "p0", "br0", "0x1f", "0,1,2", "0:1,1:9", "linux-htb", "auto", "OpenFlow13", strings.Repeat("9", 300), "\u0001", "a=b,c", "../x")
}

func (g *configurator) pick(from ...string) string { return from[g.rng.IntN(len(from))] }

// row is a random row of a table, empty where there is none.
func (g *configurator) row(table string) string {
	g.t.Helper()
	result, err := g.db.call("transact", fmt.Sprintf(`["Open_vSwitch",{"op":"select","table":%q,"where":[],"columns":["_uuid"]}]`, table))
	if err != nil {
		g.t.Fatal(err)
	}
	var ops []struct {
		Rows []struct {
			ID []string `json:"_uuid"`
		}
	}
	if err := json.Unmarshal(result, &ops); err != nil || len(ops) == 0 || len(ops[0].Rows) == 0 {
		return ""
	}
	return ops[0].Rows[g.rng.IntN(len(ops[0].Rows))].ID[1]
}

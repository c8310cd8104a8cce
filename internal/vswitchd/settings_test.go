package vswitchd

import (
	"bufio"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/ovsdb"
	"weir/schema"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// Every column of the schema has its place among the settings.
func TestSettingsCoverSchema(t *testing.T) {
	s, err := ovsdb.ParseSchema(schema.VSwitch)
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range s.Tables {
		for _, c := range table.Columns {
			if strings.HasPrefix(c.Name, "_") {
				continue
			}
			if !slices.ContainsFunc(settingsOf(name), func(s setting) bool { return s.column == c.Name && s.key == "" }) {
				t.Errorf("%s.%s is not among the settings", name, c.Name)
			}
		}
	}
}

// What can be lacking is monitored, or nobody would notice that it is asked for.
func TestSettingsAreRead(t *testing.T) {
	reported := []string{"Open_vSwitch", "Bridge", "Port", "Interface", "Controller", "Datapath", "Flow_Sample_Collector_Set"}
	for _, table := range reported {
		for _, s := range settingsOf(table) {
			checked := s.is == lacks || s.is == moot || s.key != "" && s.values != nil
			if checked && !slices.Contains(tablesRead[table], s.column) {
				t.Errorf("%s.%s is not read", table, s.column)
			}
		}
	}
}

// Every key that the peer's manual page names is among the settings.
func TestSettingsCoverManual(t *testing.T) {
	const page = "/usr/share/man/man5/ovs-vswitchd.conf.db.5.gz"
	f, err := os.Open(page)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v, and CI should have it", err)
		}
		t.Skipf("%v: the package openvswitch-switch has it", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`^\\fB(\w+) : (\S+)\\fR$`)
	table, found := "", 0
	for sc := bufio.NewScanner(z); sc.Scan(); {
		line := sc.Text()
		if name, ok := strings.CutSuffix(strings.TrimPrefix(line, `.SH "`), ` TABLE"`); ok {
			table = name
		}
		m := key.FindStringSubmatch(strings.ReplaceAll(line, `\-`, "-"))
		if m == nil {
			continue
		}
		found++
		if !slices.ContainsFunc(settingsOf(table), func(s setting) bool { return s.column == m[1] && s.key == m[2] }) {
			t.Errorf("%s.%s:%s is not among the settings", table, m[1], m[2])
		}
	}
	if found < 300 {
		t.Errorf("only %d keys found", found)
	}
}

// What a row asks for in vain stands in the notes.
func TestNotes(t *testing.T) {
	db := newTestDB(t)
	br := db.addBridge("br0")
	port, iface := db.addPort(br, "p0", "system")
	ctl := db.insert("Controller")
	db.set("Controller", ctl, "target", text("tcp:controller.example"))
	db.set("Controller", ctl, "connection_mode", text("in-band"))
	db.set("Controller", ctl, "local_ip", text("fe80::1"))
	db.set("Controller", ctl, "other_config", texts(map[string]string{"dscp": "64"}))
	db.set("Bridge", br, "controller", ref(ctl))
	db.set("Bridge", br, "stp_enable", ovsdb.ScalarDatum(ovsdb.BoolAtom(true)))
	db.set("Bridge", br, "rstp_enable", ovsdb.ScalarDatum(ovsdb.BoolAtom(false)))
	db.set("Bridge", br, "other_config", texts(map[string]string{"mac-table-size": "many", "mac-aging-time": "20", "stp-priority": "1"}))
	db.set("Port", port, "lacp", text("off"))
	db.set("Interface", iface, "bfd", texts(map[string]string{"enable": "true"}))
	db.set("Interface", iface, "mac", text("nonsense"))
	db.set("Interface", iface, "ingress_policing_rate", number(0))
	db.set("Open_vSwitch", db.root, "other_config", texts(map[string]string{
		"hw-offload": "true", "tc-policy": "skip_sw", "max-idle": "10", "n-handler-threads": "2", "dpdk-init": "false"}))
	d := NewDesired()
	d.Update(db.commit())
	for _, test := range []struct {
		object string
		got    []note
		want   []string
	}{
		{"Open_vSwitch", d.Open.Notes, []string{
			`invalid: other_config:max-idle: "10" is not an integer of at least 500: it is ignored`,
			"not_supported: hardware offload is not supported yet: flows stay in software",
			"not_supported: other_config:n-handler-threads has no effect: upcalls are answered on all cores",
		}},
		{"Bridge", d.Bridges[br].Notes, []string{
			`invalid: other_config:mac-table-size: "many" is not an integer of at least 1: it is ignored`,
			"not_supported: STP (stp_enable) is not supported yet: the bridge forwards without it",
		}},
		{"Port", d.Ports[port].Notes, nil},
		{"Interface", d.Ports[port].Interfaces[0].Notes, []string{
			"not_supported: BFD is not supported yet: no session runs",
			`invalid: mac: "nonsense" is not an Ethernet address: it is ignored`,
		}},
		{"Controller", d.Bridges[br].Controllers[0].Notes, []string{
			`invalid: other_config:dscp: "64" is not an integer from 0 to 63: it is ignored`,
			"not_supported: connection_mode: in-band control of a host that is named is not supported yet: give its IP address in target",
			`invalid: local_ip: "fe80::1" is not an IPv4 address: the local port gets none`,
		}},
	} {
		var got []string
		for _, n := range test.got {
			got = append(got, n.kind+": "+n.text)
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", test.object, d)
		}
	}
}

// Notes are numbered by kind in the status.
func TestWithNotes(t *testing.T) {
	got := withNotes([]note{lack("a"), invalid("b"), lack("c")}, map[string]string{"driver_name": "tun"})
	want := map[string]string{"driver_name": "tun", "not_supported_1": "a", "invalid_1": "b", "not_supported_2": "c"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// docs/configuration.md says of each column and key what stands in the settings.
func TestConfigurationPage(t *testing.T) {
	const page = "../../docs/configuration.md"
	want := configurationPage()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: go test ./internal/vswitchd -run ConfigurationPage -update", page)
	}
}

func configurationPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

What this version makes of each column of the Open_vSwitch database, and of each key of its map columns, as
ovs-vswitchd.conf.db(5) and the manual of release 4.0 name them. This page is written by a test from the table that the
switch itself checks its configuration with: what is lacking, has no effect or has a value that can't be stands in the
row's ` + "`status`" + ` column (Bridge, Port, Interface, Controller; those of mirrors and flow tables in their bridge's) under
` + "`not_supported_1`, `invalid_1`" + ` and so on, and once in the log (that of Open_vSwitch and Datapath there only).
A key that isn't listed is ignored, as Open vSwitch does.
`)
	for _, all := range [][]tableSettings{settingsOfBridges, settingsOfParts} {
		for i := range all {
			fmt.Fprintf(&b, "\n## %s\n\n| setting | here |\n|---|---|\n", all[i].table)
			for _, s := range all[i].list {
				fmt.Fprintf(&b, "| %s | %s |\n", s.name(), s.bearing())
			}
		}
	}
	return b.String()
}

func (s *setting) name() string {
	if s.key == "" {
		return "`" + s.column + "`"
	}
	return "`" + s.column + ":" + s.key + "`"
}

func (s *setting) bearing() string {
	switch s.is {
	case lacks:
		return "**not yet**: " + s.why
	case moot:
		return "no effect: " + s.why
	case follows:
		return "not yet, as " + s.why
	case elsewhere:
		return "not the switch's: " + s.why
	}
	if s.why != "" {
		return "works: " + s.why
	}
	return "works"
}

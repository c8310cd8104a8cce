package vswitchd

import "testing"

// Of several bridges one table is shown, in which each is named once.
func TestFDBOfBridges(t *testing.T) {
	age := 7
	br0 := fdbTable{bridge: "br0", entries: []fdbEntry{
		{Port: 1, VLAN: 5, MAC: "50:54:00:00:00:01", Static: true},
		{Port: 0xfffffffe, MAC: "50:54:00:00:00:02", Age: &age},
	}}
	for _, test := range []struct {
		tables fdbTables
		want   string
	}{
		{fdbTables{br0}, "" +
			" port  VLAN  MAC                Age\n" +
			"    1     5  50:54:00:00:00:01  static\n" +
			"LOCAL     0  50:54:00:00:00:02    7\n"},
		{fdbTables{br0, {bridge: "br-empty"}}, "" +
			"Bridge     Port  VLAN  MAC                Age\n" +
			"br0           1     5  50:54:00:00:00:01  static\n" +
			"          LOCAL     0  50:54:00:00:00:02    7\n" +
			"br-empty\n"},
	} {
		if got := test.tables.String(); got != test.want {
			t.Errorf("got:\n%swant:\n%s", got, test.want)
		}
	}
}

package ovsdb

import (
	"testing"

	"weir/internal/json"
)

// TestSchemaRoundTrip pins the canonical form of a schema with every feature.
func TestSchemaRoundTrip(t *testing.T) {
	const text = `{"cksum":"12345678 9","name":"mydb","tables":{"A":{"columns":{` +
		`"e":{"ephemeral":true,"type":{"key":{"enum":["set",["x","y"]],"type":"string"},"min":0}},` +
		`"i":{"mutable":false,"type":{"key":{"maxInteger":9223372036854775807,"minInteger":1,"type":"integer"},"max":2}},` +
		`"m":{"type":{"key":"string","max":"unlimited","min":0,"value":{"refTable":"B","refType":"weak","type":"uuid"}}},` +
		`"r":{"type":{"key":{"maxReal":2.5,"type":"real"}}},` +
		`"s":{"type":{"key":{"maxLength":5,"minLength":1,"type":"string"}}}},` +
		`"indexes":[["i"],["s","i"]],"isRoot":true,"maxRows":7},` +
		`"B":{"columns":{"u":{"type":{"key":{"refTable":"A","type":"uuid"},"min":0}}}}},"version":"1.2.3"}`
	want := `"maxInteger":9223372036854775807,`
	s, err := ParseSchema([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := s.JSON()
	// The widest limit is no limit, so it isn't printed.
	if again, err := ParseSchema([]byte(got)); err != nil || again.JSON() != got {
		t.Errorf("not stable: %v\n%s", err, got)
	}
	if len(got)+len(want) != len(text) || string(json.Canonical([]byte(got))) != got {
		t.Errorf("got  %s\nwant %s", got, text)
	}
	if e := s.Table("A").Column("e"); e.Persistent || e.Type.Key.Enum.Len() != 2 || e.Index <= VersionColumn {
		t.Errorf("column e: %+v", e)
	}
}

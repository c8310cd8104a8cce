package ovsdb

import (
	"testing"

	"weir/internal/json"
)

// Where all tables are roots, as they are where none says so, none says so.
func TestSchemaAllRoots(t *testing.T) {
	const plain = `{"name":"d","tables":{"A":{"columns":{"c":{"type":"string"}}},"B":{"columns":{"c":{"type":"string"}}}}}`
	s, err := ParseSchema([]byte(`{"name":"d","tables":{"A":{"columns":{"c":{"type":"string"}},"isRoot":true},"B":{"columns":{"c":{"type":"string"}},"isRoot":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.JSON(); got != plain {
		t.Errorf("got  %s\nwant %s", got, plain)
	}
	if s, _ := ParseSchema([]byte(plain)); !s.IsRoot(s.Table("A")) {
		t.Error("A is no root")
	}
}

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

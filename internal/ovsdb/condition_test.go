package ovsdb

import (
	"math"
	"testing"

	"weir/internal/json"
)

const conditionSchema = `{"name":"d","tables":{"t":{"columns":{
 "i":{"type":"integer"},"r":{"type":"real"},"b":{"type":"boolean"},"s":{"type":"string"},"fixed":{"type":"integer","mutable":false},
 "oi":{"type":{"key":"integer","min":0}},
 "is":{"type":{"key":{"type":"integer","maxInteger":10},"min":0,"max":3}},
 "m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}}}}}`

func conditionTable(t testing.TB) (*TableSchema, Row) {
	schema, err := ParseSchema([]byte(conditionSchema))
	if err != nil {
		t.Fatal(err)
	}
	table := schema.Table("t")
	row := table.DefaultRow()
	s := json.NewScanner([]byte(`{"i":5,"r":2.5,"b":true,"s":"x","is":["set",[1,2]],"m":["map",[["a",1],["b",2]]]}`))
	s.Next()
	if err := ParseRow(table, s, nil, row, func(*ColumnSchema) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return table, row
}

func TestConditions(t *testing.T) {
	table, row := conditionTable(t)
	for _, tt := range []struct{ in, want string }{
		{`[]`, "true"}, {`[true]`, "true"}, {`[false]`, "false"},
		{`[["i","==",5]]`, "true"}, {`[["i","<",5]]`, "false"}, {`[["i",">=",5],["i","<=",5]]`, "true"}, {`[["i","!=",5]]`, "false"},
		{`[["r",">",2]]`, "true"}, {`[["oi","<",9]]`, "false"}, {`[["oi","==",["set",[]]]]`, "true"},
		{`[["is","includes",1]]`, "true"}, {`[["is","includes",["set",[1,3]]]]`, "false"}, {`[["is","includes",["set",[]]]]`, "true"},
		{`[["is","excludes",3]]`, "true"}, {`[["is","excludes",["set",[2,3]]]]`, "false"},
		{`[["m","includes",["map",[["a",1]]]]]`, "true"}, {`[["m","includes",["map",[["a",2]]]]]`, "false"},
		{`[["m","excludes",["map",[["a",2]]]]]`, "true"}, {`[["b","includes",true]]`, "true"}, {`[["s","==","x"],["b","==",false]]`, "false"},
		{`[["s","<","y"]]`, `syntax "["s","<","y"]": syntax error: Type mismatch: "<" operator may not be applied to column s of type string.`},
		{`[["is","<",1]]`, `syntax "["is","<",1]": syntax error: Type mismatch: "<" operator may not be applied to column is of type set of up to 3 integers.`},
		{`[["i","~",1]]`, `unknown function: No function named ~.`},
		{`[["i","=="]]`, `syntax "["i","=="]": syntax error: Parse error in condition.`},
		{`[["nosuch","==",1]]`, `syntax "["nosuch","==",1]": unknown column: No column nosuch in table t.`},
		{`{}`, `syntax "{}": syntax error: array expected`},
	} {
		s := json.NewScanner([]byte(tt.in))
		s.Next()
		c, err := ParseCondition(table, s, nil)
		got := "false"
		if err != nil {
			got = err.Error()
		} else if c.Matches(Store(table, row)) {
			got = "true"
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestMutations(t *testing.T) {
	table, row := conditionTable(t)
	row[table.Column("oi").Index] = ScalarDatum(IntAtom(math.MaxInt64))
	for _, tt := range []struct{ in, want string }{
		{`["i","+=",2]`, `7`}, {`["i","-=",7]`, `-2`}, {`["i","*=",3]`, `15`}, {`["i","/=",2]`, `2`}, {`["i","%=",3]`, `2`},
		{`["r","*=",2]`, `5`}, {`["r","/=",0]`, `domain error: Division by zero.`},
		{`["i","/=",0]`, `domain error: Division by zero.`}, {`["i","%=",0]`, `domain error: Division by zero.`},
		{`["oi","+=",1]`, `range error: Result of "+=" operation is out of range.`},
		{`["oi","*=",2]`, `range error: Result of "*=" operation is out of range.`},
		{`["is","+=",1]`, `["set",[2,3]]`}, {`["is","*=",0]`, `constraint violation: Result of "*=" operation contains duplicates.`},
		{`["is","+=",9]`, `constraint violation: 11 is greater than maximum allowed value 10`},
		{`["is","insert",3]`, `["set",[1,2,3]]`}, {`["is","insert",["set",[2]]]`, `["set",[1,2]]`},
		{`["is","delete",["set",[1,9]]]`, `2`},
		{`["m","insert",["map",[["a",9],["c",3]]]]`, `["map",[["a",1],["b",2],["c",3]]]`},
		{`["m","delete",["set",["a","z"]]]`, `["map",[["b",2]]]`}, {`["m","delete",["map",[["a",9],["b",2]]]]`, `["map",[["a",1]]]`},
		{`["fixed","+=",1]`, `syntax "["fixed","+=",1]": constraint violation: Cannot mutate immutable column fixed in table t.`},
		{`["s","+=",1]`, `syntax "["s","+=",1]": syntax error: Type mismatch: "+=" operator may not be applied to column s of type string.`},
		{`["r","%=",1]`, `syntax "["r","%=",1]": syntax error: Type mismatch: "%=" operator may not be applied to column r of type real.`},
		{`["i","insert",1]`, `syntax "["i","insert",1]": syntax error: Type mismatch: "insert" operator may not be applied to column i of type integer.`},
		{`["m","+=",1]`, `syntax "["m","+=",1]": syntax error: Type mismatch: "+=" operator may not be applied to column m of type map of (string, integer) pairs.`},
		{`["i","?",1]`, `unknown mutator: No mutator named ?.`},
	} {
		s := json.NewScanner([]byte("[" + tt.in + "]"))
		s.Next()
		got := ""
		ms, err := new(Decoder).Mutations(table, s)
		if err != nil {
			got = err.Error()
		} else {
			d, e := ms[0].Apply(row[ms[0].Column.Index])
			got = d.JSON()
			if e != nil {
				got = e.Error()
			}
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

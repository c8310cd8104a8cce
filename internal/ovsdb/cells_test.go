package ovsdb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const cellsSchema = `{"name":"d","tables":{"t":{"columns":{
 "i":{"type":"integer"},"r":{"type":"real"},"b":{"type":"boolean"},"s":{"type":"string"},"u":{"type":"uuid"},
 "o":{"type":{"key":"string","min":0}},
 "is":{"type":{"key":"integer","min":0,"max":"unlimited"}},
 "ss":{"type":{"key":"string","min":0,"max":"unlimited"}},
 "us":{"type":{"key":"uuid","min":0,"max":"unlimited"}},
 "m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
 "mi":{"type":{"key":"integer","value":"uuid","min":0,"max":"unlimited"}}}}}}`

// drawCell draws an atom of a type, now and then a long string.
func drawCell(t *rapid.T, typ AtomicType) Atom {
	switch typ {
	case Integer:
		return IntAtom(rapid.Int64().Draw(t, "integer"))
	case Real:
		return RealAtom(rapid.Float64Range(-9, 9).Draw(t, "real"))
	case Boolean:
		return BoolAtom(rapid.Bool().Draw(t, "boolean"))
	case UUIDType:
		return UUIDAtom(UUID{rapid.Byte().Draw(t, "uuid")})
	}
	s := rapid.StringMatching(`[a-z é"\n]{0,6}`).Draw(t, "string")
	return StringAtom(s + strings.Repeat("x", rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 70_000}).Draw(t, "more")))
}

func drawTableRow(t *rapid.T, table *TableSchema) Row {
	row := make(Row, len(table.Columns))
	for i, c := range table.Columns {
		n := rapid.IntRange(int(c.Type.Min), int(min(c.Type.Max, 3))).Draw(t, c.Name)
		var pairs []Pair
		for range n {
			pairs = append(pairs, Pair{drawCell(t, c.Type.Key.Type), Atom{}})
			if c.Type.IsMap() {
				pairs[len(pairs)-1].Value = drawCell(t, c.Type.Value.Type)
			}
		}
		if c.Type.IsMap() {
			row[i] = MapDatum(c.Type.Key.Type, c.Type.Value.Type, pairs)
			continue
		}
		var atoms []Atom
		for _, p := range pairs {
			atoms = append(atoms, p.Key)
		}
		row[i] = SetDatum(c.Type.Key.Type, atoms)
	}
	return row
}

// TestCells: what is packed comes out again, and equal rows pack equally.
func TestCells(t *testing.T) {
	schema, err := ParseSchema([]byte(cellsSchema))
	if err != nil {
		t.Fatal(err)
	}
	table := schema.Table("t")
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTableRow(t, table), drawTableRow(t, table)
		stored := Store(table, a)
		check := func(r *StoredRow, want Row) {
			got := make(Row, len(want))
			if r.Unpack(table, got); !slices.Equal(got, want) {
				t.Fatalf("%v came out as %v", want, got)
			}
		}
		check(stored, a)
		var columns []*ColumnSchema
		mixed := slices.Clone(a)
		for _, c := range table.Columns[firstCell:] {
			if rapid.Bool().Draw(t, "take") {
				columns = append(columns, c)
				mixed[c.Index] = b[c.Index]
			}
		}
		mixed[VersionColumn] = b[VersionColumn]
		with := stored.With(table, columns, b, b[VersionColumn].UUID())
		check(with, mixed)
		if !with.Equal(Store(table, mixed)) {
			t.Fatal("equal rows packed differently")
		}
	})
}

// TestPrintChanged: the members that are printed of a row are those that a
// comparison of its values finds.
func TestPrintChanged(t *testing.T) {
	schema, err := ParseSchema([]byte(cellsSchema))
	if err != nil {
		t.Fatal(err)
	}
	table := schema.Table("t")
	table.Column("ss").Persistent = false
	rapid.Check(t, func(t *rapid.T) {
		now, old := drawTableRow(t, table), drawTableRow(t, table)
		for i := range now {
			switch rapid.IntRange(0, 2).Draw(t, "same") {
			case 0:
				now[i] = old[i]
			case 1:
				now[i] = table.Columns[i].def
			}
		}
		var fresh, plain, diffs []string
		for _, c := range table.Columns[firstCell:] {
			member := func(d Datum) string { return `"` + c.Name + `":` + d.JSON() }
			n, o := now[c.Index], old[c.Index]
			if c.Persistent && !c.IsDefault(n) {
				fresh = append(fresh, member(n))
			}
			if c.Persistent && n != o {
				plain = append(plain, member(n))
				diffs = append(diffs, member(c.Type.Diff(o, n)))
			}
		}
		row, before := Store(table, now), Store(table, old)
		for _, x := range []struct {
			got  []byte
			want []string
		}{
			{row.AppendNew(nil, table), fresh},
			{row.AppendChanged(nil, table, before, false), plain},
			{row.AppendChanged(nil, table, before, true), diffs},
		} {
			if string(x.got) != strings.Join(x.want, ",") {
				t.Fatalf("%s\nwant %s", x.got, x.want)
			}
		}
	})
}

// TestUUIDDigits compares the text of UUIDs with fmt's.
func TestUUIDDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		if want := fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]); u.String() != want {
			t.Fatalf("%s, want %s", u, want)
		}
	})
}

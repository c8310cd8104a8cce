package ovsdb

import "weir/internal/json"

// AppendJSON appends the given columns of the row as a <row>.
func (r *StoredRow) AppendJSON(dst []byte, columns []*ColumnSchema) []byte {
	o := newObject(dst)
	for _, c := range columns {
		o.name(c.Name)
		o.dst = r.Get(c).AppendJSON(o.dst)
	}
	return o.end()
}

// AppendNew appends the members of a <row> for those persistent columns of the
// row that don't have their default value.
func (r *StoredRow) AppendNew(dst []byte, t *TableSchema) []byte {
	x := r.walk()
	m := members{dst: dst}
	for _, c := range t.Columns[firstCell:] {
		if cell := x.next(); c.Persistent && cell != c.defCell {
			m.name(c)
			m.dst = appendCellJSON(m.dst, cell, &c.Type)
		}
	}
	return m.dst
}

// AppendChanged appends the members of a <row> for those persistent columns of the
// row that differ from those of old, another row of the table: with diff as what
// turns old's value into the row's (ovsdb(5), "_is_diff").
func (r *StoredRow) AppendChanged(dst []byte, t *TableSchema, old *StoredRow, diff bool) []byte {
	x, y := r.walk(), old.walk()
	m := members{dst: dst}
	for _, c := range t.Columns[firstCell:] {
		cell, before := x.next(), y.next()
		if !c.Persistent || cell == before {
			continue
		}
		m.name(c)
		if !diff {
			m.dst = appendCellJSON(m.dst, cell, &c.Type)
			continue
		}
		kt, vt := c.Type.Key.Type, c.Type.Value.Type
		m.dst = c.Type.Diff(unpackCell(before, kt, vt), unpackCell(cell, kt, vt)).AppendJSON(m.dst)
	}
	return m.dst
}

// cellWalk goes through the cells of a row.
type cellWalk struct {
	cells    Cells
	n, width int
	base     int // where the first cell begins
	at       int // the next cell
	start    int // where it begins, counted from base
}

func (r *StoredRow) walk() cellWalk {
	x := cellWalk{cells: r.Cells()}
	x.n, x.width = x.cells.columns()
	x.base = cellsHead + x.n*x.width
	return x
}

// next returns the next cell, packed.
func (x *cellWalk) next() string {
	end := x.cells.end(x.at, x.width)
	cell := string(x.cells[x.base+x.start : x.base+end])
	x.at, x.start = x.at+1, end
	return cell
}

// members are the members of an object that is being printed, without its braces.
type members struct {
	dst  []byte
	some bool
}

// name appends what comes before the value of a column.
func (m *members) name(c *ColumnSchema) {
	if m.some {
		m.dst = append(m.dst, ',')
	}
	m.some = true
	m.dst = append(m.dst, c.member...)
}

// appendCellJSON appends a packed cell of a type as a <value>.
func appendCellJSON(dst []byte, cell string, t *ColumnType) []byte {
	if len(cell) > 0 && cell[0] == 1 && !t.IsMap() {
		if t.Key.Type == String {
			return json.AppendString(dst, cell[1:])
		}
		return unpackAtom(t.Key.Type, cell[1:]).AppendJSON(dst)
	}
	return unpackCell(cell, t.Key.Type, t.Value.Type).AppendJSON(dst)
}

package ovsdb

import (
	"encoding/binary"
	"unsafe"
)

// StoredRow is a row as databases keep it: immutable, and packed so that a row
// costs two allocations, of which the collector looks into only the first.
type StoredRow struct {
	ID      UUID // _uuid
	Version UUID // _version
	Cells   Cells
}

// Cells are the columns of a row but _uuid and _version, packed: the number of
// columns (15 bits, and one that says whether offsets have 32 bits or 16), where
// each column ends, counted from the end of this table, and the columns. An empty
// set or map takes no bytes; others begin with the number of their elements and,
// for a map, the length of the keys (both as unsigned varints), followed by keys
// and values as a Datum has them. Equal rows of one table have equal Cells.
type Cells string

const (
	cellsHead = 2
	cellsWide = 1 << 15
)

// Store packs a row of t, whose _uuid and _version are taken from it.
func Store(t *TableSchema, row Row) *StoredRow {
	return &StoredRow{ID: row[UUIDColumn].UUID(), Version: row[VersionColumn].UUID(), Cells: PackCells(t, row)}
}

// Get returns the value of a column of the row's table. It shares the row's
// memory.
func (r *StoredRow) Get(c *ColumnSchema) Datum {
	switch c.Index {
	case UUIDColumn:
		return uuidDatum(&r.ID)
	case VersionColumn:
		return uuidDatum(&r.Version)
	}
	return r.Cells.get(c.Index-firstCell, c.Type.Key.Type, c.Type.Value.Type)
}

// Unpack sets row, which has a place for every column of t.
func (r *StoredRow) Unpack(t *TableSchema, row Row) {
	for i, c := range t.Columns {
		row[i] = r.Get(c)
	}
}

// With returns r with the given columns replaced by those in row, and another
// version.
func (r *StoredRow) With(t *TableSchema, columns []*ColumnSchema, row Row, version UUID) *StoredRow {
	var buf [16]Datum
	all := append(Row(buf[:0]), make(Row, len(t.Columns))...)
	r.Unpack(t, all)
	for _, c := range columns {
		all[c.Index] = row[c.Index]
	}
	return &StoredRow{ID: r.ID, Version: version, Cells: PackCells(t, all)}
}

func uuidDatum(u *UUID) Datum {
	return Datum{kt: UUIDType, n: 1, keys: unsafe.String(&u[0], len(u))}
}

const firstCell = VersionColumn + 1

// PackCells packs a row of t but for its _uuid and _version.
func PackCells(t *TableSchema, row Row) Cells {
	var buf [1024]byte
	b := appendCells(buf[:0], row[firstCell:], 2)
	if b == nil {
		b = appendCells(nil, row[firstCell:], 4)
	}
	return Cells(b)
}

// appendCells packs cells with ends of the given width, unless that is too small
// for them.
func appendCells(dst []byte, cells []Datum, width int) []byte {
	head := uint16(len(cells))
	if width == 4 {
		head |= cellsWide
	}
	dst = binary.LittleEndian.AppendUint16(dst, head)
	for range cells {
		dst = append(dst, 0, 0, 0, 0)[:len(dst)+width]
	}
	base := len(dst)
	for i := range cells {
		d := &cells[i]
		if d.n > 0 {
			dst = binary.AppendUvarint(dst, uint64(d.n))
			if d.vt != Void {
				dst = binary.AppendUvarint(dst, uint64(len(d.keys)))
			}
			dst = append(dst, d.keys...)
			dst = append(dst, d.vals...)
		}
		end := len(dst) - base
		if width == 4 {
			binary.LittleEndian.PutUint32(dst[cellsHead+4*i:], uint32(end))
		} else {
			if end >= 1<<16 {
				return nil
			}
			binary.LittleEndian.PutUint16(dst[cellsHead+2*i:], uint16(end))
		}
	}
	return dst
}

// end returns where the i'th cell ends.
func (x Cells) end(i int, wide bool) int {
	if wide {
		at := x[cellsHead+4*i:]
		return int(at[0]) | int(at[1])<<8 | int(at[2])<<16 | int(at[3])<<24
	}
	at := x[cellsHead+2*i:]
	return int(at[0]) | int(at[1])<<8
}

func (x Cells) get(i int, kt, vt AtomicType) Datum {
	d := Datum{kt: kt, vt: vt}
	head := int(x[0]) | int(x[1])<<8
	n, wide := head&^cellsWide, head&cellsWide != 0
	base := cellsHead + 2*n
	if wide {
		base = cellsHead + 4*n
	}
	start := 0
	if i > 0 {
		start = x.end(i-1, wide)
	}
	s := string(x[base+start : base+x.end(i, wide)])
	if s == "" {
		return d
	}
	count, s := cutUvarint(s)
	d.n = uint32(count)
	if vt == Void {
		d.keys = s
		return d
	}
	keys, s := cutUvarint(s)
	d.keys, d.vals = s[:keys], s[keys:]
	return d
}

func cutUvarint(s string) (int, string) {
	v := 0
	for i := 0; ; i++ {
		v |= int(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, s[i+1:]
		}
	}
}

// AppendJSON appends the given columns of the row as a <row>.
func (r *StoredRow) AppendJSON(dst []byte, columns []*ColumnSchema) []byte {
	o := newObject(dst)
	for _, c := range columns {
		o.name(c.Name)
		o.dst = r.Get(c).AppendJSON(o.dst)
	}
	return o.end()
}

// Size returns the bytes that the row takes, for memory accounting.
func (r *StoredRow) Size() int { return int(unsafe.Sizeof(*r)) + len(r.Cells) }

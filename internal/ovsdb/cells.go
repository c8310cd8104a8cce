package ovsdb

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// StoredRow is a row as databases keep it: immutable, in one piece of memory that
// the collector doesn't look into. Its Cells follow the two UUIDs there, so that a
// StoredRow can't be copied or made by a composite literal: PackRow makes them.
type StoredRow struct {
	_       noCopy
	ID      UUID // _uuid
	Version UUID // _version
}

// rowHead is where a row's Cells begin.
const rowHead = int(unsafe.Sizeof(StoredRow{}))

// noCopy makes "go vet" find copies, and comparisons of what points to a struct
// an error of the compiler's.
type noCopy [0]func()

// Lock and Unlock are what "go vet" looks for.
func (*noCopy) Lock() {}

// Unlock does nothing; see Lock.
func (*noCopy) Unlock() {}

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
	return PackRow(t, row[UUIDColumn].UUID(), row[VersionColumn].UUID(), row)
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
	return unpackCell(r.Cells().cell(c.Index-firstCell), c.Type.Key.Type, c.Type.Value.Type)
}

// Cells returns the row's columns. They share its memory.
func (r *StoredRow) Cells() Cells {
	first := (*byte)(unsafe.Add(unsafe.Pointer(r), rowHead))
	head := Cells(unsafe.String(first, cellsHead))
	n, width := head.columns()
	if n == 0 {
		return head
	}
	base := cellsHead + width*n
	return Cells(unsafe.String(first, base+Cells(unsafe.String(first, base)).end(n-1, width)))
}

// Equal reports whether two rows of a table are the same, versions included.
func (r *StoredRow) Equal(o *StoredRow) bool {
	return r.ID == o.ID && r.Version == o.Version && r.Cells() == o.Cells()
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
	return PackRow(t, r.ID, version, all)
}

func uuidDatum(u *UUID) Datum {
	return Datum{kt: UUIDType, n: 1, keys: unsafe.String(&u[0], len(u))}
}

const firstCell = VersionColumn + 1

// PackRow packs a row of t, whose _uuid and _version are not those in row.
func PackRow(t *TableSchema, id, version UUID, row Row) *StoredRow {
	cells := row[firstCell:]
	size, width := 0, 2
	for i := range cells {
		size += cells[i].cellSize()
	}
	if size >= 1<<16 {
		width = 4
	}
	b := make([]byte, 0, rowHead+cellsHead+width*len(cells)+size)
	b = append(append(b, id[:]...), version[:]...)
	b = appendCells(b, cells, width)
	return (*StoredRow)(unsafe.Pointer(unsafe.SliceData(b)))
}

// appendCells packs cells with ends of the given width.
func appendCells(dst []byte, cells []Datum, width int) []byte {
	head := uint16(len(cells))
	if width == 4 {
		head |= cellsWide
	}
	dst = binary.LittleEndian.AppendUint16(dst, head)
	at := len(dst)
	dst = dst[:at+width*len(cells)]
	base := len(dst)
	for i := range cells {
		dst = cells[i].appendCell(dst)
		end := len(dst) - base
		if width == 4 {
			binary.LittleEndian.PutUint32(dst[at+4*i:], uint32(end))
		} else {
			binary.LittleEndian.PutUint16(dst[at+2*i:], uint16(end))
		}
	}
	return dst
}

// cellSize returns how many bytes appendCell appends.
func (d *Datum) cellSize() int {
	if d.n == 0 {
		return 0
	}
	n := uvarintSize(uint64(d.n)) + len(d.keys) + len(d.vals)
	if d.vt != Void {
		n += uvarintSize(uint64(len(d.keys)))
	}
	return n
}

// uvarintSize returns the length of v as an unsigned varint.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// appendCell appends d as Cells have it.
func (d *Datum) appendCell(dst []byte) []byte {
	if d.n == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(d.n))
	if d.vt != Void {
		dst = binary.AppendUvarint(dst, uint64(len(d.keys)))
	}
	dst = append(dst, d.keys...)
	return append(dst, d.vals...)
}

// columns returns how many columns there are, and the width of their ends.
func (x Cells) columns() (n, width int) {
	n, width = int(x[0])|int(x[1])<<8, 2
	if n&cellsWide != 0 {
		n, width = n&^cellsWide, 4
	}
	return n, width
}

// end returns where the i'th cell ends.
func (x Cells) end(i, width int) int {
	if width == 4 {
		at := x[cellsHead+4*i:]
		return int(at[0]) | int(at[1])<<8 | int(at[2])<<16 | int(at[3])<<24
	}
	at := x[cellsHead+2*i:]
	return int(at[0]) | int(at[1])<<8
}

// cell returns the i'th cell, packed.
func (x Cells) cell(i int) string {
	n, width := x.columns()
	base := cellsHead + width*n
	start := 0
	if i > 0 {
		start = x.end(i-1, width)
	}
	return string(x[base+start : base+x.end(i, width)])
}

// unpackCell returns the value of a cell, whose memory it shares.
func unpackCell(s string, kt, vt AtomicType) Datum {
	d := Datum{kt: kt, vt: vt}
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

// Size returns the bytes that the row takes, for memory accounting.
func (r *StoredRow) Size() int { return rowHead + len(r.Cells()) }

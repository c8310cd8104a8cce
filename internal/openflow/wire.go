package openflow

import "encoding/binary"

// cursor reads big-endian values off a message. It is sticky: the first read
// past the end, or the first fail, sets err, and from then on reads give zeros.
type cursor struct {
	b   []byte
	off int
	err error
	// short is the error of a read past the end; OFPBRC_BAD_LEN when zero.
	short ErrCode
}

func (c *cursor) fail(code ErrCode) {
	if c.err == nil {
		c.err = code.Err()
	}
}

func (c *cursor) failErr(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *cursor) left() int { return len(c.b) - c.off }

// bytes returns the next n bytes, shared with the message, nil at the end.
func (c *cursor) bytes(n int) []byte {
	if c.err != nil || n < 0 || n > c.left() {
		if c.short == 0 {
			c.short = ErrBRCBadLen
		}
		c.fail(c.short)
		c.off = len(c.b)
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off : c.off]
}

// rest returns what is left.
func (c *cursor) rest() []byte { return c.bytes(c.left()) }

func (c *cursor) skip(n int) { c.bytes(n) }

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// zeros skips n bytes that must be zero, else fails with code.
func (c *cursor) zeros(n int, code ErrCode) {
	for _, b := range c.bytes(n) {
		if b != 0 {
			c.fail(code)
			return
		}
	}
}

// str reads a fixed-width NUL-padded string.
func (c *cursor) str(n int) string { return cstr(c.bytes(n)) }

// name is str cut at the first character that doesn't print.
func (c *cursor) name(n int) string {
	s := c.str(n)
	for i := range len(s) {
		if s[i] < 32 || s[i] >= 127 {
			return s[:i]
		}
	}
	return s
}

func cstr(b []byte) string {
	for i, ch := range b {
		if ch == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// sub returns a cursor over the next n bytes; short is its error at the end.
func (c *cursor) sub(n int, short ErrCode) cursor {
	return cursor{b: c.bytes(n), err: c.err, short: short}
}

func (c *cursor) mac() (m [6]byte) {
	copy(m[:], c.bytes(6))
	return m
}

// buf appends big-endian values.
type buf struct {
	b []byte
	// typeToo writes the packet type of Ethernet, where a match asks for it and
	// no field of Ethernet says it; it goes without saying elsewhere.
	typeToo bool
	plan    *wirePlan // nil: none
}

func (w *buf) u8(v uint8)            { w.b = append(w.b, v) }
func (w *buf) u16(v uint16)          { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *buf) u32(v uint32)          { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *buf) u64(v uint64)          { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *buf) bytes(v []byte)        { w.b = append(w.b, v...) }
func (w *buf) len() int              { return len(w.b) }
func (w *buf) put16(off, v int)      { binary.BigEndian.PutUint16(w.b[off:], uint16(v)) }
func (w *buf) put32(o int, v uint32) { binary.BigEndian.PutUint32(w.b[o:], v) }

func (w *buf) pad(n int) {
	for range n {
		w.b = append(w.b, 0)
	}
}

// padTo pads with zeros until len()-start is a multiple of 8.
func (w *buf) padTo8(start int) { w.pad((8 - (len(w.b)-start)%8) % 8) }

// str writes a string in a fixed width, cut and NUL-terminated.
func (w *buf) str(s string, n int) {
	if len(s) > n-1 {
		s = s[:n-1]
	}
	w.b = append(w.b, s...)
	w.pad(n - len(s))
}

func pad8(n int) int { return (n + 7) &^ 7 }

package openflow

import (
	"encoding/binary"
	"errors"

	"weir/internal/flow"
)

// HeaderLen is the length of the header of every message.
const HeaderLen = 8

// DecodeOptions are what the meaning of a message depends on beside its bytes.
type DecodeOptions struct {
	// TableID: OpenFlow 1.0 flow mods hold a table id (NXT_FLOW_MOD_TABLE_ID).
	TableID bool
	// TLV binds the tun_metadata fields of a bridge; nil where none is known,
	// so that each match holds the lengths that it came with.
	TLV *flow.TLVTable
	// ToSwitch: messages that only switches send are refused as OFPBRC_BAD_TYPE,
	// whatever is in them.
	ToSwitch bool
	// Log, when set, gets what the C programs log while they decode: the
	// module's name and the place in it that shares a rate limit, whether it is a
	// warning (else information), the text.
	Log func(module, site string, warn bool, text string)
}

// decoder decodes one message.
type decoder struct {
	cursor
	MsgHeader
	row   *msgRow
	opt   DecodeOptions
	t     *msgIndex
	msg   []byte // the whole message
	depth int    // of nested actions
	// exact10: the last match10 had no wildcards.
	exact10 bool
	weighed bool     // some bucket had a weight
	reuse   *Decoder // nil: everything decoded is new
}

func (d *decoder) logf(module string, warn bool, text string) { d.logSite(module, "", warn, text) }

// logSite logs; messages of one module and site share a rate limit.
func (d *decoder) logSite(module, site string, warn bool, text string) {
	if d.opt.Log != nil {
		d.opt.Log(module, site, warn, text)
	}
}

// DecodeHeader reads only the header.
func DecodeHeader(b []byte) (MsgHeader, error) {
	if len(b) < HeaderLen {
		return MsgHeader{}, ErrBRCBadLen.Err()
	}
	return MsgHeader{
		Version: Version(b[0]), Type: b[1],
		Length: int(binary.BigEndian.Uint16(b[2:])), Xid: binary.BigEndian.Uint32(b[4:]),
	}, nil
}

// DecodePart reads the header of a message with what it says of parts to
// follow, and fails for a message that is not known.
func DecodePart(b []byte) (MsgHeader, error) {
	d, err := newDecoder(b, DecodeOptions{})
	return d.MsgHeader, err
}

// Decode decodes the message that b holds, exactly. The message may share
// memory with b. A malformed message gives an error with an *Error in its
// chain, and as much of the header as there is.
func Decode(b []byte, opt DecodeOptions) (MsgHeader, Message, error) {
	return new(decoder).decode(b, opt)
}

func (d *decoder) decode(b []byte, opt DecodeOptions) (MsgHeader, Message, error) {
	if err := d.begin(b, opt); err != nil {
		return d.MsgHeader, nil, err
	}
	m := d.row.dec(d)
	if d.err == nil && d.left() > 0 {
		d.fail(ErrBRCBadLen)
	}
	if d.err != nil {
		return d.MsgHeader, nil, d.err
	}
	return d.MsgHeader, m, nil
}

// newDecoder identifies a message: its row, and a cursor at its body.
func newDecoder(b []byte, opt DecodeOptions) (*decoder, error) {
	d := new(decoder)
	return d, d.begin(b, opt)
}

func (d *decoder) begin(b []byte, opt DecodeOptions) error {
	h, err := DecodeHeader(b)
	if err != nil {
		return err
	}
	*d = decoder{MsgHeader: h, opt: opt, t: msgTable(), msg: b, reuse: d.reuse}
	if h.Length > len(b) || h.Length < HeaderLen {
		return ErrBRCBadLen.Err()
	}
	d.cursor = cursor{b: b[:h.Length], off: HeaderLen}
	if err := d.identify(); err != nil {
		return err
	}
	if err := d.checkLength(); err != nil {
		return err
	}
	if opt.ToSwitch && d.row.by == bySwitch {
		return ErrBRCBadType.Err()
	}
	return nil
}

// identify finds the row and skips the headers up to the body.
func (d *decoder) identify() error {
	const vendorType = 4
	k := msgKey{kind: kindOFPT, num: uint32(d.Type)}
	sreq, srep := uint8(16), uint8(17)
	if d.Version >= V11 {
		sreq, srep = 18, 19
	}
	switch {
	case d.Type == vendorType && d.Version >= V10 && d.Version <= V15:
		if err := d.vendorKey(&k, kindNXT, kindONFT, "vendor message"); err != nil {
			return err
		}
	case (d.Type == sreq || d.Type == srep) && d.Version >= V10 && d.Version <= V15:
		k = msgKey{kind: kindOFPST, num: uint32(d.u16()), reply: d.Type == srep}
		d.More = d.u16()&1 != 0
		if d.Version >= V11 {
			d.skip(4)
		}
		if k.num == 0xffff {
			if err := d.vendorKey(&k, kindNXST, kindONFST, "stats"); err != nil {
				return err
			}
			if d.Version == V10 {
				d.skip(4)
			}
		}
	}
	if d.err != nil {
		return d.err
	}
	if d.row = d.t.find(k, d.Version); d.row == nil {
		return d.unknown(k)
	}
	return nil
}

// checkLength checks the length of the body as far as the kind of message
// tells it, before anything of the body is looked at: whatever else is wrong
// with a message, one that can't be as long is answered by OFPBRC_BAD_LEN.
func (d *decoder) checkLength() error {
	if d.row.fits(d.left()) {
		return nil
	}
	d.logf("ofp_msgs", true, sprintf("received %s with incorrect length %d (%s)", d.row.title(), d.Length, d.row.lengths(d.off)))
	return ErrBRCBadLen.Err()
}

// vendorKey reads the vendor and its number.
func (d *decoder) vendorKey(k *msgKey, nx, onf msgKind, what string) error {
	vendor := d.u32()
	k.num = d.u32()
	if d.err != nil {
		return d.err
	}
	switch vendor {
	case VendorNicira:
		k.kind = nx
	case VendorONF:
		k.kind = onf
	default:
		d.logf("ofp_msgs", true, sprintf("OpenFlow %s has unknown vendor %#x", what, vendor))
		return ErrBRCBadVendor.Err()
	}
	return nil
}

// unknown is the error of a number that no row has.
func (d *decoder) unknown(k msgKey) error {
	code := ErrBRCBadType
	text := sprintf("unknown OpenFlow message (version %d, type %d", d.Version, d.Type)
	switch k.kind {
	case kindOFPST:
		code = ErrBRCBadStat
		text += sprintf(", stat %d", k.num)
	case kindNXT:
		code = ErrBRCBadSubtype
		text += sprintf(", Nicira, subtype %d", k.num)
	case kindONFT:
		code = ErrBRCBadSubtype
		text += sprintf(", ONF, subtype %d", k.num)
	case kindNXST, kindONFST:
		code = ErrBRCBadSubtype
		text += sprintf(", stat 65535, subtype %d", k.num)
	}
	d.logf("ofp_msgs", true, text+")")
	return code.Err()
}

// Name is the printed name of the type of message b, "" when it is unknown.
func Name(b []byte) string {
	d, err := newDecoder(b, DecodeOptions{})
	if err != nil {
		return ""
	}
	return d.row.title()
}

// ByPrimary reports whether b is a message, well-formed or not, that a controller
// with the secondary role may not send (OpenFlow 1.3.1, 6.3.4).
func ByPrimary(b []byte) bool {
	d, err := newDecoder(b, DecodeOptions{})
	return err == nil && d.row.by == byPrimary
}

// decEmpty decodes a message without a body.
func decEmpty[T any, P interface {
	*T
	Message
}](*decoder) Message {
	return P(new(T))
}

// errUnencodable says that a version has no form of a message.
var errUnencodable = errors.New("the OpenFlow version has no such message")

// encoder encodes one message, in several when it is a multipart reply that
// exceeds 64 kB.
type encoder struct {
	buf
	proto Protocol
	v     Version
	xid   uint32
	row   *msgRow
	t     *msgIndex
	err   error
	body  int // where the body starts
	entry int // where the last entry of a multipart reply starts
	// insertion: buckets are for a group that is there.
	insertion bool
	// dropped counts entries that are longer than a message may be.
	dropped int
	msgs    [][]byte
}

// Encode encodes m as one message of at most 65,535 bytes.
func Encode(p Protocol, xid uint32, m Message) ([]byte, error) {
	msgs, err := EncodeAll(p, xid, m)
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 {
		return nil, ErrBRCMultipartBufferOverflow.Err()
	}
	return msgs[0], nil
}

// appendTo encodes m behind dst, after which e's memory begins.
func (e *encoder) appendTo(dst []byte, m Message) ([]byte, error) {
	e.encode(m)
	if e.err == nil && len(e.msgs) > 0 {
		e.err = ErrBRCMultipartBufferOverflow.Err()
	}
	if e.err == nil {
		e.seal(false)
	}
	if e.err != nil {
		return dst, e.err
	}
	return append(dst, e.b...), nil
}

// EncodeAll encodes m; a multipart message that is too long for one becomes
// several, all but the last with the "more" flag.
//
// Entries that alone exceed a message are left out.
func EncodeAll(p Protocol, xid uint32, m Message) ([][]byte, error) {
	msgs, _, err := EncodeParts(p, xid, m)
	return msgs, err
}

// EncodeParts is [EncodeAll] that also counts the entries that it left out.
func EncodeParts(p Protocol, xid uint32, m Message) (msgs [][]byte, dropped int, err error) {
	e := &encoder{proto: p, v: p.Version(), xid: xid, t: msgTable()}
	e.encode(m)
	if e.err != nil {
		return nil, 0, e.err
	}
	e.finish(false)
	if e.err != nil {
		return nil, 0, e.err
	}
	return e.msgs, e.dropped, nil
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// start writes the header of the message called name.
func (e *encoder) start(name string) {
	e.row = e.t.named(name, e.v)
	if e.row == nil {
		e.fail(&UnsupportedError{Name: name, Version: e.v})
		return
	}
	e.header()
	e.entry = e.body
}

// UnsupportedError says that a version has no form of a message.
type UnsupportedError struct {
	Name    string
	Version Version
}

// Error names the message and the version.
func (u *UnsupportedError) Error() string {
	return u.Name + " does not exist in OpenFlow " + u.Version.Dotted()
}

// Unwrap marks it as one of the errors of encoding.
func (u *UnsupportedError) Unwrap() error { return errUnencodable }

func (e *encoder) header() {
	r, stats := e.row, e.row.isStats()
	typ := uint8(r.num)
	if stats {
		typ = 16
		if e.v >= V11 {
			typ = 18
		}
		if r.isReply() {
			typ++
		}
	} else if r.kind != kindOFPT {
		typ = 4
	}
	e.u8(uint8(e.v))
	e.u8(typ)
	e.u16(0)
	e.u32(e.xid)
	if stats {
		num := uint16(r.num)
		if r.kind != kindOFPST {
			num = 0xffff
		}
		e.u16(num)
		e.u16(0)
		if e.v >= V11 {
			e.pad(4)
		}
	}
	if r.kind != kindOFPT && r.kind != kindOFPST {
		e.u32(r.vendor())
		e.u32(r.num)
		if stats && e.v == V10 {
			e.pad(4)
		}
	}
	e.body = e.len()
}

// endEntry ends an entry of a multipart list, and starts a new message with it
// when it went over the limit.
func (e *encoder) endEntry() {
	if e.err != nil {
		return
	}
	if e.body+e.len()-e.entry > 0xffff {
		// No message can hold it; the others go out without it.
		e.b = e.b[:e.entry]
		e.dropped++
		return
	}
	if e.len() > 0xffff && e.entry > e.body {
		tail := append([]byte(nil), e.b[e.entry:]...)
		e.b = e.b[:e.entry]
		e.finish(true)
		e.b = make([]byte, 0, cap(e.b))
		e.header()
		e.bytes(tail)
	}
	e.entry = e.len()
}

func (e *encoder) finish(more bool) {
	if e.seal(more); e.err == nil {
		e.msgs = append(e.msgs, e.b)
	}
}

// seal completes the header of the message.
func (e *encoder) seal(more bool) {
	if e.len() > 0xffff {
		e.fail(ErrBRCBadLen.Err())
		return
	}
	e.put16(2, e.len())
	if more {
		e.put16(10, 1)
	}
}

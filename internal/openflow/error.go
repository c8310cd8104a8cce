package openflow

import "errors"

// Experimenter (vendor) numbers.
const (
	VendorNicira uint32 = 0x00002320
	VendorONF    uint32 = 0x4f4e4600
	VendorNTR    uint32 = 0x0000154d // Netronome: group selection properties
	VendorIntel  uint32 = 0x0000aa01
)

// vendorNTROld stands for VendorNTR in messages of clients that have the number
// wrong, as the original once had: it is taken, never sent.
const vendorNTROld uint32 = 0x00001540

// Error types with a nested number.
const (
	errTypeNXVendor     = 0xb0c2 // NXET_VENDOR, OpenFlow 1.0 and 1.1
	errTypeExperimenter = 0xffff // OFPET_EXPERIMENTER, OpenFlow 1.2 and later
)

// Error is an OpenFlow error message and, as a Go error, what a decoder or an
// operation of the switch answers to a bad request.
type Error struct {
	Code ErrCode // 0 when the numbers are unknown
	// Vendor, Type and RawCode are the numbers on the wire of a received message.
	Vendor        uint32
	Type, RawCode uint16
	// Data is the start of the offending message, or the text of OFPET_HELLO_FAILED.
	Data []byte
}

func (*Error) isMessage() {}

// Error gives the name of the error in the specifications.
func (e *Error) Error() string { return e.Code.String() }

// Is makes errors.Is compare by code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// String is the name in the specifications: "OFPBRC_BAD_LEN".
func (c ErrCode) String() string {
	if c == 0 || c >= numErrCodes {
		return "<invalid error code>"
	}
	return errTable[c].name
}

// Err makes a Go error of a code.
func (c ErrCode) Err() *Error { return &Error{Code: c} }

// CodeOf returns the ErrCode in err's chain, 0 when it has none.
func CodeOf(err error) ErrCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// find returns the numbers of c in version v.
func (c ErrCode) find(v Version) *errWire {
	if c < numErrCodes {
		for i := range errTable[c].wire {
			w := &errTable[c].wire[i]
			if w.min <= v && v <= w.max {
				return w
			}
		}
	}
	return nil
}

// lookupErr finds the code of numbers received in version v.
func lookupErr(v Version, vendor uint32, typ, code uint16) ErrCode {
	for c := ErrCode(1); c < numErrCodes; c++ {
		for i := range errTable[c].wire {
			w := &errTable[c].wire[i]
			if w.vendor == vendor && w.min <= v && v <= w.max && w.typ == typ && w.code == code {
				return c
			}
		}
	}
	return 0
}

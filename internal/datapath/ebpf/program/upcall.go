package program

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"weir/internal/flow"
	"weir/internal/packet"
)

// Reason says why a packet comes up.
type Reason uint8

// Reasons.
const (
	// ReasonMiss: no flow matched.
	ReasonMiss Reason = 1 + iota
	// ReasonAction: the Userspace action that Code and Arg name. The packet is
	// as the actions before it left it; the programs go on with those after it.
	ReasonAction
	// ReasonResume: the actions of Code from index Arg of the list on are
	// user space's to run; those before have been run.
	ReasonResume
	// ReasonOdd: headers beyond what main reads (a long chain of extension
	// headers, headers more than [MaxHeader] bytes into the packet). User space
	// looks the flow up itself.
	ReasonOdd
)

// String names the reason.
func (r Reason) String() string {
	switch r {
	case ReasonMiss:
		return "miss"
	case ReasonAction:
		return "action"
	case ReasonResume:
		return "resume"
	case ReasonOdd:
		return "odd headers"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// MaxHeader is how far into a packet main looks for headers, in bytes.
const MaxHeader = 256

// UpcallLen is the length of the header before an upcall's frame, as the
// programs write it. The tap device puts an offloaded VLAN tag after the first
// 12 bytes, so that the header may arrive VLANLen longer.
const UpcallLen = 96

// Upcall is what the programs say of a packet that they hand to user space.
type Upcall struct {
	Reason   Reason
	InPort   uint32
	RecircID uint32
	DPHash   uint32
	Mark     uint32
	Priority uint32
	// Code names an action list ([Set.Code]), for ReasonAction and ReasonResume.
	Code uint32
	// Arg is the number of the Userspace action within the list, counting
	// nested ones as they stand in the text, or the index of the action to
	// resume at.
	Arg    uint32
	Tunnel flow.Tunnel // of a packet that came in through a tunnel
}

// Offsets of the header's members, little endian. The first 12 bytes stand
// before an offloaded tag.
const (
	upMagic  = 0  // 4 bytes
	upReason = 4  // 1
	upFlags  = 5  // 1
	upInPort = 8  // 4
	upRecirc = 12 // 4
	upHash   = 16
	upMark   = 20
	upPrio   = 24
	upCode   = 28
	upArg    = 32
	upTunnel = 40 // the first upTunnelLen bytes of flow.Tunnel
)

const upTunnelLen = 56

// Bits of the byte at upFlags.
const (
	upHasTag    = 1 << iota // the device put a tag after the first 12 bytes
	upHasTunnel             // the packet came in through a tunnel
)

const upcallMagic = 0x70756577 // "weup"

// ErrNotUpcall is for a packet that no program sent: the host's own on an
// upcall device.
var ErrNotUpcall = errors.New("no upcall header")

// ParseUpcall takes the header off what an upcall device delivered, without its
// virtio_net header. The frame, with its VLAN tags in place, begins at off;
// what is before it may have been overwritten. What a virtio_net header says of
// places in the packet counts from off: subtract it.
func ParseUpcall(buf []byte, u *Upcall) (off int, err error) {
	if len(buf) < UpcallLen+packet.EthLen || binary.LittleEndian.Uint32(buf) != upcallMagic {
		return 0, ErrNotUpcall
	}
	if buf[upFlags]&upHasTag == 0 {
		u.read(buf)
		return UpcallLen, nil
	}
	if len(buf) < UpcallLen+packet.VLANLen+packet.EthLen {
		return 0, ErrNotUpcall
	}
	// Bring the header's two parts together behind the tag, and then the tag
	// behind the frame's addresses.
	tag := [packet.VLANLen]byte(buf[12:])
	copy(buf[packet.VLANLen:], buf[:12])
	u.read(buf[packet.VLANLen:])
	frame := buf[UpcallLen:]
	copy(frame, frame[packet.VLANLen:packet.VLANLen+12])
	copy(frame[12:], tag[:])
	return UpcallLen, nil
}

// read fills u from a header in one piece.
func (u *Upcall) read(h []byte) {
	le := binary.LittleEndian
	*u = Upcall{
		Reason: Reason(h[upReason]), InPort: le.Uint32(h[upInPort:]),
		RecircID: le.Uint32(h[upRecirc:]), DPHash: le.Uint32(h[upHash:]),
		Mark: le.Uint32(h[upMark:]), Priority: le.Uint32(h[upPrio:]),
		Code: le.Uint32(h[upCode:]), Arg: le.Uint32(h[upArg:]),
	}
	if h[upFlags]&upHasTunnel != 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&u.Tunnel)), upTunnelLen), h[upTunnel:])
	}
}

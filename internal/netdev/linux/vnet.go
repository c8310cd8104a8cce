package linux

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
	"weir/internal/packet"
)

// VnetLen is the size of struct virtio_net_hdr (virtio 1.2, 5.1.6), which
// stands before each frame of a packet socket or tap with vnet headers. Its
// integers are in host order.
const VnetLen = 10

// GetVnet reads a header.
func GetVnet(b *[VnetLen]byte, o *netdev.Offload) {
	*o = netdev.Offload{
		Flags: b[0], GSOType: b[1],
		HdrLen:    binary.NativeEndian.Uint16(b[2:]),
		GSOSize:   binary.NativeEndian.Uint16(b[4:]),
		CsumStart: binary.NativeEndian.Uint16(b[6:]),
		CsumOff:   binary.NativeEndian.Uint16(b[8:]),
	}
}

// PutVnet writes a header.
func PutVnet(b *[VnetLen]byte, o *netdev.Offload) {
	b[0], b[1] = o.Flags, o.GSOType
	binary.NativeEndian.PutUint16(b[2:], o.HdrLen)
	binary.NativeEndian.PutUint16(b[4:], o.GSOSize)
	binary.NativeEndian.PutUint16(b[6:], o.CsumStart)
	binary.NativeEndian.PutUint16(b[8:], o.CsumOff)
}

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// auxdata is struct tpacket_auxdata of packet(7).
type auxdata struct {
	status, len, snaplen uint32
	mac, net             uint16
	vlanTCI, vlanTPID    uint16
}

const (
	statusVLANValid     = 1 << 4 // TP_STATUS_VLAN_VALID
	statusVLANTPIDValid = 1 << 6 // TP_STATUS_VLAN_TPID_VALID
)

var auxSpace = unix.CmsgSpace(int(unsafe.Sizeof(auxdata{})))

// findAux is the auxiliary data among the control messages in b.
func findAux(b []byte) *auxdata {
	const head = unix.SizeofCmsghdr
	if len(b) < head+int(unsafe.Sizeof(auxdata{})) {
		return nil
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	if h.Level != unix.SOL_PACKET || h.Type != unix.PACKET_AUXDATA {
		return nil
	}
	return (*auxdata)(unsafe.Pointer(&b[unix.CmsgLen(0)]))
}

// restoreVLAN puts the tag back that the kernel took out of the frame.
func restoreVLAN(p *netdev.Packet, aux *auxdata) {
	tpid := aux.vlanTPID
	if aux.status&statusVLANTPIDValid == 0 {
		tpid = packet.EtherTypeVLAN
	}
	p.Off -= packet.VLANLen
	p.Len += packet.VLANLen
	b := p.Data()
	copy(b[:12], b[packet.VLANLen:packet.VLANLen+12])
	packet.PutBe16(b[12:], tpid)
	packet.PutBe16(b[14:], aux.vlanTCI)
	o := &p.Offload
	if o.Flags&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
		o.CsumStart += packet.VLANLen
	}
	if o.HdrLen != 0 {
		o.HdrLen += packet.VLANLen
	}
}

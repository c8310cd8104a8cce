package tunnel

import "weir/internal/packet"

// VXLANLen is the length of the VXLAN header (RFC 7348, section 5), which
// stands between the UDP header and the inner frame.
const VXLANLen = 8

// vxlanFlag is the I flag, which must be set: the header has a VNI.
const vxlanFlag = 0x08

// PutVXLAN writes a header with the VNI, of which 24 bits count.
func PutVXLAN(b *[VXLANLen]byte, vni uint32) {
	*b = [VXLANLen]byte{0: vxlanFlag}
	packet.PutBe32(b[4:], vni<<8)
}

// VXLAN reads the VNI of a header; ok is false if it isn't a header that this
// version of the protocol knows. Reserved bits are ignored, as it asks.
func VXLAN(b *[VXLANLen]byte) (vni uint32, ok bool) {
	return packet.Be32(b[4:]) >> 8, b[0]&vxlanFlag != 0
}

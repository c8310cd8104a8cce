package differential

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
	"weir/internal/packet"
)

// sctpSum is the checksum of an SCTP packet, in the order of its bytes, as if
// its own field were 0 (RFC 9260, appendix A).
func sctpSum(b []byte) uint32 {
	c := slices.Clone(b)
	binary.BigEndian.PutUint32(c[8:], 0)
	var le [4]byte
	binary.LittleEndian.PutUint32(le[:], crc32.Checksum(c, crc32.MakeTable(crc32.Castagnoli)))
	return binary.BigEndian.Uint32(le[:])
}

// outcome is what came out where.
type outcome [numPorts + 1][]frame

// sorted has the packets of each port in an order that depends on them only, with
// complete checksums and super-packets cut.
func (o *outcome) sorted() {
	for p := range o {
		var all []frame
		for i := range o[p] {
			all = append(all, o[p][i].cut()...)
		}
		for i := range all {
			all[i].blur()
		}
		slices.SortFunc(all, compareFrames)
		o[p] = all
	}
}

func compareFrames(x, y frame) int {
	if c := bytes.Compare(x.bytes, y.bytes); c != 0 {
		return c
	}
	return strings.Compare(fmt.Sprint(x.off), fmt.Sprint(y.off))
}

// cut is the packets that a frame stands for, complete. A super-packet behind labels
// of which none is the last, as flows can make it, is none: nobody can cut it.
func (f *frame) cut() (list []frame) {
	// What the receiver need not check is as good as what it must.
	f.off.Flags &^= unix.VIRTIO_NET_HDR_F_DATA_VALID
	var s netdev.Segmenter
	if err := s.Start(&netdev.Packet{Buf: f.bytes, Len: len(f.bytes), Offload: f.off}); err != nil {
		return nil
	}
	head := make([]byte, netdev.MaxHeaders)
	for {
		n, payload, ok := s.Next(head)
		if !ok {
			return list
		}
		list = append(list, frame{bytes: append(slices.Clone(head[:n]), payload...)})
	}
}

// difference says how outcomes differ, "" if they don't.
func (o *outcome) difference(p *outcome) string {
	var b strings.Builder
	for n := range o {
		if slices.EqualFunc(o[n], p[n], func(x, y frame) bool { return compareFrames(x, y) == 0 }) {
			continue
		}
		only := func(name string, a, b2 []frame) {
			left := slices.Clone(b2)
			for _, x := range a {
				if i := slices.IndexFunc(left, func(y frame) bool { return compareFrames(x, y) == 0 }); i >= 0 {
					left = slices.Delete(left, i, i+1)
					continue
				}
				fmt.Fprintf(&b, "port %d, only %s: %s\n", n+1, name, x)
			}
		}
		only(datapaths[0], o[n], p[n])
		only(datapaths[1], p[n], o[n])
	}
	return b.String()
}

// String is a frame for failures; of long ones the beginning.
func (f frame) String() string {
	b := f.bytes
	return fmt.Sprintf("%d bytes %s %+v", len(b), hex.EncodeToString(b[:min(len(b), 200)]), f.off)
}

// blur takes the checksum out of a packet that was truncated, in which nobody
// could check it: it is that of the packet or partial or of what is left.
func (f *frame) blur() {
	ip := network(f.bytes)
	if len(ip) < packet.IPv4Len {
		return
	}
	l4, proto, length := packet.IPv6Len, ip[6], packet.IPv6Len+int(be.Uint16(ip[4:]))
	if ip[0]>>4 == 4 {
		l4, proto, length = int(ip[0]&15)*4, ip[9], int(be.Uint16(ip[2:]))
	}
	for ip[0]>>4 == 6 && l4+8 <= len(ip) && (proto == 0 || proto == 43 || proto == 60) {
		proto, l4 = ip[l4], l4+8
	}
	sum, ok := map[byte]int{packet.ProtoTCP: 16, packet.ProtoUDP: 6}[proto]
	if ok && length > len(ip) && l4+sum+2 <= len(ip) {
		be.PutUint16(ip[l4+sum:], 0)
	}
}

// network is the IP packet in a frame, behind tags and labels; nil, if there is none.
func network(b []byte) []byte {
	for at := packet.EthLen - 2; at+2 < len(b); at += packet.VLANLen {
		switch be.Uint16(b[at:]) {
		case packet.EtherTypeVLAN, packet.EtherTypeQinQ:
			continue
		case packet.EtherTypeIPv4, packet.EtherTypeIPv6:
			return b[at+2:]
		case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
			for at += 2; at+packet.MPLSLen < len(b); at += packet.MPLSLen {
				if b[at+2]&1 != 0 {
					return b[at+packet.MPLSLen:]
				}
			}
		}
		return nil
	}
	return nil
}

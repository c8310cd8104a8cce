package program

import (
	"pgregory.net/rapid"

	"weir/internal/flow"
	"weir/internal/packet"
)

// genKey draws keys that a frame can say.
func genKey(t *rapid.T) flow.Key {
	var k flow.Key
	k.EthSrc, k.EthDst = genMAC(t, "src"), genMAC(t, "dst")
	for i := range rapid.IntRange(0, flow.MaxVLANs).Draw(t, "tags") {
		k.VLANs[i] = flow.VLAN{TPID: rapid.SampledFrom([]uint16{0x8100, 0x88a8}).Draw(t, "tpid"), TCI: rapid.Uint16().Draw(t, "tci") | flow.VLANPresent}
	}
	k.EthType = rapid.SampledFrom([]uint16{0x800, 0x800, 0x86dd, 0x86dd, 0x806, 0x8035, 0x8847, 0x8848, 0x894f, 0x1234, 0x8100, 0x5ff}).Draw(t, "type")
	switch k.EthType {
	case packet.EtherTypeIPv4, packet.EtherTypeIPv6:
		genIP(t, &k)
	case packet.EtherTypeARP, packet.EtherTypeRARP:
		k.NwProto, k.IPSrc, k.IPDst = rapid.Uint8().Draw(t, "op"), rapid.Uint32().Draw(t, "spa"), rapid.Uint32().Draw(t, "tpa")
		k.ARPSHA, k.ARPTHA = genMAC(t, "sha"), genMAC(t, "tha")
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		for i := range k.MPLS {
			if k.MPLS[i] = rapid.Uint32().Draw(t, "lse"); k.MPLS[i]&0x100 != 0 {
				break
			}
		}
	case packet.EtherTypeNSH:
		k.NSH = flow.NSH{Flags: 1, TTL: 63, MDType: rapid.SampledFrom([]uint8{1, 2}).Draw(t, "mdtype"), NP: 3, PathHdr: rapid.Uint32().Draw(t, "path")}
		if k.NSH.MDType == 1 {
			k.NSH.Context = [4]uint32{1, 2, 3, 4}
		}
	}
	return k
}

func genMAC(t *rapid.T, name string) packet.MAC {
	return packet.MACFromUint64(rapid.Uint64Range(1, 1<<48-1).Draw(t, name))
}

func gen16(t *rapid.T, name string) [16]byte {
	return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
}

func genIP(t *rapid.T, k *flow.Key) {
	k.NwTOS, k.NwTTL = rapid.Uint8().Draw(t, "tos"), rapid.Uint8().Draw(t, "ttl")
	k.NwProto = rapid.SampledFrom([]uint8{1, 2, 6, 6, 17, 17, 58, 58, 89, 132}).Draw(t, "proto")
	if k.EthType == packet.EtherTypeIPv4 {
		k.IPSrc, k.IPDst = rapid.Uint32().Draw(t, "nw_src"), rapid.Uint32().Draw(t, "nw_dst")
		k.NwFrag = rapid.SampledFrom([]uint8{0, 0, 0, 1, 3}).Draw(t, "frag")
	} else {
		k.IPv6Src, k.IPv6Dst, k.IPv6Label = gen16(t, "src6"), gen16(t, "dst6"), rapid.Uint32Range(0, 0xfffff).Draw(t, "label")
	}
	if k.NwFrag&flow.FragLater != 0 {
		return
	}
	switch p := k.NwProto; {
	case p == packet.ProtoTCP, p == packet.ProtoUDP, p == packet.ProtoSCTP:
		k.TpSrc, k.TpDst = rapid.Uint16().Draw(t, "tp_src"), rapid.Uint16().Draw(t, "tp_dst")
		if p == packet.ProtoTCP {
			k.TCPFlags = rapid.Uint16Range(0, 0xfff).Draw(t, "flags")
		}
	case p == packet.ProtoICMP && k.EthType == packet.EtherTypeIPv4:
		k.TpSrc, k.TpDst = uint16(rapid.Uint8().Draw(t, "itype")), uint16(rapid.Uint8().Draw(t, "icode"))
	case p == packet.ProtoICMPv6 && k.EthType == packet.EtherTypeIPv6:
		k.TpSrc = rapid.SampledFrom([]uint16{128, 135, 136}).Draw(t, "type6")
		if k.TpSrc != 128 {
			k.NDTarget, k.NDReserved = gen16(t, "target"), rapid.Uint32().Draw(t, "rsv")
		}
		switch k.TpSrc {
		case 135:
			k.ARPSHA, k.NDOptionsType = genMAC(t, "sll"), 1
		case 136:
			k.ARPTHA, k.NDOptionsType = genMAC(t, "tll"), 2
		}
	}
}

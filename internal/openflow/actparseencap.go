package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

// Text of the actions that push and pop whole headers: encap and decap.

func (p *actParser) encap(s string) (Action, error) {
	e := &Encap{}
	kvs := SplitKeyValues(s)
	if len(kvs) == 0 {
		return nil, fmt.Errorf("Missing encap hdr: %s", s)
	}
	p.usable &= P13 | P14 | P15
	switch kvs[0].Key {
	case "ethernet":
		e.PacketType = PacketTypeEthernet
	case "mpls":
		e.PacketType = PacketTypeMPLS
	case "mpls_mc":
		e.PacketType = PacketTypeMPLSMC
	case "nsh":
		e.PacketType = PacketTypeNSH
		return e, e.parseNSH(kvs[0].Value)
	default:
		return nil, fmt.Errorf("Encap hdr not supported: %s", kvs[0].Value)
	}
	for kv := range keyValues(kvs[0].Value) {
		return nil, fmt.Errorf("Invalid property: %s", kv.Key)
	}
	return e, nil
}

func (e *Encap) parseNSH(s string) error {
	for _, kv := range SplitKeyValues(s) {
		if kv.Value == "" {
			return fmt.Errorf("Value missing for encap property")
		}
		switch kv.Key {
		case "md_type":
			v, err := strconv.ParseUint(kv.Value, 0, 8)
			if err != nil || v != 1 && v != 2 {
				return fmt.Errorf("invalid md_type")
			}
			e.Props = append(e.Props, EncapProp{Class: 4, Type: 1, Data: []byte{byte(v)}})
		case "tlv":
			w := words(kv.Value)
			if len(w) != 3 || !strings.HasPrefix(w[2], "0x") {
				return fmt.Errorf("Invalid NSH TLV header: %s", kv.Value)
			}
			class, err1 := strconv.ParseUint(w[0], 0, 16)
			typ, err2 := strconv.ParseUint(w[1], 0, 8)
			hexes := w[2][2:]
			if len(hexes)%2 != 0 {
				hexes = "0" + hexes
			}
			data, err3 := parseDotHex(hexes)
			if len(hexes) == 0 || err1 != nil || err2 != nil || err3 != nil {
				return fmt.Errorf("Invalid NSH TLV header: %s", kv.Value)
			}
			e.Props = append(e.Props, EncapProp{
				Class: 4, Type: 2, Data: append([]byte{byte(class >> 8), byte(class), byte(typ)}, data...),
			})
		default:
			return fmt.Errorf("Invalid property: %s", kv.Key)
		}
	}
	return nil
}

// maxNamespace is the highest namespace of packet types that is assigned: those
// of ONF, EtherType, IP protocols and ports (OpenFlow 1.5.1, 7.2.3.11).
const maxNamespace = 3

func (p *actParser) decap(s string) (Action, error) {
	p.usable &= P13 | P14 | P15
	d := &Decap{NewPacketType: PacketTypeUseNext}
	if s == "" {
		return d, nil
	}
	kvs := SplitKeyValues(s)
	if kvs[0].Key != "packet_type" {
		return nil, fmt.Errorf("Invalid decap argument: %s", kvs[0].Key)
	}
	d.NewPacketType = 0
	for _, want := range []struct {
		name  string
		shift int
	}{{"ns", 16}, {"type", 0}} {
		v, err := packetTypePart(kvs[0].Value, want.name)
		if err != nil {
			return nil, err
		}
		if want.name == "ns" && v > maxNamespace {
			return nil, fmt.Errorf("Unsupported ns value: %d", v)
		}
		d.NewPacketType |= uint32(v) << want.shift
	}
	return d, nil
}

// packetTypePart finds one of the two numbers that make up a packet type.
func packetTypePart(s, name string) (uint16, error) {
	for kv := range keyValues(s) {
		if kv.Key != name {
			continue
		}
		v, err := strconv.ParseUint(kv.Value, 0, 16)
		if err != nil {
			return 0, fmt.Errorf("invalid %s \"%s\"", name, kv.Value)
		}
		return uint16(v), nil
	}
	return 0, fmt.Errorf("Missing packet_type attribute %s", name)
}

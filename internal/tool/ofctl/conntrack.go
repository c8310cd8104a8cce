package ofctl

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// Commands on the connection tracker of a switch.

func ctFlushZone(t *tool, args []string) error {
	zone, err := strconv.ParseUint(args[1], 0, 16)
	if err != nil {
		return fmt.Errorf("invalid zone_id \"%s\"", args[1])
	}
	return t.with(args[0], func(v *conn) error { return v.mustNoReply(&openflow.CTFlushZone{Zone: uint16(zone)}) })
}

func ctFlush(t *tool, args []string) error {
	m := &openflow.CTFlush{}
	rest := args[1:]
	for len(rest) > 0 {
		known, err := ctFlushFilter(m, rest[0])
		if err != nil {
			return err
		}
		if !known {
			break
		}
		rest = rest[1:]
	}
	if len(rest) > 2 {
		return fmt.Errorf("%s: unexpected argument after the tuples", rest[2])
	}
	for i, s := range rest {
		tuple := []*openflow.CTTuple{&m.Orig, &m.Reply}[i]
		var err error
		if *tuple, err = openflow.ParseCTTuple(s, &m.IPProto); err != nil {
			return fmt.Errorf("Failed to parse ct-tuple: %w", err)
		}
	}
	if !m.OneFamily() {
		return fmt.Errorf("Failed to parse ct-tuple: the L3 protocol does not match %s", firstAddress(&m.Reply))
	}
	return t.with(args[0], func(v *conn) error { return v.mustNoReply(m) })
}

// firstAddress is the first address that a tuple has.
func firstAddress(t *openflow.CTTuple) netip.Addr {
	a := t.Src
	if a == [16]byte{} {
		a = t.Dst
	}
	return netip.AddrFrom16(a).Unmap()
}

// ctFlushFilter reads zone=, mark= and labels=, which may stand before the tuples.
func ctFlushFilter(m *openflow.CTFlush, s string) (known bool, err error) {
	name, value, _ := strings.Cut(s, "=")
	switch name {
	case "zone":
		zone, err := strconv.ParseUint(value, 0, 16)
		if err != nil {
			return false, fmt.Errorf("Failed to parse zone")
		}
		m.Zone, m.HaveZone = uint16(zone), true
	case "mark":
		v, mask, err := flow.FieldCTMark.Field().ParseValue(value, nil)
		if err != nil {
			return false, fmt.Errorf("Failed to parse mark: %w", err)
		}
		m.Mark, m.MarkMask = uint32(v.Lo), uint32(mask.Lo)
	case "labels":
		v, mask, err := flow.FieldCTLabel.Field().ParseValue(value, nil)
		if err != nil {
			return false, fmt.Errorf("Failed to parse labels: %w", err)
		}
		v.PutBytes(m.Labels[:])
		mask.PutBytes(m.LabelsMask[:])
	default:
		return false, nil
	}
	return true, nil
}

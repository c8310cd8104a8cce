package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

// meterFlags are the words for a meter's flags.
var meterFlags = map[string]uint16{"kbps": MeterKbps, "pktps": MeterPktps, "burst": MeterBurst, "stats": MeterStatsFlag}

// ParseMeterMod reads a meter in the syntax of ovs-ofctl(8), "Meter Syntax".
func ParseMeterMod(s string, command MeterModCommand) (*MeterMod, error) {
	m := &MeterMod{Command: command}
	head, bands := s, ""
	if command != MeterDelete {
		i := strings.Index(s, "band")
		if i < 0 {
			return nil, fmt.Errorf("must specify bands")
		}
		_, rest, ok := strings.Cut(s[i:], "=")
		if !ok {
			return nil, fmt.Errorf("must specify bands")
		}
		head, bands = s[:i], rest
	}
	have := false
	for _, kv := range SplitKeyValues(head) {
		flag := meterFlags[kv.Key]
		switch {
		case flag != 0 && kv.Value == "":
			m.Meter.Flags |= flag
		case kv.Key == "meter":
			id, err := ParseMeterID(kv.Value, command == MeterDelete)
			if err != nil {
				return nil, err
			}
			m.Meter.ID, have = id, true
		case kv.Value == "":
			return nil, fmt.Errorf("field %s missing value", kv.Key)
		default:
			return nil, fmt.Errorf("unknown keyword %s", kv.Key)
		}
	}
	if !have {
		return nil, fmt.Errorf("must specify 'meter'")
	}
	if command != MeterDelete && m.Meter.Flags&(MeterKbps|MeterPktps) == 0 {
		return nil, fmt.Errorf("meter must specify either 'kbps' or 'pktps'")
	}
	return m, m.parseBands(bands)
}

// ParseMeterID reads a number or the name of a special meter; all only where
// it makes sense.
func ParseMeterID(s string, all bool) (uint32, error) {
	switch {
	case s == "all" && all:
		return MeterAll, nil
	case s == "controller":
		return MeterController, nil
	case s == "slowpath":
		return MeterSlowpath, nil
	}
	v, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("invalid numeric format %s", s)
	}
	if v == 0 || v > MeterMax {
		return 0, fmt.Errorf("invalid value for meter")
	}
	return uint32(v), nil
}

func (m *MeterMod) parseBands(s string) error {
	var b *MeterBand
	for _, kv := range SplitKeyValues(s) {
		if kv.Key == "type" {
			if err := m.checkBand(b); err != nil {
				return err
			}
			m.Meter.Bands = append(m.Meter.Bands, MeterBand{})
			b = &m.Meter.Bands[len(m.Meter.Bands)-1]
			switch kv.Value {
			case "drop":
				b.Type = BandDrop
			case "dscp_remark":
				b.Type = BandDSCPRemark
			default:
				return fmt.Errorf("field type unknown value %s", kv.Value)
			}
			continue
		}
		if b == nil {
			return fmt.Errorf("band must start with the 'type' keyword")
		}
		if err := b.set(kv); err != nil {
			return err
		}
	}
	return m.checkBand(b)
}

// set reads one property of a band.
func (b *MeterBand) set(kv KeyValue) error {
	bits := 32
	if kv.Key == "prec_level" {
		bits = 8
	}
	v, err := parseUint(kv.Value, bits, kv.Key)
	switch kv.Key {
	case "rate":
		b.Rate = uint32(v)
	case "burst_size":
		b.Burst = uint32(v)
	case "prec_level":
		b.PrecLevel = uint8(v)
	default:
		return fmt.Errorf("unknown keyword %s", kv.Key)
	}
	return err
}

// checkBand checks that a band is whole, and what the meter says it is.
func (m *MeterMod) checkBand(b *MeterBand) error {
	if b == nil {
		return nil
	}
	burst, remark := m.Meter.Flags&MeterBurst != 0, b.Type == BandDSCPRemark
	switch {
	case b.Rate == 0:
		return fmt.Errorf("band must have 'rate'")
	case burst && b.Burst == 0:
		return fmt.Errorf("band must have 'burst_size' when 'burst' flag is set")
	case !burst && b.Burst != 0:
		return fmt.Errorf("band may have 'burst_size' only when 'burst' flag is set")
	case remark && b.PrecLevel == 0:
		return fmt.Errorf("'dscp_remark' band must have 'prec_level'")
	case !remark && b.PrecLevel != 0:
		return fmt.Errorf("Only 'dscp_remark' band may have 'prec_level'")
	}
	return nil
}

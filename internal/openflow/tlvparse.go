package openflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseTLVMaps reads "{class=C,type=T,len=L}->tun_metadataN[,...]".
func ParseTLVMaps(s string, command TLVCommand) (*TLVTableMod, error) {
	m := &TLVTableMod{Command: command}
	for _, part := range strings.Split(s, "{") {
		if part = strings.Trim(part, ", \t"); part == "" {
			continue
		}
		t, err := parseTLVMap(part)
		if err != nil {
			return nil, err
		}
		m.Maps = append(m.Maps, t)
	}
	return m, nil
}

var errTLVMap = errors.New("invalid tlv mapping")

// parseTLVMap reads "class=C,type=T,len=L}->tun_metadataN".
func parseTLVMap(s string) (t TLVMap, err error) {
	opts, field, ok := strings.Cut(s, "}->tun_metadata")
	if !ok {
		return t, errTLVMap
	}
	n, err := strconv.ParseUint(strings.TrimSpace(field), 10, 16)
	if err != nil {
		return t, errTLVMap
	}
	t.Index = uint16(n)
	given := map[string]bool{}
	for _, kv := range SplitKeyValues(opts) {
		given[kv.Key] = true
		v, err := strconv.ParseUint(kv.Value, 0, 16)
		if err != nil {
			return t, fmt.Errorf("invalid option %s", kv.Key)
		}
		switch kv.Key {
		case "class":
			t.Class = uint16(v)
		case "type":
			t.Type = uint8(v)
		case "len":
			t.Len = uint8(v)
		default:
			return t, errTLVMap
		}
	}
	if !given["class"] || !given["type"] || !given["len"] {
		return t, errTLVMap
	}
	return t, nil
}

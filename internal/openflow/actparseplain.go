package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

// output reads "output:PORT", "output:FIELD[..]" and "output(port=,max_len=)".
func (p *actParser) output(s string) (Action, error) {
	if strings.Contains(s, "port") && strings.Contains(s, "max_len") {
		return p.outputTrunc(s)
	}
	if n, ok := p.portArg(s); ok {
		o := &Output{Port: n}
		if n == PortController {
			o.MaxLen = 0xffff
		}
		return o, nil
	}
	sub, err := ParseSubfield(s)
	if err != nil {
		return nil, fmt.Errorf("%s: output to unknown port", s)
	}
	return &OutputReg{Src: sub, MaxLen: 0xffff}, nil
}

func (p *actParser) outputTrunc(s string) (Action, error) {
	o := &OutputTrunc{}
	for _, kv := range SplitKeyValues(s) {
		switch kv.Key {
		case "port":
			n, ok := p.portArg(kv.Value)
			if !ok {
				return nil, fmt.Errorf("output to unknown truncate port: %s", kv.Value)
			}
			if n >= PortMax && n != PortLocal && n != PortInPort {
				return nil, fmt.Errorf("output to unsupported truncate port: %s", kv.Value)
			}
			o.Port = n
		case "max_len":
			v, err := parseUint(kv.Value, 32, "max_len")
			if err != nil {
				return nil, err
			}
			o.MaxLen = uint32(v)
		default:
			return nil, fmt.Errorf("invalid key '%s' in output_trunc argument", kv.Key)
		}
	}
	if o.MaxLen < 14 {
		return nil, fmt.Errorf("max_len %d is less than the minimum value 14", o.MaxLen)
	}
	return o, nil
}

// controller reads "controller[:MAX_LEN]" and "controller(key=value...)".
func (p *actParser) controller(s string) (Action, error) {
	c := &Controller{MaxLen: 0xffff, Reason: uint8(ReasonAction)}
	if s == "" {
		return &Output{Port: PortController, MaxLen: 0xffff}, nil
	}
	if s[0] >= '0' && s[0] <= '9' {
		v, err := parseUint(s, 16, "max_len")
		return &Output{Port: PortController, MaxLen: uint16(v)}, err
	}
	for _, kv := range SplitKeyValues(s) {
		var v uint64
		var err error
		switch kv.Key {
		case "max_len":
			v, err = parseUint(kv.Value, 16, "max_len")
			c.MaxLen = uint16(v)
		case "id":
			v, err = parseUint(kv.Value, 16, "id")
			c.ControllerID = uint16(v)
		case "reason":
			r, ok := ParsePacketInReason(kv.Value)
			if !ok {
				return nil, fmt.Errorf("unknown reason %q", kv.Value)
			}
			c.Reason = uint8(r)
		case "userdata":
			c.Userdata, err = parseDotHex(kv.Value)
			if err != nil {
				err = fmt.Errorf("bad hex digit in `controller' action `userdata'")
			}
		case "pause":
			c.Pause = true
		case "meter_id":
			v, err = parseUint(kv.Value, 32, "meter_id")
			c.MeterID = uint32(v)
		default:
			return nil, fmt.Errorf("unknown key %q parsing controller action", kv.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if c.Reason == uint8(ReasonAction) && c.ControllerID == 0 && len(c.Userdata) == 0 && !c.Pause && c.MeterID == 0 {
		return &Output{Port: PortController, MaxLen: c.MaxLen}, nil
	}
	return c, nil
}

// parseDotHex reads hex digits with optional periods between pairs.
func parseDotHex(s string) ([]byte, error) {
	s = strings.ReplaceAll(s, ".", "")
	if len(s)%2 != 0 {
		return nil, fmt.Errorf("odd number of hex digits")
	}
	out := make([]byte, len(s)/2)
	for i := range out {
		v, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			return nil, err
		}
		out[i] = byte(v)
	}
	return out, nil
}

// note pads its data to 6 more than a multiple of 8, as the wire does.
func (p *actParser) note(s string) (Action, error) {
	b, err := parseDotHex(s)
	if err != nil {
		return nil, fmt.Errorf("bad hex digit in `note' argument")
	}
	for (len(b)+2)%8 != 0 {
		b = append(b, 0)
	}
	return &Note{Data: b}, nil
}

func (p *actParser) enqueue(s string) (Action, error) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(":,q ", r) })
	if len(parts) != 2 {
		return nil, fmt.Errorf(`"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"`)
	}
	port, ok := p.portArg(parts[0])
	if !ok {
		return nil, fmt.Errorf("%s: enqueue to unknown port", parts[0])
	}
	q, err := parseUint(parts[1], 32, "queue")
	if err != nil {
		return nil, err
	}
	return &Enqueue{Port: port, Queue: uint32(q)}, nil
}

func (p *actParser) resubmit(s string) (Action, error) {
	r := &Resubmit{InPort: PortInPort, Table: TableAny}
	parts := strings.SplitN(s, ",", 3)
	if in := strings.TrimSpace(parts[0]); in != "" {
		n, ok := p.portArg(in)
		if !ok {
			return nil, fmt.Errorf("%s: resubmit to unknown port", in)
		}
		r.InPort = n
	}
	if len(parts) > 1 {
		if t := strings.TrimSpace(parts[1]); t != "" {
			id, err := strconv.ParseUint(t, 0, 32)
			if err == nil && id > 255 || err != nil {
				if table, e := p.tableArg(t); e == nil && err != nil {
					id = uint64(table)
				} else {
					return nil, fmt.Errorf("%s: resubmit to unknown table", t)
				}
			}
			r.Table = uint8(id)
		}
	}
	if len(parts) > 2 {
		if strings.TrimSpace(parts[2]) != "ct" {
			return nil, fmt.Errorf("%s: unknown parameter", parts[2])
		}
		r.WithCT = true
	}
	if r.InPort == PortInPort && r.Table == TableAny {
		return nil, fmt.Errorf("at least one \"in_port\" or \"table\" must be specified on resubmit")
	}
	return r, nil
}

func (p *actParser) decTTL(s string) (Action, error) {
	d := &DecTTL{}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		v, _ := strconv.ParseUint(w, 0, 16)
		d.IDs = append(d.IDs, uint16(v))
		d.FromIDs = true
	}
	switch {
	case len(d.IDs) > 0:
	case s != "":
		return nil, fmt.Errorf("dec_ttl_cnt_ids: expected at least one controller id.")
	default:
		d.IDs = []uint16{0}
	}
	return d, nil
}

func (p *actParser) finTimeout(s string) (Action, error) {
	f := &FinTimeout{}
	for _, kv := range SplitKeyValues(s) {
		var dst *uint16
		switch kv.Key {
		case "idle_timeout":
			dst = &f.Idle
		case "hard_timeout":
			dst = &f.Hard
		default:
			return nil, fmt.Errorf("invalid key '%s' in 'fin_timeout' argument", kv.Key)
		}
		v, err := parseUint(kv.Value, 16, kv.Key)
		if err != nil {
			return nil, err
		}
		*dst = uint16(v)
	}
	return f, nil
}

func (p *actParser) writeMetadata(s string) (Action, error) {
	val, mask, masked := strings.Cut(s, "/")
	w := &WriteMetadata{Mask: ^uint64(0)}
	var err error
	if masked {
		if w.Mask, err = parseUint(mask, 64, ""); err != nil {
			return nil, err
		}
	}
	p.usable &= PAnyNXM | P11 | PAnyOXM
	w.Value, err = parseUint(val, 64, "")
	return w, err
}

func (p *actParser) conjunction(s string) (Action, error) {
	c := &Conjunction{}
	syntax := fmt.Errorf(`"conjunction" syntax is "conjunction(id,i/n)"`)
	id, rest, ok := strings.Cut(s, ",")
	clause, n, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return nil, syntax
	}
	i, err1 := strconv.ParseUint(strings.TrimSpace(clause), 10, 8)
	k, err2 := strconv.ParseUint(strings.TrimSpace(n), 10, 8)
	v, err3 := strconv.ParseUint(strings.TrimSpace(id), 0, 32)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return nil, syntax
	case k < 2:
		return nil, fmt.Errorf("conjunction must have at least 2 clauses")
	case k > 64:
		return nil, fmt.Errorf("conjunction must have at most 64 clauses")
	case i < 1:
		return nil, fmt.Errorf("clause index must be positive")
	case i > k:
		return nil, fmt.Errorf("clause index must be less than or equal to number of clauses")
	}
	c.ID, c.Clause, c.N = uint32(v), uint8(i-1), uint8(k)
	return c, nil
}

func (p *actParser) clone(s string) (Action, error) {
	as, err := p.list(s)
	return &Clone{Actions: as}, err
}

func (p *actParser) writeActions(s string) (Action, error) {
	outer := p.nested
	p.nested = "write_actions"
	as, err := p.list(s)
	p.nested = outer
	return &WriteActions{Actions: as}, err
}

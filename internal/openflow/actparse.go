package openflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// actParser parses actions; usable narrows to the protocols that can say them.
type actParser struct {
	names  *Names
	usable Protocol
	// plain is set where instructions may not stand.
	plain bool
	// nested is the action that the ones being parsed stand in, "" at the top.
	nested string
	depth  int
}

// maxActionBytes is how long a list of actions may be: its length has 16 bits.
const maxActionBytes = 65535

// ParseActions reads an action list in the syntax of ovs-actions(7), and tells
// which protocols can carry it: of a group's bucket or a packet-out, where
// instructions may not stand.
func ParseActions(s string, names *Names) ([]Action, Protocol, error) {
	p := &actParser{names: names, usable: PAny, plain: true}
	return p.whole(s)
}

// ParseInstructions is ParseActions for a flow, whose actions may be
// instructions, too.
func ParseInstructions(s string, names *Names) ([]Action, Protocol, error) {
	p := &actParser{names: names, usable: PAny}
	return p.whole(s)
}

func (p *actParser) whole(s string) ([]Action, Protocol, error) {
	as, err := p.list(s)
	if err != nil {
		return nil, 0, err
	}
	if !p.plain {
		if err := checkOrder(as); err != nil {
			return nil, 0, err
		}
	}
	if a := besideConjunction(as); a != nil {
		return nil, 0, errors.New(beside(a))
	}
	if text := outsideCT(as); text != "" {
		return nil, 0, errors.New(text)
	}
	// No action takes less than a byte of text and more than 16 elsewhere.
	if len(s) > maxActionBytes/16 && len(EncodeActions(as, V13, true)) > maxActionBytes {
		return nil, 0, errors.New("input too big")
	}
	return as, p.usable, nil
}

// onlyActions refuses instructions; meter is an action in OpenFlow 1.5, too.
func (p *actParser) onlyActions(as []Action) error {
	for _, a := range as {
		switch place, name := instOrder(a); {
		case place == instMeter:
			p.usable &= P15
		case place != instApply:
			return fmt.Errorf("%s instruction not allowed here", name)
		}
	}
	return nil
}

func (p *actParser) list(s string) ([]Action, error) {
	if p.depth++; p.depth > 64 {
		return nil, fmt.Errorf("Action nested too deeply")
	}
	defer func() { p.depth-- }()
	var out []Action
	drop := false
	n := 0
	for kv := range keyValues(s) {
		n++
		if kv.Key == "drop" {
			drop = true
			continue
		}
		as, err := p.one(kv)
		if err != nil {
			return nil, err
		}
		out = append(out, as...)
	}
	if p.plain || p.depth > 1 {
		if err := p.onlyActions(out); err != nil {
			return nil, err
		}
	}
	if drop && n > 1 {
		return nil, fmt.Errorf(`"drop" must not be accompanied by any other action or instruction`)
	}
	return out, nil
}

// one reads one action; a few write several.
func (p *actParser) one(kv KeyValue) ([]Action, error) {
	f := actParsers()[strings.ToLower(kv.Key)]
	if f != nil {
		a, err := f(p, kv.Value)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return nil, nil
		}
		return []Action{a}, nil
	}
	if strings.EqualFold(kv.Key, "apply_actions") {
		return nil, fmt.Errorf("apply_actions is the default instruction")
	}
	port, ok := flow.ParsePort(kv.Key, p.names.ports())
	if !ok {
		return nil, fmt.Errorf("unknown action %s", kv.Key)
	}
	o := &Output{Port: PortNo(port)}
	if o.Port == PortController {
		a, err := p.controller(kv.Value)
		return []Action{a}, err
	}
	return []Action{o}, nil
}

type actParseFunc = func(*actParser, string) (Action, error)

// fixed makes a parser of an action without arguments.
func fixed(make func() Action) actParseFunc {
	return func(*actParser, string) (Action, error) { return make(), nil }
}

// number makes a parser of an action with one number of at most bits bits.
func number(bits int, what string, make func(uint64) Action) actParseFunc {
	return func(_ *actParser, s string) (Action, error) {
		v, err := parseUint(s, bits, what)
		if err != nil {
			return nil, err
		}
		return make(v), nil
	}
}

// parseUint reads a number with C's prefixes; errors as the C program has them.
func parseUint(s string, bits int, what string) (uint64, error) {
	if bits == 32 || bits == 64 {
		if bits == 32 && strings.HasPrefix(s, "-") {
			if n, err := strconv.ParseInt(s, 0, 32); err == nil {
				return uint64(uint32(n)), nil
			}
		}
		if bits == 64 && strings.HasPrefix(s, "-") {
			if n, err := strconv.ParseInt(s, 0, 64); err == nil {
				return uint64(n), nil
			}
		}
		n, err := strconv.ParseUint(s, 0, bits)
		if err != nil || strings.Contains(s, "_") {
			if s == "" {
				return 0, fmt.Errorf("missing required numeric argument")
			}
			return 0, fmt.Errorf("invalid numeric format %s", s)
		}
		return n, nil
	}
	n, err := strconv.ParseUint(s, 0, bits)
	if err != nil || strings.Contains(s, "_") {
		return 0, fmt.Errorf("invalid %s %q", what, s)
	}
	return n, nil
}

// actParsers maps the names of actions to their parsers.
func actParsers() map[string]actParseFunc { return actParseTable() }

func (p *actParser) portArg(s string) (PortNo, bool) {
	n, ok := flow.ParsePort(s, p.names.ports())
	return PortNo(n), ok
}

func (p *actParser) tableArg(s string) (uint8, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err == nil && n <= 255 {
		return uint8(n), nil
	}
	if err != nil && p.names != nil && p.names.Tables != nil {
		if id, ok := p.names.Tables.TableNumber(strings.Trim(s, `"`)); ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("unknown table %q", s)
}

func parseMACArg(s string) (m [6]byte, err error) {
	f := flow.FieldEthSrc.Field()
	v, _, e := f.ParseValue(s, nil)
	if e != nil || s == "" || strings.Contains(s, "/") {
		return m, fmt.Errorf("invalid mac address %s", s)
	}
	v.PutBytes(m[:])
	return m, nil
}

func parseIPArg(s string) (uint32, error) {
	a, mask, err := flow.ParseIPv4Masked(s)
	if err != nil || mask != 0xffffffff {
		return 0, fmt.Errorf("%s: could not convert to IP address", s)
	}
	return a, nil
}

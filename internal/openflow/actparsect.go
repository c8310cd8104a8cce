package openflow

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Text of the actions on connection tracking: ct and nat.

func (p *actParser) ct(s string) (Action, error) {
	c := &CT{Table: CTNoTable}
	var nat Action
	var exec []Action
	for _, kv := range SplitKeyValues(s) {
		var err error
		switch kv.Key {
		case "commit":
			c.Flags |= CTCommit
		case "force":
			c.Flags |= CTForce
		case "table":
			err = p.ctTable(c, kv.Value)
		case "zone":
			err = c.parseZone(kv.Value)
		case "alg":
			err = c.parseALG(kv.Value)
		case "nat":
			nat, err = p.nat(kv.Value)
		case "exec":
			outer := p.nested
			p.nested = "ct"
			exec, err = p.list(kv.Value)
			p.nested = outer
		default:
			err = fmt.Errorf("invalid argument to \"ct\" action: `%s'", kv.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if nat != nil {
		c.Actions = append(c.Actions, nat)
	}
	c.Actions = append(c.Actions, exec...)
	if c.Flags&CTForce != 0 && c.Flags&CTCommit == 0 {
		return nil, fmt.Errorf("\"force\" flag requires \"commit\" flag.")
	}
	if text, code := c.checkNested(); code != 0 {
		return nil, fmt.Errorf("%s", text)
	}
	return c, nil
}

func (p *actParser) ctTable(c *CT, s string) (err error) {
	if c.Table, err = p.tableArg(s); err != nil {
		return fmt.Errorf("unknown table %s", s)
	}
	if c.Table == CTNoTable {
		return fmt.Errorf("invalid table %#x", c.Table)
	}
	return nil
}

// parseZone reads a number or the field that has it.
func (c *CT) parseZone(s string) (err error) {
	if v, e := parseUint(s, 16, "zone"); e == nil {
		c.ZoneImm = uint16(v)
		return nil
	}
	if c.ZoneSrc, err = ParseSubfield(s); err == nil && c.ZoneSrc.N != 16 {
		err = fmt.Errorf("zone n_bits %d not within valid range [16..16]", c.ZoneSrc.N)
	}
	return err
}

func (c *CT) parseALG(s string) error {
	switch s {
	case "ftp":
		c.ALG = CTALGFTP
	case "tftp":
		c.ALG = CTALGTFTP
	default:
		return fmt.Errorf("invalid conntrack helper \"%s\"", s)
	}
	return nil
}

func (p *actParser) nat(s string) (Action, error) {
	n := &NAT{}
	for _, kv := range SplitKeyValues(s) {
		switch kv.Key {
		case "src", "dst":
			if kv.Key == "src" {
				n.Flags |= NATSrc
			} else {
				n.Flags |= NATDst
			}
			if kv.Value != "" {
				if err := n.parseRange(kv.Value); err != nil {
					return nil, err
				}
			}
		case "persistent":
			n.Flags |= NATPersistent
		case "hash":
			n.Flags |= NATProtoHash
		case "random":
			n.Flags |= NATProtoRandom
		default:
			return nil, fmt.Errorf("invalid key %q in \"nat\" argument", kv.Key)
		}
	}
	return n, n.checkFlags()
}

// checkFlags refuses flags that exclude each other.
func (n *NAT) checkFlags() error {
	has := func(f NATFlags) bool { return n.Flags&f != 0 }
	switch {
	case has(NATSrc) && has(NATDst):
		return errors.New("May only specify one of \"src\" or \"dst\".")
	case n.Flags != 0 && !has(NATSrc) && !has(NATDst):
		return errors.New("Flags allowed only with \"src\" or \"dst\".")
	case has(NATProtoHash) && has(NATProtoRandom):
		return errors.New("Both \"hash\" and \"random\" are not allowed.")
	}
	return nil
}

// parseRange reads ADDR[-ADDR][:PORT[-PORT]]; IPv6 addresses with ports in
// brackets.
func (n *NAT) parseRange(s string) error {
	addrs, ports := s, ""
	hasPorts := false
	if strings.HasPrefix(s, "[") {
		i := strings.LastIndex(s, "]")
		addrs, ports = s[:max(i+1, 0)], s[max(i+1, 0):]
		if ports, hasPorts = strings.CutPrefix(ports, ":"); !hasPorts && ports != "" {
			return natError(s)
		}
	} else if strings.Count(s, ":") == 1 {
		addrs, ports, hasPorts = strings.Cut(s, ":")
	}
	if addrs != "" {
		lo, hi, isRange := strings.Cut(addrs, "-")
		if err := n.setAddr(&n.AddrMin, lo, s); err != nil {
			return err
		}
		n.HasAddr = true
		if isRange {
			if err := n.setAddr(&n.AddrMax, hi, s); err != nil {
				return err
			}
			if string(n.AddrMax[:]) < string(n.AddrMin[:]) {
				return natError(s)
			}
		}
	}
	if !hasPorts {
		return nil
	}
	lo, hi, isRange := strings.Cut(ports, "-")
	v, err := strconv.ParseUint(lo, 10, 16)
	n.ProtoMin = uint16(v)
	if err != nil {
		return natError(s)
	}
	if isRange {
		v, err := strconv.ParseUint(hi, 10, 16)
		n.ProtoMax = uint16(v)
		if err != nil || n.ProtoMax < n.ProtoMin {
			return natError(s)
		}
	}
	return nil
}

// natError says what is wrong with a range, "ADDR[-ADDR][:PORT[-PORT]]": what is
// behind it, or, where a part is missing or ends before it begins, all of it.
func natError(s string) error {
	invalid := fmt.Errorf("invalid nat range %q", s)
	at := addressLen(s)
	more := func(sep byte, length func(string) int) bool {
		if at >= len(s) || s[at] != sep {
			return true
		}
		n := length(s[at+1:])
		at += 1 + n
		return n > 0
	}
	if at > 0 && (!more('-', addressLen) || !more(':', digitsLen) || !more('-', digitsLen)) || at == len(s) {
		return invalid
	}
	return fmt.Errorf("garbage (%s) after nat range %q (pos: %d)", s[at:], s, at)
}

// addressLen is how much of s is an address at its beginning.
func addressLen(s string) int {
	for n := len(s); n > 0; n-- {
		text := s[:n]
		if text[0] == '[' && text[n-1] == ']' && n > 2 {
			text = text[1 : n-1]
		}
		if _, err := netip.ParseAddr(text); err == nil {
			return n
		}
	}
	return 0
}

// digitsLen is how many digits s begins with.
func digitsLen(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func (n *NAT) setAddr(dst *[16]byte, s, whole string) error {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return natError(whole)
	}
	if a.Is4() {
		b := a.As4()
		copy(dst[:], b[:])
		return nil
	}
	n.IPv6 = true
	*dst = a.As16()
	return nil
}

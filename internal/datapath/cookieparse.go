package datapath

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

func parseUserspace(body string, names *Namer) (Action, error) {
	a := &Userspace{}
	return a, members(body, func(n, v string) (err error) {
		switch n {
		case "pid":
			var m uint32
			return num(v, &a.PID, &m)
		case "tunnel_out_port":
			no, ok := names.parse(v)
			if !ok {
				return fmt.Errorf("%q is no port", v)
			}
			a.TunOutPort = no
			return nil
		case "":
			if v == "actions" {
				a.WithActions = true
				return nil
			}
			name, inner, call, err := cutCall(v)
			if err != nil || !call {
				return unknownMember(v)
			}
			return parseCookie(a, name, inner, names)
		}
		return unknownMember(n)
	})
}

func parseCookie(a *Userspace, name, body string, names *Namer) (err error) {
	c := &a.Cookie
	switch name {
	case "userdata":
		a.Data, err = hex.DecodeString(body)
		return err
	case "slow_path":
		c.Kind = CookieSlowPath
		c.Slow, err = parseSlow(body)
		return err
	case "watch":
		c.Kind = CookieWatch
		u, _, _, err := ParseUFID("ufid:" + body)
		c.Bridge = u
		return err
	case "controller":
		c.Kind = CookieController
	case "sFlow":
		c.Kind = CookieSFlow
	case "flow_sample":
		c.Kind = CookieFlowSample
	case "ipfix":
		c.Kind = CookieIPFIX
	default:
		return unknownMember(name)
	}
	return members(body, func(n, v string) error { return c.member(n, v, names) })
}

// member reads a member of a cookie, most of which are numbers.
func (c *Cookie) member(n, v string, names *Namer) error {
	switch {
	case n == "" && v == "ingress":
		c.SampleDirection = SampleIngress
		return nil
	case n == "" && v == "egress":
		c.SampleDirection = SampleEgress
		return nil
	case n == "output_port":
		no, ok := names.parse(v)
		if !ok {
			return fmt.Errorf("%q is no port", v)
		}
		c.Output = uint32(no)
		return nil
	}
	val, err := strconv.ParseUint(v, 0, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", v)
	}
	return c.setMember(n, val)
}

func (c *Cookie) setMember(n string, val uint64) error {
	switch n {
	case "reason":
		c.Reason = uint8(val)
	case "dont_send":
		c.DontSend = val != 0
	case "continuation":
		c.Continuation = val != 0
	case "recirc_id":
		c.RecircID = uint32(val)
	case "rule_cookie":
		c.RuleCookie = val
	case "controller_id":
		c.ControllerID = uint16(val)
	case "max_len":
		c.MaxLen = uint16(val)
	case "vid":
		c.VLANTCI = c.VLANTCI&^0xfff | uint16(val)&0xfff
	case "pcp":
		c.VLANTCI = c.VLANTCI&0x1fff | uint16(val)<<13
	case "output":
		c.Output = uint32(val)
	case "probability":
		c.Probability = uint16(val)
	case "collector_set_id":
		c.CollectorSet = uint32(val)
	case "obs_domain_id":
		c.ObsDomain = uint32(val)
	case "obs_point_id":
		c.ObsPoint = uint32(val)
	default:
		return unknownMember(n)
	}
	return nil
}

func parseSlow(s string) (SlowReason, error) {
	if v, err := strconv.ParseUint(s, 0, 32); err == nil {
		if v >= 1<<len(slowNames) {
			return 0, fmt.Errorf("unknown slow path reason %q", s)
		}
		return SlowReason(v), nil
	}
	var r SlowReason
next:
	for _, part := range strings.Split(s, ",") {
		for i, name := range slowNames {
			if part == name {
				r |= 1 << i
				continue next
			}
		}
		if part != "" {
			return 0, fmt.Errorf("unknown slow path reason %q", part)
		}
	}
	return r, nil
}

func parseCT(body string) (Action, error) {
	a := &CT{}
	return a, members(body, func(n, v string) (err error) {
		var m16 uint16
		switch n {
		case "zone":
			return num(v, &a.Zone, &m16)
		case "mark":
			return num(v, &a.Mark, &a.MarkMask)
		case "label":
			a.Label, a.LabelMask, err = parse128(v)
			return err
		case "helper":
			a.Helper = v
			return nil
		case "timeout":
			a.Timeout = v
			return nil
		case "":
			switch v {
			case "commit":
				a.Commit = true
				return nil
			case "force_commit":
				a.Commit, a.Force = true, true
				return nil
			}
			name, inner, _, err := cutCall(v)
			if err == nil && name == "nat" {
				a.NAT, err = parseNAT(inner)
				return err
			}
			return unknownMember(v)
		}
		return unknownMember(n)
	})
}

func parseNAT(body string) (*NAT, error) {
	nat := &NAT{}
	return nat, members(body, func(n, v string) error {
		word := n
		if n == "" {
			word, v = v, ""
		}
		switch word {
		case "src":
			nat.Src = true
		case "dst":
			nat.Dst = true
		case "persistent":
			nat.Persistent = true
		case "hash":
			nat.Hash = true
		case "random":
			nat.Random = true
		default:
			return unknownMember(word)
		}
		if v == "" {
			return nil
		}
		return parseNATRange(nat, v)
	})
}

// parseNATRange reads ADDR[-ADDR][:PORT[-PORT]]; an IPv6 address with ports
// stands in brackets.
func parseNATRange(nat *NAT, s string) (err error) {
	addrs, ports := s, ""
	bracket := strings.LastIndexByte(s, ']')
	if i := strings.LastIndexByte(s, ':'); i > bracket && (bracket >= 0 || strings.Count(s, ":") == 1) {
		addrs, ports = s[:i], s[i+1:]
	}
	if addrs != "" {
		lo, hi, ranged := strings.Cut(addrs, "-")
		if nat.MinAddr, err = netip.ParseAddr(strings.Trim(lo, "[]")); err != nil {
			return err
		}
		nat.MaxAddr = nat.MinAddr
		if ranged {
			if nat.MaxAddr, err = netip.ParseAddr(strings.Trim(hi, "[]")); err != nil {
				return err
			}
		}
	}
	if ports == "" {
		return nil
	}
	lo, hi, ranged := strings.Cut(ports, "-")
	v, err := strconv.ParseUint(lo, 10, 16)
	if err != nil {
		return err
	}
	nat.MinPort, nat.MaxPort = uint16(v), uint16(v)
	if ranged {
		if v, err = strconv.ParseUint(hi, 10, 16); err != nil {
			return err
		}
		nat.MaxPort = uint16(v)
	}
	return nil
}

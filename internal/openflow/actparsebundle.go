package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

func parseHashFields(s string) (HashFields, bool) {
	for i, n := range hashFieldNames {
		if strings.EqualFold(n, s) {
			return HashFields(i), true
		}
	}
	return 0, false
}

func indexFold(list []string, s string) int {
	for i, n := range list {
		if strings.EqualFold(n, s) {
			return i
		}
	}
	return -1
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func (p *actParser) multipath(s string) (Action, error) {
	w := words(s)
	if len(w) < 6 {
		return nil, fmt.Errorf("%s: not enough arguments to multipath action", s)
	}
	m := &Multipath{}
	f, ok := parseHashFields(w[0])
	if !ok {
		return nil, fmt.Errorf("%s: unknown fields `%s'", s, w[0])
	}
	alg := indexFold(multipathNames, w[2])
	if alg < 0 {
		return nil, fmt.Errorf("%s: unknown algorithm `%s'", s, w[2])
	}
	n, _ := strconv.ParseUint(w[3], 0, 32)
	if n < 1 || n > 65536 {
		return nil, fmt.Errorf("%s: n_links %s is not in valid range 1 to 65536", s, w[3])
	}
	basis, _ := strconv.ParseUint(w[1], 0, 32)
	arg, _ := strconv.ParseUint(w[4], 0, 32)
	dst, err := ParseSubfield(w[5])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if err := plainHeader(s, w[5], dst); err != nil {
		return nil, err
	}
	if dst.N < 16 && n > 1<<dst.N {
		return nil, fmt.Errorf("%s: %d-bit destination field has %d possible values, less than specified n_links %d", s, dst.N, 1<<dst.N, n)
	}
	m.Fields, m.Basis, m.Algorithm, m.MaxLink, m.Arg, m.Dst = f, uint16(basis), uint16(alg), uint16(n-1), uint32(arg), dst
	return m, nil
}

func (p *actParser) bundle(s string) (Action, error)     { return p.parseBundle(s, false) }
func (p *actParser) bundleLoad(s string) (Action, error) { return p.parseBundle(s, true) }

// bundleShape checks that there are head words, the last of which begins the members.
func bundleShape(s string, w []string, head int) error {
	if len(w) < head {
		return fmt.Errorf("%s: not enough arguments to bundle action", s)
	}
	delim, _, ok := strings.Cut(w[head-1], ":")
	if !ok {
		delim = strings.Join(w[head-1:], ",") // all of it stands where the word should
	}
	if !strings.EqualFold(delim, "members") && !strings.EqualFold(delim, "slaves") {
		return fmt.Errorf("%s: missing member delimiter, expected `members', got `%s'", s, delim)
	}
	return nil
}

// bundleDst reads where bundle_load puts the port.
func bundleDst(s, word string) (Subfield, error) {
	dst, err := ParseSubfield(word)
	switch {
	case err != nil:
		return dst, fmt.Errorf("%s: %w", s, err)
	case dst.N < 16:
		return dst, fmt.Errorf("%s: bundle_load destination has %d bits but at least 16 required", s, dst.N)
	}
	return dst, plainHeader(s, word, dst)
}

// bundleMembers reads ports; the list may stand in brackets.
func (p *actParser) bundleMembers(words []string) (members []PortNo, err error) {
	for _, m := range words {
		m = strings.Trim(m, "[]")
		if m == "" {
			continue
		}
		port, ok := p.portArg(m)
		if !ok {
			return nil, fmt.Errorf("%s: bad port number", m)
		}
		members = append(members, port)
	}
	return members, nil
}

func (p *actParser) parseBundle(s string, load bool) (Action, error) {
	w := words(s)
	head := 5
	if load {
		head = 6
	}
	if err := bundleShape(s, w, head); err != nil {
		return nil, err
	}
	_, first, _ := strings.Cut(w[head-1], ":")
	b := &Bundle{}
	f, ok := parseHashFields(w[0])
	if !ok {
		return nil, fmt.Errorf("%s: unknown fields `%s'", s, w[0])
	}
	alg := indexFold(bundleNames, w[2])
	if alg < 0 {
		return nil, fmt.Errorf("%s: unknown algorithm `%s'", s, w[2])
	}
	if !strings.EqualFold(w[3], "ofport") {
		return nil, fmt.Errorf("%s: unknown member_type `%s'", s, w[3])
	}
	var err error
	if load {
		if b.Dst, err = bundleDst(s, w[4]); err != nil {
			return nil, err
		}
	}
	if b.Members, err = p.bundleMembers(append([]string{first}, w[head:]...)); err != nil {
		return nil, err
	}
	if len(b.Members) > 2048 {
		return nil, fmt.Errorf("%s: too many members", s)
	}
	basis, _ := strconv.ParseUint(w[1], 0, 32)
	b.Fields, b.Basis, b.Algorithm = f, uint16(basis), uint16(alg)
	return b, nil
}

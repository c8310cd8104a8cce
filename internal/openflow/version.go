package openflow

import (
	"errors"
	"fmt"
	"strings"
)

// Version is the version byte of an OpenFlow header.
type Version uint8

// The versions of OpenFlow.
const (
	V10 Version = 1 + iota
	V11
	V12
	V13
	V14
	V15
)

// String gives the name that users type: "OpenFlow13".
func (v Version) String() string {
	if v < V10 || v > V15 {
		return fmt.Sprintf("0x%02x", uint8(v))
	}
	return [...]string{"OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"}[v-1]
}

// Dotted gives the number of the specification: "1.3".
func (v Version) Dotted() string { return fmt.Sprintf("1.%d", int(v)-1) }

// ParseVersion reads a name of a version ("OpenFlow13", "openflow1.3").
func ParseVersion(s string) (Version, bool) {
	for v := V10; v <= V15; v++ {
		if equalFold(s, v.String()) || equalFold(s, "OpenFlow"+v.Dotted()) {
			return v, true
		}
	}
	return 0, false
}

// ParseVersions reads the names of one version or more, with commas or spaces between
// them. The error's text is that of Open vSwitch's programs.
func ParseVersions(s string) (set VersionSet, err error) {
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		v, ok := ParseVersion(name)
		if !ok {
			return 0, fmt.Errorf("Unknown OpenFlow version: \"%s\"", name)
		}
		set |= Versions(v)
	}
	if set == 0 {
		return 0, errors.New("No OpenFlow versions specified")
	}
	return set, nil
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// VersionSet is a set of versions: bit 1<<v stands for version v.
type VersionSet uint32

// AllVersions is every version this package speaks.
const AllVersions = VersionSet(1<<V10 | 1<<V11 | 1<<V12 | 1<<V13 | 1<<V14 | 1<<V15)

// Versions makes a set.
func Versions(vs ...Version) VersionSet {
	var s VersionSet
	for _, v := range vs {
		s |= 1 << v
	}
	return s
}

// Has reports whether v is in the set.
func (s VersionSet) Has(v Version) bool { return v < 32 && s&(1<<v) != 0 }

// Max is the highest version of the set, 0 when it is empty.
func (s VersionSet) Max() Version {
	for v := Version(31); v > 0; v-- {
		if s.Has(v) {
			return v
		}
	}
	return 0
}

// Min is the lowest version of the set, 0 when it is empty.
func (s VersionSet) Min() Version {
	for v := Version(1); v < 32; v++ {
		if s.Has(v) {
			return v
		}
	}
	return 0
}

// Protocol is a version together with the flow format in use: OpenFlow 1.0
// has four (standard or NXM matches, each with or without the Nicira extension
// that puts a table id in flow mods), later versions one each. It is a bit, so
// that a Protocol is also a set of protocols (ovs-ofctl -F).
type Protocol uint16

// The protocols.
const (
	P10     Protocol = 1 << iota // OpenFlow10-table_id
	P10TID                       // OpenFlow10+table_id
	PNXM                         // NXM-table_id
	PNXMTID                      // NXM+table_id
	P11                          // OpenFlow11
	P12                          // OXM-OpenFlow12
	P13
	P14
	P15
)

// Sets of protocols.
const (
	PAny10  = P10 | P10TID | PNXM | PNXMTID
	PAnyNXM = PNXM | PNXMTID
	PAnyOXM = P12 | P13 | P14 | P15
	PAny    = PAny10 | P11 | PAnyOXM
	PTID    = P10TID | PNXMTID
)

// Version is the version that protocol p (one bit) is spoken in.
func (p Protocol) Version() Version {
	switch p {
	case P11:
		return V11
	case P12:
		return V12
	case P13:
		return V13
	case P14:
		return V14
	case P15:
		return V15
	}
	return V10
}

// Protocol is the protocol that a connection of version v starts with.
func (v Version) Protocol() Protocol {
	switch v {
	case V11:
		return P11
	case V12:
		return P12
	case V13:
		return P13
	case V14:
		return P14
	case V15:
		return P15
	}
	return P10
}

// Protocols is the set of protocols that can be spoken in version v.
func (v Version) Protocols() Protocol {
	if v == V10 {
		return PAny10
	}
	return v.Protocol()
}

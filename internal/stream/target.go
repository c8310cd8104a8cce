// Package stream opens and accepts the byte-stream connections that OVSDB and
// OpenFlow run on, by Open vSwitch's connection methods (ovsdb(7), "Connection
// Methods"; ovs-vswitchd.conf.db(5)): active tcp:, ssl: and unix:, passive
// ptcp:, pssl: and punix:. FSM is the state machine that decides when to
// connect again and when to probe an idle peer.
package stream

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// Ports that IANA assigned and that a connection method may leave out.
const (
	OVSDBPort    = 6640
	OpenFlowPort = 6653
)

// ErrUnsupported is what Parse returns for a connection method whose kind no
// stream has, EAFNOSUPPORT's text.
var ErrUnsupported = errors.New("Address family not supported by protocol")

// Target is one parsed connection method.
type Target struct {
	Name    string // as the user wrote it
	Kind    string // "tcp", "ssl" or "unix"
	Passive bool   // listens rather than connects
	Host    string // address or name; "" for a passive one on all addresses
	Port    int    // TCP port; 0 for a passive one lets the kernel choose
	Path    string // unix socket's file
}

// Parse takes a connection method apart. defPort stands for a port that is
// left out. Relative unix socket names are relative to runDir.
func Parse(name string, defPort int, runDir string) (Target, error) {
	kind, rest, ok := strings.Cut(name, ":")
	t := Target{Name: name, Kind: kind}
	if !ok {
		return t, ErrUnsupported
	}
	switch kind {
	case "punix", "ptcp", "pssl":
		t.Passive, t.Kind = true, kind[1:]
	case "unix", "tcp", "ssl":
	default:
		return t, ErrUnsupported
	}
	if t.Kind == "unix" {
		t.Path = rest
		if runDir != "" && !filepath.IsAbs(rest) {
			t.Path = filepath.Join(runDir, rest)
		}
		if rest == "" {
			return t, fmt.Errorf("%s: socket name missing", name)
		}
		return t, nil
	}
	return t, t.parseInet(rest, defPort)
}

// IsActive reports whether name is of the form of an active method.
func IsActive(name string) bool {
	return strings.HasPrefix(name, "tcp:") || strings.HasPrefix(name, "ssl:") || strings.HasPrefix(name, "unix:")
}

// IsPassive reports whether name is of the form of a passive method.
func IsPassive(name string) bool {
	return strings.HasPrefix(name, "ptcp:") || strings.HasPrefix(name, "pssl:") || strings.HasPrefix(name, "punix:")
}

// parseInet parses HOST[:PORT] or, for passive methods, [PORT][:HOST].
func (t *Target) parseInet(rest string, defPort int) error {
	host, port := splitColon(rest)
	if t.Passive {
		host, port = port, host
	}
	t.Port = defPort
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fmt.Errorf("%s: bad port number \"%s\"", t.Name, port)
		}
		t.Port = int(n)
	}
	if strings.HasPrefix(host, "[") {
		if !strings.HasSuffix(host, "]") {
			return fmt.Errorf("%s: bad IPv6 address \"%s\"", t.Name, host)
		}
		host = host[1 : len(host)-1]
	}
	if !t.Passive {
		if host == "" {
			return fmt.Errorf("%s: host name must be specified", t.Name)
		}
		if t.Port == 0 {
			return fmt.Errorf("%s: port must be specified", t.Name)
		}
	}
	t.Host = host
	return nil
}

// splitColon cuts at the first colon outside brackets.
func splitColon(s string) (before, after string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// address is the host and port in package net's form.
func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

package vlog

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Facilities that hold until one is set: that of the local system's log and that
// of a --syslog-target (ovs-vswitchd(8), -vFACILITY).
const (
	localFacility  = 3
	remoteFacility = 16
)

// syslogger sends lines to the system log: to the local one by a method, and
// to a target over UDP as well if asked. The output's mutex owns it.
type syslogger struct {
	off    bool   // method null
	prefix bool   // whether the method's lines carry the RFC 3164 prefix
	net    string // network and address of the method; empty until first use
	addr   string
	conn   net.Conn
	failed time.Time // when dialling failed last
	target net.Conn
}

// redial is how long a failed connection to the system log is left alone.
const redial = 10 * time.Second

// SetSyslogMethod chooses how messages reach the system's log: libc, null,
// unix:FILE or udp:IP:PORT (ovs-vswitchd(8), --syslog-method).
func SetSyslogMethod(method string) error {
	out.mu.Lock()
	defer out.mu.Unlock()
	s := &out.syslog
	next := syslogger{target: s.target}
	switch {
	case method == "null":
		next.off = true
	case method == "libc":
		next.net, next.addr = "unixgram", "/dev/log"
	case strings.HasPrefix(method, "unix:"):
		next.net, next.addr, next.prefix = "unixgram", method[len("unix:"):], true
	case strings.HasPrefix(method, "udp:"):
		next.net, next.addr, next.prefix = "udp", method[len("udp:"):], true
	default:
		return fmt.Errorf("unsupported syslog method '%s'", method)
	}
	if s.conn != nil {
		s.conn.Close()
	}
	*s = next
	return nil
}

// SetSyslogTarget also sends messages to HOST:PORT over UDP. A failure is logged
// and left at that: logging goes on without it.
func SetSyslogTarget(target string) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		For("socket_util").Err("%s: port must be specified", target)
		return
	}
	conn, err := net.Dial("udp", target)
	if err != nil {
		log.Warn("failed to connect to syslog target %s: %v", target, err)
		return
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.syslog.target != nil {
		out.syslog.target.Close()
	}
	out.syslog.target = conn
}

func (s *syslogger) write(r record, pattern string) {
	facility := r.facility
	if s.target != nil {
		if r.facility = facility; facility < 0 {
			r.facility = remoteFacility
		}
		_, _ = s.target.Write([]byte(r.format(syslogPrefix) + " " + r.format(pattern)))
	}
	if r.facility = facility; facility < 0 {
		r.facility = localFacility
	}
	if s.net == "" && !s.off {
		s.choose()
	}
	if s.off || !s.dial(r.time) {
		return
	}
	line := r.format(pattern)
	if s.prefix {
		line = r.format(syslogPrefix) + " " + line
	} else {
		line = r.format("<%B>%d{%h %e %T} %A: ") + line
	}
	if _, err := s.conn.Write([]byte(line)); err != nil {
		s.conn.Close()
		s.conn, s.failed = nil, r.time
	}
}

// choose takes the default method: that of OVS_SYSLOG_METHOD, else libc.
func (s *syslogger) choose() {
	s.net, s.addr = "unixgram", "/dev/log"
	method := os.Getenv("OVS_SYSLOG_METHOD")
	switch {
	case method == "null":
		s.off = true
	case strings.HasPrefix(method, "unix:"):
		s.addr, s.prefix = method[len("unix:"):], true
	case strings.HasPrefix(method, "udp:"):
		s.net, s.addr, s.prefix = "udp", method[len("udp:"):], true
	}
}

func (s *syslogger) dial(t time.Time) bool {
	if s.conn != nil {
		return true
	}
	if !s.failed.IsZero() && t.Sub(s.failed) < redial {
		return false
	}
	conn, err := net.Dial(s.net, s.addr)
	if err != nil {
		s.failed = t
		return false
	}
	s.conn = conn
	return true
}

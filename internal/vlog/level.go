package vlog

import "strings"

// Level is the severity of a message; higher values are less severe. Off is no
// message's level: a destination set to it logs nothing.
type Level uint32

// The levels, in order of descending severity (ovs-appctl(8), Logging Commands).
const (
	Off Level = iota
	Emer
	Err
	Warn
	Info
	Dbg
)

var levelNames = [...]string{"OFF", "EMER", "ERR", "WARN", "INFO", "DBG"}

// syslogSeverity is the RFC 5424 severity of each level.
var syslogSeverity = [...]int{Off: 0, Emer: 1, Err: 3, Warn: 4, Info: 5, Dbg: 7}

// String returns the level's name in capitals, as log lines show it.
func (l Level) String() string { return levelNames[l] }

// ParseLevel finds a level by its name, whatever its case.
func ParseLevel(s string) (Level, bool) { return find[Level](levelNames[:], s) }

// Dest is a destination of messages.
type Dest uint8

// The destinations.
const (
	Syslog Dest = iota
	Console
	File
	numDests
)

var destNames = [numDests]string{"SYSLOG", "CONSOLE", "FILE"}

// String returns the destination's name in capitals.
func (d Dest) String() string { return destNames[d] }

// ParseDest finds a destination by its name, whatever its case.
func ParseDest(s string) (Dest, bool) { return find[Dest](destNames[:], s) }

func find[T ~uint8 | ~uint32](names []string, s string) (T, bool) {
	for i, name := range names {
		if strings.EqualFold(name, s) {
			return T(i), true
		}
	}
	return 0, false
}

// facilities is the RFC 5424 facility number of each name vlog/set FACILITY
// takes.
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7,
	"uucp": 8, "clock": 9, "ftp": 11, "ntp": 12, "audit": 13, "alert": 14, "clock2": 15,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

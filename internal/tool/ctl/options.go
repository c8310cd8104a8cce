package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/paths"
)

// options are ovs-ctl's command-line options (ovs-ctl(8)).
type options struct {
	systemID      string // "random", an id, or empty
	systemType    string
	systemVersion string
	externalIDs   []string // NAME=VALUE

	deleteBridges        bool
	deleteTransientPorts bool
	user                 string
	daemonCwd            string
	monitor              bool
	mlockall             bool
	forceCorefiles       bool
	selfConfinement      bool
	recordHostname       bool
	fullHostname         bool
	ovsdbServer          bool
	ovsVswitchd          bool

	priority map[string]string // niceness by daemon
	extra    map[string]string // more options by daemon, separated by spaces

	dbFile, dbSock, dbSchema, extraDBs string

	protocol, sport, dport string // of enable-protocol
}

// daemonOptions are stored per daemon.
var daemonNames = []string{"ovsdb-server", "ovs-vswitchd"}

func defaults() *options {
	return &options{
		monitor: true, mlockall: true, forceCorefiles: true, selfConfinement: true,
		recordHostname: true, fullHostname: true, ovsdbServer: true, ovsVswitchd: true,
		daemonCwd: "/",
		priority:  map[string]string{"ovsdb-server": "-10", "ovs-vswitchd": "-10"},
		extra:     map[string]string{},
		dbFile:    paths.InDBDir("conf.db"),
		dbSock:    paths.InRunDir("db.sock"),
		protocol:  "gre",
	}
}

// flags lists the options that take no value; each has a --no- form.
func (o *options) flags() map[string]*bool {
	return map[string]*bool{
		"delete-bridges": &o.deleteBridges, "delete-transient-ports": &o.deleteTransientPorts,
		"monitor": &o.monitor, "mlockall": &o.mlockall, "force-corefiles": &o.forceCorefiles,
		"self-confinement": &o.selfConfinement, "record-hostname": &o.recordHostname,
		"full-hostname": &o.fullHostname, "ovsdb-server": &o.ovsdbServer, "ovs-vswitchd": &o.ovsVswitchd,
	}
}

// values lists the options that take a value.
func (o *options) values() map[string]*string {
	return map[string]*string{
		"system-id": &o.systemID, "system-type": &o.systemType, "system-version": &o.systemVersion,
		"ovs-user": &o.user, "daemon-cwd": &o.daemonCwd, "db-file": &o.dbFile, "db-sock": &o.dbSock,
		"db-schema": &o.dbSchema, "extra-dbs": &o.extraDBs,
		"protocol": &o.protocol, "sport": &o.sport, "dport": &o.dport,
	}
}

// parse reads options and the one command, in any order.
func (o *options) parse(args []string) (command string, err error) {
	for _, arg := range args {
		switch {
		case arg == "-h" || arg == "--help":
			return "help", nil
		case arg == "-V" || arg == "--version":
			return "--version", nil
		case strings.HasPrefix(arg, "-"):
			if err := o.set(arg); err != nil {
				return "", err
			}
		case command != "":
			return "", fmt.Errorf("exactly one non-option argument required")
		default:
			command = arg
		}
	}
	if command == "" {
		return "", fmt.Errorf("missing command name")
	}
	return command, nil
}

// set applies one option.
func (o *options) set(arg string) error {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
	if !strings.HasPrefix(arg, "--") {
		return fmt.Errorf("unknown option \"%s\"", arg)
	}
	if flag, on := o.flags()[name], true; flag != nil && !hasValue {
		*flag = on
		return nil
	}
	if flag := o.flags()[strings.TrimPrefix(name, "no-")]; flag != nil && !hasValue {
		*flag = false
		return nil
	}
	target, takesValue := o.values()[name]
	daemon, property := daemonOption(name)
	takesValue = takesValue || name == "external-id" || property != ""
	switch {
	case !takesValue:
		return fmt.Errorf("unknown option \"%s\"", arg)
	case !hasValue:
		return fmt.Errorf("option \"%s\" requires a value: --%s=VALUE", arg, name)
	case target != nil:
		*target = value
	case property == "priority":
		o.priority[daemon] = value
	case property == "options":
		o.extra[daemon] = value
	case property == "wrapper":
		return fmt.Errorf("--%s is not supported: a wrapper made for C programs says nothing of these", name)
	case !strings.Contains(value, "="):
		return fmt.Errorf("--external-id argument not in the form \"key=value\": %s", value)
	default:
		o.externalIDs = append(o.externalIDs, value)
	}
	return nil
}

// daemonOption splits "ovsdb-server-priority" into daemon and property.
func daemonOption(name string) (daemon, property string) {
	for _, d := range daemonNames {
		if rest, ok := strings.CutPrefix(name, d+"-"); ok && slices.Contains([]string{"priority", "options", "wrapper"}, rest) {
			return d, rest
		}
	}
	return "", ""
}

// osRelease reads a key of os-release(5), for the defaults of system_type and
// system_version.
func osRelease(key string) string {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return "unknown"
}

// confFile reads an optional one-line file such as system-type.conf.
func confFile(name string) string {
	data, err := os.ReadFile(filepath.Join(paths.SysconfDir(), "openvswitch", name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

var optionHelp = []string{
	"--system-id=UUID|random        id of this system (random: made once, then kept in a file)",
	"--system-type=TYPE             kind of system to record",
	"--system-version=VERSION       its version",
	"--external-id=\"NAME=VALUE\"     add an external id",
	"--delete-bridges               delete all bridges before ovs-vswitchd starts",
	"--delete-transient-ports       delete ports with other_config:transient=true",
	"--ovs-user=USER[:GROUP]        run the daemons as this user",
	"--daemon-cwd=DIR               working directory of the daemons (default: /)",
	"--no-monitor                   don't watch and restart the daemons",
	"--no-mlockall                  don't lock ovs-vswitchd into memory",
	"--no-force-corefiles           don't raise the limit of core files",
	"--no-self-confinement          let the daemons use sockets outside the run directory",
	"--no-record-hostname           don't record the host's name",
	"--no-full-hostname             record the short name of the host",
	"--no-ovsdb-server              leave ovsdb-server alone",
	"--no-ovs-vswitchd              leave ovs-vswitchd alone",
	"--ovsdb-server-priority=NICE   niceness (default: -10)",
	"--ovs-vswitchd-priority=NICE   niceness (default: -10)",
	"--ovsdb-server-options=OPTS    more options for ovsdb-server",
	"--ovs-vswitchd-options=OPTS    more options for ovs-vswitchd",
	"--db-file=FILE                 database",
	"--db-sock=SOCKET               its socket",
	"--db-schema=FILE               its schema (default: the one built in)",
	"--extra-dbs=FILES              more databases to serve",
	"--protocol=PROTOCOL            for enable-protocol (default: gre)",
	"--sport=PORT, --dport=PORT     for enable-protocol with tcp or udp",
	"-h, --help                     print this text",
	"-V, --version                  print the version",
}

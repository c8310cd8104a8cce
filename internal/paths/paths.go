// Package paths knows the directories and file names that Open vSwitch's
// programs share, and the environment variables that move them (ovs-vswitchd(8),
// ovs-ctl(8)): OVS_SYSCONFDIR, OVS_PKGDATADIR, OVS_RUNDIR, OVS_LOGDIR, OVS_DBDIR.
package paths

import (
	"os"
	"path/filepath"
	"strings"
)

func dir(env, fallback string) string {
	if d := os.Getenv(env); d != "" {
		return d
	}
	return fallback
}

// SysconfDir is the parent of the configuration directory, normally /etc.
func SysconfDir() string { return dir("OVS_SYSCONFDIR", "/etc") }

// PkgDataDir holds schemas and scripts, normally /usr/share/openvswitch.
func PkgDataDir() string { return dir("OVS_PKGDATADIR", "/usr/share/openvswitch") }

// RunDir holds sockets and pidfiles, normally /var/run/openvswitch.
func RunDir() string { return dir("OVS_RUNDIR", "/var/run/openvswitch") }

// LogDir holds log files, normally /var/log/openvswitch.
func LogDir() string { return dir("OVS_LOGDIR", "/var/log/openvswitch") }

// DBDir holds the database, normally /etc/openvswitch. Without OVS_DBDIR it
// follows OVS_SYSCONFDIR.
func DBDir() string { return dir("OVS_DBDIR", filepath.Join(SysconfDir(), "openvswitch")) }

// Variable is an environment variable that moves a directory.
type Variable struct {
	Name  string
	Holds string        // what is in the directory
	Dir   func() string // the directory as it is now
}

// Variables lists them.
func Variables() []Variable {
	return []Variable{
		{"OVS_RUNDIR", "sockets and pidfiles", RunDir},
		{"OVS_LOGDIR", "log files", LogDir},
		{"OVS_DBDIR", "the database", DBDir},
		{"OVS_SYSCONFDIR", "configuration", SysconfDir},
		{"OVS_PKGDATADIR", "schemas and scripts", PkgDataDir},
	}
}

// InRunDir returns name itself where it is an absolute path, and otherwise name
// inside RunDir.
func InRunDir(name string) string { return inDir(RunDir(), name) }

// InLogDir is InRunDir for LogDir.
func InLogDir(name string) string { return inDir(LogDir(), name) }

// InDBDir is InRunDir for DBDir.
func InDBDir(name string) string { return inDir(DBDir(), name) }

// inDir joins textually: programs print these names, and users know them as they
// wrote the directory (filepath.Join would clean it).
func inDir(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return dir + "/" + name
}

package cli

import (
	"fmt"

	"weir/internal/paths"
	"weir/internal/vlog"
)

// LogOptions returns the logging options that every program takes: -v,
// --log-file, --syslog-method, --syslog-target. They act as they are met.
func LogOptions() []Option {
	return []Option{
		{Long: "verbose", Short: 'v', Arg: OptionalArg, Set: setVerbosity},
		{Long: "log-file", Arg: OptionalArg, Set: func(name string) error {
			if err := vlog.SetLogFile(name); err != nil {
				return Silent{1} // the log has told it
			}
			return nil
		}},
		{Long: "syslog-method", Arg: RequiredArg, Set: vlog.SetSyslogMethod},
		{Long: "syslog-target", Arg: RequiredArg, Set: func(target string) error {
			vlog.SetSyslogTarget(target)
			return nil
		}},
	}
}

func setVerbosity(spec string) error {
	if err := vlog.Set(spec); err != nil {
		return fmt.Errorf("processing \"%s\": %w", spec, err)
	}
	return nil
}

// Silent is an error whose message the user has already seen; only its exit
// status is left.
type Silent struct{ Status int }

// Error describes the status.
func (s Silent) Error() string { return fmt.Sprintf("exit status %d", s.Status) }

// Exit prints the error of a command line as the programs do, and returns the
// exit status.
func (e *Env) Exit(err error) int {
	if s, ok := err.(Silent); ok {
		return s.Status
	}
	return e.Fatal("%v", err)
}

// LogUsage returns the part of --help on the logging options.
func LogUsage(program string) string {
	return `
Logging options:
  -vSPEC, --verbose=SPEC   set logging levels
  -v, --verbose            set maximum verbosity level
  --log-file[=FILE]        enable logging to specified FILE
                           (default: ` + paths.InLogDir(program+".log") + `)
  --syslog-method=(libc|unix:file|udp:ip:port)
                           specify how to send messages to syslog daemon
  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP
`
}

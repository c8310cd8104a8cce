package unixctl

import (
	"errors"
	"fmt"
	"strings"

	"weir/internal/coverage"
	"weir/internal/version"
	"weir/internal/vlog"
)

// registerCommon adds the commands that every daemon has (ovs-appctl(8), Common
// Commands).
func (s *Server) registerCommon() {
	s.Register("list-commands", "", 0, 0, s.listCommands)
	s.Register("version", "", 0, 0, func(*Request) (string, error) { return version.Line(s.program), nil })
	s.Register("set-options", "[--format text|json]", 1, 2, setOptions)
	s.Register("coverage/show", "", 0, 0, func(r *Request) (string, error) { return r.Answer(coverage.Now()) })
	s.Register("coverage/read-counter", "COUNTER", 1, 1, readCounter)
	s.Register("vlog/list", "", 0, 0, func(r *Request) (string, error) { return r.Answer(vlog.List()) })
	s.Register("vlog/list-pattern", "", 0, 0, func(r *Request) (string, error) { return r.Answer(vlog.ListPattern()) })
	s.Register("vlog/set", "{spec | PATTERN:destination:pattern}", 0, -1, vlogSet)
	s.Register("vlog/reopen", "", 0, 0, vlogReopen)
	s.Register("vlog/close", "", 0, 0, func(*Request) (string, error) { vlog.CloseFile(); return "", nil })
	s.Register("vlog/enable-rate-limit", "[module]...", 0, -1, func(r *Request) (string, error) {
		return "", vlog.SetRateLimits(true, r.Args)
	})
	s.Register("vlog/disable-rate-limit", "[module]...", 0, -1, func(r *Request) (string, error) {
		return "", vlog.SetRateLimits(false, r.Args)
	})
}

func (s *Server) listCommands(r *Request) (string, error) {
	var b strings.Builder
	b.WriteString("The available commands are:\n")
	names := make(map[string]string)
	for _, c := range s.sorted() {
		fmt.Fprintf(&b, "  %-23s %s\n", c.name, c.usage)
		names[c.name] = c.usage
	}
	if r.JSON {
		return r.ReplyJSON(names)
	}
	return b.String(), nil
}

// setOptions serves ovs-appctl's --format, which holds for the connection.
func setOptions(r *Request) (string, error) {
	format := ""
	switch {
	case len(r.Args) == 2 && r.Args[0] == "--format":
		format = r.Args[1]
	case len(r.Args) == 1 && strings.HasPrefix(r.Args[0], "--format="):
		format = strings.TrimPrefix(r.Args[0], "--format=")
	default:
		return "", fmt.Errorf("option %s is invalid or lacks its argument", r.Args[0])
	}
	if format != "text" && format != "json" {
		return "", fmt.Errorf("option --format has invalid value %s", format)
	}
	r.session.json = format == "json"
	return "", nil
}

func readCounter(r *Request) (string, error) {
	n, ok := coverage.Read(r.Args[0])
	if !ok {
		return "", errors.New("No such counter")
	}
	return r.Answer(Both{fmt.Sprint(n), n})
}

func vlogSet(r *Request) (string, error) {
	if len(r.Args) == 0 {
		return "", vlog.Set("")
	}
	for _, spec := range r.Args {
		if err := vlog.Set(spec); err != nil {
			return "", err
		}
	}
	return "", nil
}

func vlogReopen(*Request) (string, error) {
	if vlog.LogFile() == "" {
		return "", errors.New("Logging to file not configured")
	}
	if err := vlog.Reopen(); err != nil {
		return "", fmt.Errorf("%s", vlog.ErrText(err))
	}
	return "", nil
}

package server

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/unixctl"
)

// registerSync adds the commands of the active-backup model to a control socket
// (ovsdb-server(1), "Runtime Management Commands"). changed is called after each
// change that a restart has to know.
func (s *Server) registerSync(u *unixctl.Server, changed func()) {
	// change is a command that changes what is replicated.
	change := func(do func(args []string) (string, error)) unixctl.Handler {
		return func(q *unixctl.Request) (out string, err error) {
			err = s.Change(func() error {
				err := s.unlessConfigured()
				if err == nil {
					out, err = do(q.Args)
				}
				if err == nil {
					changed()
				}
				return err
			})
			return out, err
		}
	}
	r := &s.replication
	target := func() string { target, _, _ := s.Sync(); return target }
	exclude := func() string { _, exclude, _ := s.Sync(); return exclude }
	u.Register("ovsdb-server/set-active-ovsdb-server", "", 1, 1, change(r.setTarget))
	u.Register("ovsdb-server/get-active-ovsdb-server", "", 0, 0, showSetting("active_server", target))
	u.Register("ovsdb-server/connect-active-ovsdb-server", "", 0, 0, change(r.connect))
	u.Register("ovsdb-server/disconnect-active-ovsdb-server", "", 0, 0, change(func([]string) (string, error) { r.stop(); return "", nil }))
	u.Register("ovsdb-server/set-active-ovsdb-server-probe-interval", "", 1, 1, probeCommand(s.setReplicationProbe))
	u.Register("ovsdb-server/set-relay-source-probe-interval", "PROBE-INTERVAL", 1, 1, probeCommand(s.setRelayProbe))
	u.Register("ovsdb-server/set-sync-exclude-tables", "", 0, 1, change(r.setExcluded))
	u.Register("ovsdb-server/get-sync-exclude-tables", "", 0, 0, showSetting("exclude", exclude))
	u.Register("ovsdb-server/sync-status", "", 0, 0, func(q *unixctl.Request) (string, error) { return q.Answer(s.syncStatus()) })
}

// showSetting is a command that shows a setting: as a line where it is not empty,
// and by its name in JSON.
func showSetting(name string, get func() string) unixctl.Handler {
	return func(q *unixctl.Request) (string, error) {
		value := get()
		answer := unixctl.Both{JSON: map[string]string{name: value}}
		if value != "" {
			answer.Text = value + "\n"
		}
		return q.Answer(answer)
	}
}

// probeCommand is a command that sets an interval, which its argument gives in
// milliseconds.
func probeCommand(set func(time.Duration)) unixctl.Handler {
	return func(q *unixctl.Request) (string, error) {
		ms, err := strconv.Atoi(q.Args[0])
		if err != nil || ms < 0 {
			return "Invalid probe interval, integer value expected\n", nil
		}
		set(time.Duration(ms) * time.Millisecond)
		return "", nil
	}
}

// setTarget names the active server.
func (r *replication) setTarget(args []string) (string, error) {
	r.reconfigure(func() { r.target = args[0] })
	return "", nil
}

// connect makes the server a backup of the active one, if one is named.
func (r *replication) connect([]string) (string, error) {
	if target, _, _ := r.srv.Sync(); target == "" {
		return "Unable to connect: active server is not specified.\n", nil
	}
	r.start()
	return "", nil
}

// setExcluded says which tables are not replicated; without a word, all are.
func (r *replication) setExcluded(args []string) (string, error) {
	excluded, err := parseExcluded(strings.Join(args, ","))
	if err != nil {
		return "", errors.New("set-sync-exclude-tables failed: " + err.Error())
	}
	r.reconfigure(func() { r.excluded = excluded })
	return "", nil
}

// setReplicationProbe sets the inactivity probe's interval of all replications.
func (s *Server) setReplicationProbe(d time.Duration) {
	for _, r := range s.replications() {
		r.setProbe(d)
	}
}

// replications lists all of them, that of --sync-from first.
func (s *Server) replications() []*replication {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []*replication{&s.replication}
	for _, name := range slices.Sorted(maps.Keys(s.backups)) {
		list = append(list, s.backups[name])
	}
	return list
}

// syncStatus is the text of ovsdb-server/sync-status: one part for each
// database that a configuration file makes a backup, or one for all.
func (s *Server) syncStatus() (l syncStatuses) {
	list := s.replications()
	if len(list) > 1 {
		list = list[1:]
	}
	for _, r := range list {
		l = append(l, r.status())
	}
	return l
}

// setRelayProbe sets the inactivity probe's interval of all relays' sources,
// those to come included.
func (s *Server) setRelayProbe(d time.Duration) {
	s.mu.Lock()
	s.relayProbe = d
	var ups []*upstream
	for _, h := range s.dbs {
		if h.db.relay != nil && h.db.relay.up != nil {
			ups = append(ups, h.db.relay.up)
		}
	}
	s.mu.Unlock()
	for _, u := range ups {
		u.setProbe(d)
	}
}

// reconfigure changes what is followed, and begins anew where it is followed.
func (r *replication) reconfigure(change func()) {
	r.mu.Lock()
	change()
	following := r.up != nil
	r.mu.Unlock()
	if following {
		r.start()
	}
}

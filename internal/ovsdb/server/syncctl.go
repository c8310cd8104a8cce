package server

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"weir/internal/unixctl"
)

// registerSync adds the commands of the active-backup model to a control socket
// (ovsdb-server(1), "Runtime Management Commands"). changed is called after each
// change that a restart has to know.
func (s *Server) registerSync(u *unixctl.Server, changed func()) {
	r := &s.replication
	// change is a command that changes what is replicated; a nil result of do
	// says that nothing came of it.
	change := func(do func(args []string) (string, error)) unixctl.Handler {
		return func(q *unixctl.Request) (string, error) {
			if err := s.unlessConfigured(); err != nil {
				return "", err
			}
			out, err := do(q.Args)
			if err == nil {
				changed()
			}
			return out, err
		}
	}
	show := func(name string, fn func() string) unixctl.Handler {
		return func(r *unixctl.Request) (string, error) {
			text := fn()
			doc := map[string]string{name: text}
			if text == "" {
				return r.Answer(unixctl.Both{JSON: doc})
			}
			return r.Answer(unixctl.Both{Text: text + "\n", JSON: doc})
		}
	}
	u.Register("ovsdb-server/set-active-ovsdb-server", "", 1, 1, change(func(args []string) (string, error) {
		r.reconfigure(func() { r.target = args[0] })
		return "", nil
	}))
	u.Register("ovsdb-server/get-active-ovsdb-server", "", 0, 0, show("active_server", func() string { target, _, _ := s.Sync(); return target }))
	u.Register("ovsdb-server/connect-active-ovsdb-server", "", 0, 0, change(func([]string) (string, error) {
		if target, _, _ := s.Sync(); target == "" {
			return "Unable to connect: active server is not specified.\n", nil
		}
		r.start()
		return "", nil
	}))
	u.Register("ovsdb-server/disconnect-active-ovsdb-server", "", 0, 0, change(func([]string) (string, error) {
		r.stop()
		return "", nil
	}))
	u.Register("ovsdb-server/set-active-ovsdb-server-probe-interval", "", 1, 1, func(q *unixctl.Request) (string, error) {
		return s.setProbe(q.Args[0], "Invalid probe interval, integer value expected\n", func(d time.Duration) {
			for _, r := range s.replications() {
				r.setProbe(d)
			}
		})
	})
	u.Register("ovsdb-server/set-relay-source-probe-interval", "PROBE-INTERVAL", 1, 1, func(q *unixctl.Request) (string, error) {
		return s.setProbe(q.Args[0], "Invalid probe interval, integer value expected\n", s.setRelayProbe)
	})
	u.Register("ovsdb-server/set-sync-exclude-tables", "", 0, 1, change(func(args []string) (string, error) {
		list := ""
		if len(args) > 0 {
			list = args[0]
		}
		excluded, err := parseExcluded(list)
		if err != nil {
			return "", errors.New("set-sync-exclude-tables failed: " + err.Error())
		}
		r.reconfigure(func() { r.excluded = excluded })
		return "", nil
	}))
	u.Register("ovsdb-server/get-sync-exclude-tables", "", 0, 0, show("exclude", func() string { _, exclude, _ := s.Sync(); return exclude }))
	u.Register("ovsdb-server/sync-status", "", 0, 0, func(r *unixctl.Request) (string, error) { return r.Answer(s.syncStatus()) })
}

// setProbe parses an interval in milliseconds and sets it.
func (s *Server) setProbe(arg, complaint string, set func(time.Duration)) (string, error) {
	ms, err := strconv.Atoi(arg)
	if err != nil || ms < 0 {
		return complaint, nil
	}
	set(time.Duration(ms) * time.Millisecond)
	return "", nil
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

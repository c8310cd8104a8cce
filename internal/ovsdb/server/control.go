package server

import (
	"errors"
	"fmt"
	"strings"

	"weir/internal/unixctl"
)

// Register adds the server's commands to a control socket (ovsdb-server(1),
// "Runtime Management Commands"). changed is called after each change to the sets
// of databases and remotes.
func (s *Server) Register(u *unixctl.Server, changed func()) {
	// change is a command that changes the configuration.
	change := func(do func(arg string) error) unixctl.Handler {
		return func(r *unixctl.Request) (string, error) {
			return "", s.Change(func() error {
				err := s.unlessConfigured()
				if err == nil {
					err = do(r.Args[0])
				}
				if err == nil {
					changed()
				}
				return err
			})
		}
	}
	u.Register("ovsdb-server/add-remote", "REMOTE", 1, 1, change(s.AddRemote))
	u.Register("ovsdb-server/remove-remote", "REMOTE", 1, 1, change(s.RemoveRemote))
	u.Register("ovsdb-server/list-remotes", "", 0, 0, func(r *unixctl.Request) (string, error) { return r.Answer(unixctl.Lines(s.Remotes())) })
	u.Register("ovsdb-server/add-db", "DB", 1, 1, change(s.AddDB))
	u.Register("ovsdb-server/remove-db", "DB", 1, 1, change(func(name string) error {
		if strings.HasPrefix(name, "_") {
			return errors.New("Cannot remove reserved database.")
		}
		return s.RemoveDB(name)
	}))
	u.Register("ovsdb-server/list-dbs", "", 0, 0, func(r *unixctl.Request) (string, error) { return r.Answer(unixctl.Lines(s.Names())) })
	u.Register("ovsdb-server/compact", "", 0, 1, s.compactCommand)
	u.Register("ovsdb-server/reconnect", "", 0, 0, func(*unixctl.Request) (string, error) { s.Reconnect(); return "", nil })
	u.Register("ovsdb-server/disable-monitor-cond", "", 0, 0, s.disableMonitorCond)
	u.Register("ovsdb-server/get-db-storage-status", "DB", 1, 1, s.storageStatus)
	u.Register("ovsdb-server/memory-trim-on-compaction", "on|off", 1, 1, memoryTrim)
	u.Register("ovsdb-server/tlog-set", "DB:TABLE on|off", 2, 2, s.tlogSet)
	u.Register("ovsdb-server/tlog-list", "", 0, 0, s.tlogList)
	u.Register("ovsdb/file/column-diff-enable", "", 0, 0, func(*unixctl.Request) (string, error) { return "", s.enableColumnDiff() })
	u.Register("ovsdb-server/perf-counters-show", "", 0, 0, func(r *unixctl.Request) (string, error) { return r.Answer(s.perfCounters()) })
	u.Register("ovsdb-server/perf-counters-clear", "", 0, 0, func(*unixctl.Request) (string, error) { s.clearCounters(); return "", nil })
	u.Register("ovsdb-server/top", "[COUNT]", 0, 1, s.top)
	s.registerClusters(u)
	s.registerSync(u, changed)
	u.Register("memory/show", "", 0, 0, func(r *unixctl.Request) (string, error) { return r.Answer(s.memory()) })
}

// Change has one at a time change the sets of databases and remotes, or what is
// followed: each of these changes takes several steps. Commands do; so must whoever
// else changes them while there are commands.
func (s *Server) Change(do func() error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return do()
}

// disableMonitorCond has clients do with plain monitors.
func (s *Server) disableMonitorCond(*unixctl.Request) (string, error) {
	s.noCond.Store(true)
	s.Reconnect()
	return "", nil
}

// memoryTrim checks its argument and says what was asked for: the garbage collector
// gives memory back by itself.
func memoryTrim(r *unixctl.Request) (string, error) {
	switch r.Args[0] {
	case "on":
		log.Info("memory trimming after compaction enabled.")
	case "off":
		log.Info("memory trimming after compaction disabled.")
	default:
		return "", errors.New("invalid argument")
	}
	return "", nil
}

// AddDB opens what names a database on the command line: a file, or
// relay:DB:REMOTE.
func (s *Server) AddDB(name string) error {
	if strings.HasPrefix(name, "relay:") {
		return s.addRelayArg(name)
	}
	return s.AddFile(name)
}

func (s *Server) compactCommand(r *unixctl.Request) (string, error) {
	names := s.Names()
	if len(r.Args) > 0 {
		names = r.Args
	}
	if len(r.Args) > 0 && strings.HasPrefix(r.Args[0], "_") {
		return "", errors.New("cannot compact built-in databases")
	}
	found := false
	var failed []string
	for _, name := range names {
		db := s.Lookup(name)
		if db == nil || strings.HasPrefix(name, "_") && len(r.Args) == 0 {
			continue
		}
		found = true
		log.Info("compacting %s database by user request", name)
		if err := db.Compact(); err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", name, err))
		}
	}
	if !found && len(r.Args) > 0 {
		return "", errors.New("no database by that name")
	}
	if failed != nil {
		return "", errors.New(strings.Join(failed, "\n"))
	}
	return "", nil
}

func (s *Server) storageStatus(r *unixctl.Request) (string, error) {
	db := s.Lookup(r.Args[0])
	if db == nil {
		return "", errors.New("Failed to find the database.")
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	status := "ok"
	if db.broken != nil {
		status = db.broken.Error()
	}
	return r.Answer(unixctl.Both{Text: "status: " + status + "\n", JSON: map[string]string{"status": status}})
}

// tlogSet turns the log of a table's operations on or off.
func (s *Server) tlogSet(r *unixctl.Request) (string, error) {
	dbName, table, ok := strings.Cut(r.Args[0], ":")
	if !ok {
		return "", errors.New("invalid DB:TABLE argument")
	}
	db := s.Lookup(dbName)
	if db == nil {
		return "", errors.New("no such database")
	}
	t := db.Layout().Table(table)
	if t == nil {
		return "", errors.New("no such table")
	}
	switch r.Args[1] {
	case "on", "off":
		db.setLogged(table, r.Args[1] == "on")
		return "", nil
	}
	return "", errors.New("invalid command argument")
}

func (s *Server) tlogList(r *unixctl.Request) (string, error) {
	var b strings.Builder
	doc := map[string]map[string]bool{} // by database and table
	b.WriteString("database        table                       logging\n--------        -----                       -------\n")
	for _, name := range s.Names() {
		db := s.Lookup(name)
		if db == nil {
			continue
		}
		fmt.Fprintf(&b, "%-16s \n", name)
		doc[name] = map[string]bool{}
		for _, t := range db.Layout().Tables {
			state := "OFF"
			if doc[name][t.Name] = db.isLogged(t.Name); doc[name][t.Name] {
				state = "ON"
			}
			fmt.Fprintf(&b, "                %-27s %s\n", t.Name, state)
		}
	}
	return r.Answer(unixctl.Both{Text: b.String(), JSON: doc})
}

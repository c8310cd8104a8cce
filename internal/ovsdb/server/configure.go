package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Configure brings the server in line with a configuration. What is the same as
// before goes on undisturbed; what can't be done is in the error, and the rest
// is done. From the first call on the configuration owns the databases and
// remotes: commands that would change them fail.
func (s *Server) Configure(c *Config) error {
	s.configMu.Lock()
	defer s.configMu.Unlock()
	s.configured.Store(true)
	var errs []error
	before := s.config
	if before == nil {
		before = &Config{}
	}
	done := map[string]*DatabaseConfig{}
	for _, name := range slices.Sorted(maps.Keys(before.Databases)) {
		if c.Databases[name].sameDatabase(before.Databases[name]) {
			done[name] = before.Databases[name]
		} else if err := s.dropConfigured(name, before.Databases[name]); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		d := c.Databases[name]
		var err error
		if done[name] == nil {
			err = s.addConfigured(name, d)
		}
		if err == nil {
			done[name] = d
			err = s.follows(name, d)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("databases: \"%s\": %w", name, err))
		}
	}
	s.config = &Config{Remotes: c.Remotes, Databases: done}
	if err := s.setRemotes(c.Remotes); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sameDatabase reports whether a database needn't be opened again to become
// what was asked for.
func (d *DatabaseConfig) sameDatabase(before *DatabaseConfig) bool {
	if d == nil || (d.Model == modelRelay) != (before.Model == modelRelay) {
		return false
	}
	return d.Model != modelRelay || maps.EqualFunc(d.Source, before.Source, func(a, b *RemoteConfig) bool { return a.options() == b.options() })
}

// addConfigured opens a database.
func (s *Server) addConfigured(name string, d *DatabaseConfig) error {
	if d.Model != modelRelay {
		return s.AddFile(name)
	}
	target, options := d.source()
	return s.addRelay(name, target, options)
}

// dropConfigured closes a database.
func (s *Server) dropConfigured(name string, d *DatabaseConfig) error {
	schema := name
	if d.Model != modelRelay {
		schema = s.schemaOf(name)
	}
	s.setBackup(schema, nil)
	return s.RemoveDB(schema)
}

// schemaOf returns the name of the database in a file, "" where it isn't open.
func (s *Server) schemaOf(file string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.dbs {
		if h.file == file {
			return name
		}
	}
	return ""
}

// follows has a database of the active-backup model follow its source, and
// others follow none.
func (s *Server) follows(name string, d *DatabaseConfig) error {
	if d.Model == modelRelay {
		return nil
	}
	schema := s.schemaOf(name)
	if d.Model != modelActiveBackup || !d.Backup {
		s.setBackup(schema, nil)
		return nil
	}
	target, options := d.source()
	layout := s.Lookup(schema).Snapshot().Layout
	for _, t := range d.ExcludeTables {
		if layout.Table(t) == nil {
			return fmt.Errorf("exclude-tables: the database has no table \"%s\"", t)
		}
	}
	s.setBackup(schema, &replication{srv: s, only: schema, target: target, probe: options.probe(defaultReplicationProbe),
		maxBackoff: options.backoff(), excluded: map[string][]string{schema: slices.Sorted(slices.Values(d.ExcludeTables))}})
	return nil
}

// setBackup replaces the replication of one database; nil ends it.
func (s *Server) setBackup(schema string, r *replication) {
	s.mu.Lock()
	old := s.backups[schema]
	if old != nil && r != nil && old.same(r) {
		s.mu.Unlock()
		return
	}
	delete(s.backups, schema)
	if r != nil {
		s.backups[schema] = r
	}
	s.mu.Unlock()
	if old != nil {
		old.stop()
	}
	if r != nil {
		r.start()
	}
}

// same reports whether two replications do the same.
func (r *replication) same(other *replication) bool {
	return r.target == other.target && r.probe == other.probe && r.maxBackoff == other.maxBackoff && r.excludedText() == other.excludedText()
}

// setRemotes replaces all remotes that AddRemote and the configuration named.
func (s *Server) setRemotes(remotes map[string]*RemoteConfig) error {
	var errs []error
	rs := &s.remotes
	options := map[string]RemoteOptions{}
	for name, r := range remotes {
		if strings.HasPrefix(name, "db:") {
			if _, err := s.parseSource(name); err != nil {
				errs = append(errs, fmt.Errorf("remotes: %w", err))
				continue
			}
		}
		options[name] = r.options()
	}
	rs.mu.Lock()
	rs.configured, rs.options = slices.Sorted(maps.Keys(options)), options
	rs.mu.Unlock()
	s.Reconfigure()
	return errors.Join(errs...)
}

// errConfigured is the answer to commands that would change what a
// configuration file says.
var errConfigured = errors.New("the configuration file says which databases and remotes there are: change it, then use ovsdb-server/reload")

// unlessConfigured returns errConfigured if there is a configuration file.
func (s *Server) unlessConfigured() error {
	if s.configured.Load() {
		return errConfigured
	}
	return nil
}

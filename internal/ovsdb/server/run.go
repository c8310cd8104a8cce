package server

import (
	"context"
	"time"
)

// statusInterval is how often status columns are brought up to date.
const statusInterval = 2500 * time.Millisecond

// compactInterval is the least time between two compactions of a database that
// the server starts by itself.
const compactInterval = 10 * time.Minute

// Run follows the databases: it opens and closes the remotes they name, writes
// back their status, and compacts files that have grown, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	s.writeStatus()
	tick := s.clock.After(statusInterval)
	var compacted time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
			if s.Reconfigure() {
				s.writeStatus()
			}
		case <-tick:
			tick = s.clock.After(statusInterval)
			s.Reconfigure() // tries again to listen where that failed
			s.writeStatus()
			if now := s.clock.Now(); now.Sub(compacted) >= compactInterval {
				s.compactGrown()
				compacted = now
			}
		}

	}
}

func (s *Server) compactGrown() {
	for _, name := range s.Names() {
		db := s.Lookup(name)
		if db == nil || !db.shouldCompact() {
			continue
		}
		log.Info("compacting %s database", name)
		if err := db.Compact(); err != nil {
			log.Warn("%s: compaction failed (%v)", name, err)
		}
	}
}

func (db *Database) shouldCompact() bool {
	should := false
	_ = db.exclusive(func() error {
		should = db.store != nil && db.broken == nil && db.store.ShouldCompact()
		return nil
	})
	return should
}

package server

import (
	"fmt"

	"weir/internal/unixctl"
)

// clusterCommands are the commands on clustered databases (ovsdb-server(1),
// "Cluster Commands"), each with its arguments.
var clusterCommands = []struct {
	name, usage string
	min, max    int
}{
	{"cluster/cid", "DB", 1, 1},
	{"cluster/sid", "DB", 1, 1},
	{"cluster/status", "DB", 1, 1},
	{"cluster/leave", "DB", 1, 1},
	{"cluster/kick", "DB SERVER", 2, 2},
	{"cluster/change-election-timer", "DB TIME", 2, 2},
	{"cluster/set-backlog-threshold", "DB N_MSGS N_BYTES", 3, 3},
	{"cluster/failure-test", "FAILURE SCENARIO", 1, 1},
}

// registerClusters adds the commands on clustered databases. There are none yet,
// and they say so.
func (s *Server) registerClusters(u *unixctl.Server) {
	for _, c := range clusterCommands {
		u.Register(c.name, c.usage, c.min, c.max, func(r *unixctl.Request) (string, error) {
			return "", fmt.Errorf("%s: this server has no clustered databases: they are not available yet", r.Name)
		})
	}
}

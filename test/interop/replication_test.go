package interop

import (
	"strings"
	"testing"

	"weir/test/programs"
)

// startFollower starts a second server, of another side, in the stack's
// directory; its files and sockets begin with "f".
func (s *stack) startFollower(of side, args ...string) {
	s.t.Helper()
	s.run(of, "ovsdb-server", append([]string{"--detach", "--no-chdir", "--pidfile=" + s.path("f.pid"), "--log-file=" + s.path("f.log"), "-vconsole:off",
		"--unixctl=" + s.path("f.ctl"), "--remote=punix:" + s.path("f.sock")}, args...)...)
	s.t.Cleanup(func() {
		s.run(ours, "ovs-appctl", "-t", s.path("f.ctl"), "exit")
		if !programs.Wait(func() bool { return !s.running("f") }) {
			s.t.Error("the second server does not end")
		}
	})
}

// A relay of one side follows a server of the other, and takes writes to it.
func TestRelay(t *testing.T) {
	for _, relay := range []side{ours, theirs} {
		t.Run("relay "+string(relay), func(t *testing.T) {
			s := newStack(t, relay.other())
			s.run(ours, "ovs-vsctl", "--no-wait", "add-br", "br0")
			s.startFollower(relay, "relay:Open_vSwitch:unix:"+s.path("db.sock"))
			follower := "--db=unix:" + s.path("f.sock")
			s.run(ours, "ovsdb-client", "-t", "60", "wait", "unix:"+s.path("f.sock"), "Open_vSwitch", "connected")
			for _, tool := range []side{ours, theirs} {
				br := "br-" + string(tool)
				s.run(tool, "ovs-vsctl", follower, "--no-leader-only", "--no-wait", "add-br", br)
				if out := s.run(ours, "ovs-vsctl", "list-br"); !strings.Contains(out, br) {
					t.Errorf("the source doesn't have %s: %q", br, out)
				}
				s.run(tool, "ovs-vsctl", follower, "--no-leader-only", "--timeout=60", "wait-until", "Bridge", br)
			}
			// The source's own changes arrive, and after its restart as well.
			s.run(ours, "ovs-vsctl", "--no-wait", "set", "Bridge", "br0", "external_ids:a=1")
			s.run(ours, "ovs-vsctl", follower, "--no-leader-only", "--timeout=60", "wait-until", "Bridge", "br0", "external_ids:a=1")
			s.stopServer()
			s.startServer(relay.other())
			s.run(ours, "ovs-vsctl", "--no-wait", "del-br", "br-ours", "--", "set", "Bridge", "br0", "external_ids:a=2")
			s.run(ours, "ovs-vsctl", follower, "--no-leader-only", "--timeout=60", "--retry", "wait-until", "Bridge", "br0", "external_ids:a=2")
			if out := s.run(ours, "ovs-vsctl", follower, "--no-leader-only", "list-br"); strings.Contains(out, "br-ours") {
				t.Errorf("the relay kept a bridge: %q", out)
			}
		})
	}
}

// A backup of one side follows an active server of the other until it is told
// to take over.
func TestActiveBackup(t *testing.T) {
	for _, backup := range []side{ours, theirs} {
		t.Run("backup "+string(backup), func(t *testing.T) {
			s := newStack(t, backup.other())
			s.run(ours, "ovs-vsctl", "--no-wait", "add-br", "br0", "--", "create", "QoS", "type=x")
			s.run(ours, "ovsdb-tool", "create", s.path("f.db"), "../../schema/vswitch.ovsschema")
			s.startFollower(backup, "--sync-from=unix:"+s.path("db.sock"), "--sync-exclude-tables=Open_vSwitch:QoS", s.path("f.db"))
			follower := "--db=unix:" + s.path("f.sock")
			// A client that does not know of backups is disconnected as roles change.
			s.run(ours, "ovs-vsctl", follower, "--no-leader-only", "--timeout=60", "--retry", "wait-until", "Bridge", "br0")
			if out := s.run(ours, "ovs-vsctl", follower, "--bare", "--columns=type", "list", "QoS"); out != "" {
				t.Errorf("the excluded table holds %q", out)
			}
			if out, err := s.try(ours, "ovs-vsctl", follower, "--no-wait", "add-br", "br1"); err == nil {
				t.Errorf("the backup takes writes: %s", out)
			}
			s.run(ours, "ovs-vsctl", "--no-wait", "set", "Bridge", "br0", "external_ids:a=1")
			s.run(ours, "ovs-vsctl", follower, "--no-leader-only", "--timeout=60", "--retry", "wait-until", "Bridge", "br0", "external_ids:a=1")
			if out := s.run(ours, "ovs-appctl", "-t", s.path("f.ctl"), "ovsdb-server/sync-status"); !strings.Contains(out, "state: backup") || !strings.Contains(out, "replicating: unix:"+s.path("db.sock")) {
				t.Errorf("status: %s", out)
			}
			s.run(ours, "ovs-appctl", "-t", s.path("f.ctl"), "ovsdb-server/disconnect-active-ovsdb-server")
			s.run(ours, "ovs-vsctl", follower, "--no-wait", "add-br", "br1")
			if out := s.run(ours, "ovs-vsctl", "list-br"); strings.Contains(out, "br1") {
				t.Errorf("the old active server got %q", out)
			}
		})
	}
}

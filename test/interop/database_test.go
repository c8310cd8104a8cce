package interop

import (
	"os"
	"testing"
)

// Tools of one side on a server of the other.
func TestVsctlOnEitherServer(t *testing.T) {
	for _, server := range []side{ours, theirs} {
		t.Run("server "+string(server), func(t *testing.T) {
			s := newStack(t, server)
			for _, tool := range []side{ours, theirs} {
				br := "br-" + string(tool)
				s.run(tool, "ovs-vsctl", "--no-wait", "--", "add-br", br, "--", "add-port", br, br+"-p1", "tag=9", "--",
					"set", "Interface", br+"-p1", "type=internal", "external_ids:iface-id=\"x y\"")
				s.run(tool, "ovs-vsctl", "--no-wait", "set-controller", br, "tcp:127.0.0.1:6653", "--", "set", "Bridge", br, "protocols=OpenFlow10,OpenFlow13")
			}
			s.same("ovs-vsctl", "list-br")
			s.same("ovs-vsctl", "list-ports", "br-ours")
			s.same("ovs-vsctl", "show")
			// Rows come in no order that anyone promises.
			for _, format := range []string{"table", "list", "csv", "json", "html"} {
				s.same("ovs-vsctl", "--format="+format, "--columns=_uuid,name,tag,interfaces", "list", "Port", "br-ours-p1")
			}
			s.sameLines("ovs-vsctl", "--format=csv", "--columns=name,tag,interfaces", "list", "Port")
			s.same("ovs-vsctl", "get", "Interface", "br-ours-p1", "external_ids", "type")
			s.sameLines("ovs-vsctl", "--columns=_uuid", "find", "Port", "tag=9")
			s.same("ovs-vsctl", "list", "Bridge", "nosuch")
			s.same("ovs-vsctl", "br-exists", "nosuch")
			s.same("ovsdb-client", "list-dbs")
			s.sameLines("ovsdb-client", "list-tables")
			s.same("ovsdb-client", "get-schema-version")
			s.sameLines("ovsdb-client", "dump", "Open_vSwitch")
			s.sameLines("ovsdb-client", "--format=csv", "dump", "Bridge", "name", "protocols")
		})
	}
}

// A database that one side wrote opens on the other, with all that is in it.
func TestDatabaseFileBothWays(t *testing.T) {
	for _, writer := range []side{ours, theirs} {
		t.Run("written by "+string(writer), func(t *testing.T) {
			s := newStack(t, writer)
			for _, br := range []string{"a", "b", "c"} {
				s.run(writer, "ovs-vsctl", "--no-wait", "add-br", br, "--", "br-set-external-id", br, "key", "value of "+br)
			}
			s.run(writer, "ovs-vsctl", "--no-wait", "del-br", "b")
			before := s.run(writer, "ovsdb-client", "dump", "Bridge", "name", "external_ids", "ports")
			s.stopServer()
			s.same("ovsdb-tool", "db-version", s.path("conf.db"))
			s.same("ovsdb-tool", "db-cksum", s.path("conf.db"))
			s.same("ovsdb-tool", "query", s.path("conf.db"), `["Open_vSwitch",{"op":"select","table":"Bridge","where":[["name","==","a"]],"columns":["name","external_ids"]}]`)
			s.startServer(writer.other())
			after := s.run(writer.other(), "ovsdb-client", "dump", "Bridge", "name", "external_ids", "ports")
			if before != after {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			s.run(writer, "ovs-vsctl", "--no-wait", "add-br", "d")
			s.run(ours, "ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/compact")
			s.stopServer()
			s.startServer(writer)
			if got := s.run(ours, "ovs-vsctl", "list-br"); got != "a\nc\nd\n" {
				t.Errorf("bridges are %q", got)
			}
		})
	}
}

// What isn't a database is refused by name, and stays as it was.
func TestNotADatabase(t *testing.T) {
	s := emptyStack(t)
	const text = "This is a letter, not a database.\n"
	if err := os.WriteFile(s.path("conf.db"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.try(ours, "ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--remote=punix:"+s.path("db.sock"), s.path("conf.db"))
	if err == nil {
		t.Errorf("the server started on it: %s", out)
	}
	if data, _ := os.ReadFile(s.path("conf.db")); string(data) != text {
		t.Errorf("the file changed to %q", data)
	}
}

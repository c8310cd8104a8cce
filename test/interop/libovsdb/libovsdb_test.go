// Package libovsdb runs the public Go client for OVSDB against our server. It is
// a module of its own, so that the library isn't among the project's.
package libovsdb

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Root and Bridge are the columns of Open_vSwitch's tables that the test uses.
type (
	Root struct {
		UUID    string   `ovsdb:"_uuid"`
		Bridges []string `ovsdb:"bridges"`
		NextCfg int      `ovsdb:"next_cfg"`
	}
	Bridge struct {
		UUID        string            `ovsdb:"_uuid"`
		Name        string            `ovsdb:"name"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
		FailMode    *string           `ovsdb:"fail_mode"`
	}
)

const bin = "../../../bin/"

// patience is how long anything may take before the test gives up.
const patience = time.Minute

// run runs one of our programs in dir.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	path, err := filepath.Abs(bin + name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_DBDIR="+dir, "OVS_LOGDIR="+dir, "OVS_SYSCONFDIR="+dir, "OVS_SYSLOG_METHOD=null")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// serve starts a server with an empty Open_vSwitch database and returns its
// directory.
func serve(t *testing.T) string {
	dir, err := os.MkdirTemp("", "weir-lo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	schema, err := filepath.Abs("../../../schema/vswitch.ovsschema")
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "ovsdb-tool", "create", "conf.db", schema)
	run(t, dir, "ovsdb-server", "--detach", "--no-chdir", "--pidfile", "-vconsole:off", "--remote=punix:db.sock", "conf.db")
	t.Cleanup(func() { run(t, dir, "ovs-appctl", "-t", "ovsdb-server", "exit") })
	run(t, dir, "ovs-vsctl", "--no-wait", "init")
	return dir
}

// connect returns a client that follows both tables, and the bridges only where
// they are named as said, if names are given.
func connect(t *testing.T, ctx context.Context, dir string, names ...string) client.Client {
	t.Helper()
	db, err := model.NewClientDBModel("Open_vSwitch", map[string]model.Model{"Open_vSwitch": &Root{}, "Bridge": &Bridge{}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewOVSDBClient(db, client.WithEndpoint("unix:"+dir+"/db.sock"), client.WithReconnect(patience, backoff.NewConstantBackOff(20*time.Millisecond)))
	if err == nil {
		err = c.Connect(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &Bridge{}
	options := []client.MonitorOption{client.WithTable(&Root{})}
	if len(names) == 0 {
		options = append(options, client.WithTable(b))
	}
	for _, name := range names {
		options = append(options, client.WithConditionalTable(b, []model.Condition{{Field: &b.Name, Function: ovsdb.ConditionEqual, Value: name}}))
	}
	if _, err := c.Monitor(ctx, c.NewMonitor(options...)); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for a client's replica.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func bridges(t *testing.T, ctx context.Context, c client.Client) map[string]Bridge {
	t.Helper()
	var list []Bridge
	if err := c.List(ctx, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]Bridge{}
	for _, b := range list {
		out[b.Name] = b
	}
	return out
}

// add adds a bridge as ovs-vsctl would.
func add(t *testing.T, ctx context.Context, c client.Client, name string) []ovsdb.OperationResult {
	t.Helper()
	var roots []Root
	if err := c.List(ctx, &roots); err != nil || len(roots) != 1 {
		t.Fatalf("%v, %v", roots, err)
	}
	mode := "secure"
	ops, err := c.Create(&Bridge{UUID: "new", Name: name, FailMode: &mode, ExternalIDs: map[string]string{"from": "go"}})
	if err != nil {
		t.Fatal(err)
	}
	more, err := c.Where(&roots[0]).Mutate(&roots[0], model.Mutation{Field: &roots[0].Bridges, Mutator: ovsdb.MutateOperationInsert, Value: []string{"new"}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := c.Transact(ctx, append(ops, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestLibovsdb(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	dir := serve(t)
	all, one := connect(t, ctx, dir), connect(t, ctx, dir, "br1")
	for _, name := range []string{"br0", "br1"} {
		for _, r := range add(t, ctx, all, name) {
			if r.Error != "" {
				t.Fatalf("%s: %s: %s", name, r.Error, r.Details)
			}
		}
	}
	eventually(t, "both bridges", func() bool { return len(bridges(t, ctx, all)) == 2 })
	eventually(t, "the bridge of the condition", func() bool { return len(bridges(t, ctx, one)) == 1 })
	if b := bridges(t, ctx, one)["br1"]; b.ExternalIDs["from"] != "go" || b.FailMode == nil || *b.FailMode != "secure" {
		t.Errorf("%+v", b)
	}

	// A taken name is an error of the whole transaction.
	failed := false
	for _, r := range add(t, ctx, all, "br0") {
		failed = failed || r.Error == "constraint violation"
	}
	if !failed {
		t.Error("two bridges of one name")
	}

	// Other clients' changes arrive, deletions too.
	run(t, dir, "ovs-vsctl", "--no-wait", "set", "Bridge", "br1", "external_ids:other=x", "--", "clear", "Bridge", "br1", "fail_mode")
	eventually(t, "the change", func() bool {
		b := bridges(t, ctx, one)["br1"]
		return b.ExternalIDs["other"] == "x" && b.FailMode == nil
	})
	run(t, dir, "ovs-vsctl", "--no-wait", "del-br", "br1")
	eventually(t, "the deletion", func() bool { return len(bridges(t, ctx, one)) == 0 && len(bridges(t, ctx, all)) == 1 })

	// Connections dropped come back, and the replica with them.
	run(t, dir, "ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/reconnect")
	run(t, dir, "ovs-vsctl", "--no-wait", "add-br", "br2")
	eventually(t, "a bridge added while away", func() bool { _, ok := bridges(t, ctx, all)["br2"]; return ok })
}

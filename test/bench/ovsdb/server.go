package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/test/bench/compare"
)

// schema is the database of the benchmarks: one table of rows of about 500
// bytes as JSON, like Open vSwitch's own.
const schema = `{"name":"B","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{
 "name":{"type":"string"},"n":{"type":"integer"},"up":{"type":"boolean"},
 "tags":{"type":{"key":"integer","min":0,"max":"unlimited"}},
 "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}`

// smallRow is the JSON of a row that leaves most columns empty.
func smallRow(i int) string { return fmt.Sprintf(`{"name":"row-%d","n":%d}`, i, i) }

// row is the JSON of a row.
func row(i int) string {
	return fmt.Sprintf(`{"name":"row-%d","n":%d,"up":true,"tags":["set",[%d,%d,%d]],"ids":["map",[["iface-id","3f1c2b7e-%08x"],["attached-mac","02:00:00:%02x:%02x:%02x"],["vm-id","instance-%08d"],["iface-status","active"],["comment","a port of a virtual machine somewhere in the middle of a rack of servers"]]]}`,
		i, i, i, i+1, i+2, i, byte(i>>16), byte(i>>8), byte(i), i)
}

// server is a running ovsdb-server.
type server struct {
	side side
	dir  string
	cmd  *exec.Cmd
}

// newServer starts a server on an empty database of the benchmarks' schema.
func newServer(s side) (*server, error) {
	v, err := newDatabase(s, schema)
	if err != nil {
		return nil, err
	}
	return v, v.start()
}

// newDatabase makes a directory with an empty database.
func newDatabase(s side, schema string) (*server, error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	v := &server{side: s, dir: dir}
	if err := os.WriteFile(v.path("schema"), []byte(schema), 0o600); err != nil {
		return nil, err
	}
	return v, v.tool("ovsdb-tool", "create", v.path("conf.db"), v.path("schema"))
}

func (v *server) path(name string) string { return filepath.Join(v.dir, name) }

func (v *server) environ() []string {
	return append(os.Environ(), "OVS_RUNDIR="+v.dir, "OVS_DBDIR="+v.dir, "OVS_LOGDIR="+v.dir, "OVS_SYSLOG_METHOD=null")
}

// tool runs one of the side's programs.
func (v *server) tool(name string, args ...string) error {
	cmd := exec.Command(v.side.Program(name), args...)
	cmd.Env = v.environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (v *server) start() error {
	v.cmd = exec.Command(v.side.Program("ovsdb-server"), "-vconsole:off", "--pidfile", "--remote=punix:"+v.path("db.sock"), v.path("conf.db"))
	v.cmd.Env = v.environ()
	if err := v.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		c, err := dial(v.path("db.sock"))
		if err != nil {
			continue
		}
		defer c.close()
		_, err = c.call(`"method":"get_schema","params":["` + v.database() + `"]`)
		return err
	}
	return fmt.Errorf("%s does not answer", v.side.Program("ovsdb-server"))
}

// database is the name of the database, by its schema.
func (v *server) database() string {
	data, _ := os.ReadFile(v.path("schema"))
	if strings.Contains(string(data), `"B"`) {
		return "B"
	}
	return "Open_vSwitch"
}

// stop ends the server.
func (v *server) stop() {
	if v.cmd != nil {
		compare.Stop(v.cmd)
		v.cmd = nil
	}
}

// remove ends the server and removes its files.
func (v *server) remove() {
	v.stop()
	os.RemoveAll(v.dir)
}

// cpu is the CPU time that the server has used, in seconds.
func (v *server) cpu() float64 { return compare.CPU(v.cmd.Process.Pid) }

// peak is the server's peak resident memory in MB.
func (v *server) peak() float64 { return compare.Peak(v.cmd.Process.Pid) }

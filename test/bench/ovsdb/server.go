package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// side says whose programs run.
type side int

const (
	ours side = iota
	theirs
)

// program is the path of a side's program.
func (s side) program(name string) string {
	if s == ours {
		path, err := filepath.Abs("bin/" + name)
		if err != nil {
			return name
		}
		return path
	}
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name
		}
	}
	return name
}

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
	cmd := exec.Command(v.side.program(name), args...)
	cmd.Env = v.environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (v *server) start() error {
	v.cmd = exec.Command(v.side.program("ovsdb-server"), "-vconsole:off", "--pidfile", "--remote=punix:"+v.path("db.sock"), v.path("conf.db"))
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
	return fmt.Errorf("%s does not answer", v.side.program("ovsdb-server"))
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
		v.cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { v.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			v.cmd.Process.Kill()
			<-done
		}
		v.cmd = nil
	}
}

// remove ends the server and removes its files.
func (v *server) remove() {
	v.stop()
	os.RemoveAll(v.dir)
}

// cpu is the CPU time that the server has used, in seconds (proc(5), stat).
func (v *server) cpu() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) / 100
}

// peak is the server's peak resident memory in MB (proc(5), status).
func (v *server) peak() float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

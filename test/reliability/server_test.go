package reliability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/test/alone"
	"weir/test/programs"
)

func TestMain(m *testing.M) { alone.Main(m) }

// schema has one table: rows of a name, a counter and a text.
const schema = `{"name":"D","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":
 {"name":{"type":"string"},"n":{"type":"integer"},"text":{"type":"string"}},"indexes":[["name"]]}}}`

// patience is how long a server that is well may take over one small request
// while others trouble it, on a machine that does other things as well.
const patience = programs.Patience

// A server is an ovsdb-server of ours on a database of its own.
type server struct {
	t    *testing.T
	bin  string
	dir  string // its socket, log and, unless the test moved it, its database
	file string
	cmd  *exec.Cmd
	err  bytes.Buffer
}

// newServer makes a database and does not start the server. The database is in
// dataDir, or beside the socket if that is empty.
func newServer(t *testing.T, dataDir string) *server {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "ovsdb-server")); err != nil {
		t.Fatalf("%v (run make first)", err)
	}
	s := &server{t: t, bin: bin, dir: t.TempDir()}
	if dataDir == "" {
		dataDir = s.dir
	}
	s.file = filepath.Join(dataDir, "conf.db")
	schemaFile := filepath.Join(s.dir, "d.ovsschema")
	if err := os.WriteFile(schemaFile, []byte(schema), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.tool("ovsdb-tool", "create", s.file, schemaFile); err != nil {
		t.Fatalf("ovsdb-tool create: %v: %s", err, out)
	}
	t.Cleanup(s.kill)
	return s
}

func (s *server) environ() []string {
	return append(os.Environ(), "OVS_RUNDIR="+s.dir, "OVS_LOGDIR="+s.dir, "OVS_DBDIR="+s.dir, "OVS_SYSLOG_METHOD=null")
}

// tool runs one of our programs to its end.
func (s *server) tool(name string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Env = s.environ()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *server) socket() string { return filepath.Join(s.dir, "db.sock") }

// start starts the server and waits until it answers. The error is of a server
// that ended instead, with what it printed.
func (s *server) start() error {
	s.t.Helper()
	s.err.Reset()
	s.cmd = exec.Command(filepath.Join(s.bin, "ovsdb-server"), "--remote=punix:"+s.socket(), "--log-file", s.file)
	s.cmd.Env = s.environ()
	s.cmd.Stderr = &s.err
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	cmd := s.cmd
	go func() { ended <- cmd.Wait() }()
	deadline := time.Now().Add(patience)
	for {
		select {
		case err := <-ended:
			s.cmd = nil
			return fmt.Errorf("%v: %s", err, &s.err)
		default:
		}
		conn, err := net.Dial("unix", s.socket())
		if err == nil {
			conn.Close()
			return nil
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server neither answers nor ends: %v: %s", err, &s.err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// mustStart is start for a test in which the server has no reason to refuse.
func (s *server) mustStart() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the server as a crash would.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	for syscall.Kill(s.cmd.Process.Pid, 0) == nil {
		time.Sleep(time.Millisecond)
	}
	s.cmd = nil
}

// memory is the largest resident size that the server has had, in MiB.
func (s *server) memory() int {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatalf("the server is gone: %v: %s", err, &s.err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				s.t.Fatal(err)
			}
			return kb / 1024
		}
	}
	s.t.Fatal("no VmHWM in /proc/PID/status")
	return 0
}

// dial opens a connection that the test speaks by hand.
func (s *server) dial() *net.UnixConn {
	s.t.Helper()
	conn, err := net.Dial("unix", s.socket())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// A client sends one request after the other.
type client struct {
	conn net.Conn
	in   *json.Decoder
	id   int
}

func (s *server) client() *client {
	conn := s.dial()
	return &client{conn: conn, in: json.NewDecoder(conn)}
}

// call sends a request and returns its result. A JSON-RPC error, or one of an
// operation of a transaction, is an error.
func (c *client) call(method, params string) (json.RawMessage, error) {
	c.id++
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c.conn, `{"id":%d,"method":%q,"params":%s}`, c.id, method, params); err != nil {
		return nil, err
	}
	for {
		var m struct {
			ID     *int
			Method string
			Result json.RawMessage
			Error  json.RawMessage
		}
		if err := c.in.Decode(&m); err != nil {
			return nil, err
		}
		if m.Method != "" || m.ID == nil || *m.ID != c.id {
			continue
		}
		if len(m.Error) > 0 && string(m.Error) != "null" {
			return nil, errors.New(string(m.Error))
		}
		return m.Result, operationError(m.Result)
	}
}

// operationError finds the error of an operation in a transaction's result.
func operationError(result json.RawMessage) error {
	var ops []struct{ Error, Details string }
	if json.Unmarshal(result, &ops) != nil {
		return nil
	}
	for _, op := range ops {
		if op.Error != "" {
			return fmt.Errorf("%s: %s", op.Error, op.Details)
		}
	}
	return nil
}

// insert adds a row durably.
func (c *client) insert(name string, n int, text string) error {
	row, err := json.Marshal(map[string]any{"name": name, "n": n, "text": text})
	if err != nil {
		return err
	}
	_, err = c.call("transact", fmt.Sprintf(`["D",{"op":"insert","table":"T","row":%s},{"op":"commit","durable":true}]`, row))
	return err
}

// rows are the counters of all rows, by name.
func (c *client) rows() (map[string]int, error) {
	result, err := c.call("transact", `["D",{"op":"select","table":"T","where":[],"columns":["name","n"]}]`)
	if err != nil {
		return nil, err
	}
	var ops []struct {
		Rows []struct {
			Name string
			N    int
		}
	}
	if err := json.Unmarshal(result, &ops); err != nil {
		return nil, err
	}
	rows := map[string]int{}
	for _, r := range ops[0].Rows {
		rows[r.Name] = r.N
	}
	return rows, nil
}

// served requires that a newcomer gets its answer.
func (s *server) served(after string) {
	s.t.Helper()
	if _, err := s.client().call("echo", `["are you well"]`); err != nil {
		s.t.Fatalf("after %s the server does not serve others: %v: %s", after, err, &s.err)
	}
}

// long says whether the long forms of the tests are asked for, which take
// minutes rather than seconds: WEIR_LONG=1.
func long() bool { return os.Getenv("WEIR_LONG") != "" }

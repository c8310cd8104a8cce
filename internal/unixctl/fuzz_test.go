package unixctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// scripted is a connection whose peer has sent all that it will, and reads what
// it is told at the end.
type scripted struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *scripted) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *scripted) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *scripted) gone() bool                  { return false }
func (c *scripted) shutdown()                   {}
func (c *scripted) close()                      {}

// fuzzServer has commands of all kinds and no socket.
func fuzzServer() *Server {
	s := &Server{path: "fuzz.ctl", links: map[link]bool{}}
	s.registerCommon()
	for _, name := range []string{"vlog/set", "vlog/reopen", "vlog/close"} {
		s.Unregister(name) // they change where this process logs
	}
	s.Register("echo", "[arg]...", 1, 2, func(r *Request) (string, error) { return strings.Join(r.Args, "+"), nil })
	s.Register("fail", "", 0, 0, func(*Request) (string, error) { return "", errors.New("no such luck") })
	s.Register("crash", "", 0, 0, func(*Request) (string, error) { panic("oops") })
	return s
}

// FuzzRequests sends bytes to a control socket's server: whatever they are, it
// answers with JSON-RPC replies of one line each or ends the connection.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		`{"id":0,"method":"echo","params":["a","b"]}`,
		`{"id":[1,{"a":null}],"method":"echo","params":[]}{"id":"x","method":"fail","params":null}`,
		`{"id":1,"method":"crash"}`, `{"id":1,"method":"echo","params":[1]}`, `{"id":1,"method":"echo","params":{}}`,
		`{"id":1,"method":"set-options","params":["--format","json"]}{"id":2,"method":"echo","params":["x"]}`,
		`{"id":1,"method":"vlog/list"}`, `{"id":1}`, `[`, `{"method":7}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &scripted{in: bytes.NewReader(data)}
		fuzzServer().serve(c)
		for dec := json.NewDecoder(&c.out); ; {
			var r struct {
				ID     json.RawMessage
				Result any
				Error  any
			}
			err := dec.Decode(&r)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				t.Fatalf("an answer that isn't JSON: %v", err)
			case r.ID == nil || r.Result == nil && r.Error == nil:
				t.Fatalf("%+v", r)
			}
		}
	})
}

// FuzzReplies has a client read what a daemon might send.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		`{"id":0,"result":"ok\n","error":null}`, `{"id":0,"error":"no"}`, `{"id":5,"result":""}{"id":0,"result":{"a":[1]}}`,
		`{"method":"x","id":0}`, `{"id":0}`, `[]`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Client{dec: json.NewDecoder(strings.NewReader(string(data))), enc: json.NewEncoder(io.Discard)}
		_, remote, err := c.Transact("echo", nil)
		if remote != nil && err != nil {
			t.Errorf("both errors: %v, %v", remote, err)
		}
	})
}

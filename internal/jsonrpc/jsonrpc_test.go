package jsonrpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"weir/internal/json"
	"weir/internal/stream"
)

// TestParse pins classification and texts to those of Open vSwitch 3.1.
func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		`{"method":"echo","params":[],"id":0}`:            "request",
		`{"method":"update","params":[],"id":null}`:       "notification",
		`{"result":{},"error":null,"id":3}`:               "reply",
		`{"result":null,"error":"x","id":3}`:              "error",
		`{"method":"get_server_id","params":null,"id":3}`: "request",
		`[1,2]`:                               "message is not a JSON object",
		`{"method":3}`:                        "method is not a JSON string",
		`{"foo":3}`:                           `message has unexpected member "foo"`,
		`{"method":"echo","params":5,"id":0}`: `"params" must be JSON array`,
		`{"method":"echo","id":0}`:            `request must have "params"`,
		`{"method":"echo","params":[],"result":5,"id":3}`: `reply must not have "method"`,
		`{"result":5,"error":6,"id":4}`:                   `reply must not have "error"`,
		`{"result":null,"error":6,"id":null}`:             `error must have "id"`,
	} {
		m, err := Parse([]byte(in))
		got := m.Kind.String()
		if err != nil {
			got = strings.TrimPrefix(err.Error(), ErrBadMessage.Error()+": ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func pair(t *testing.T) (*Conn, net.Conn) {
	a, b := net.Pipe()
	c := NewConn(&stream.Conn{Conn: a, Name: "test"})
	go c.WriteLoop()
	t.Cleanup(func() { c.Close(); _ = b.Close() })
	return c, b
}

func TestConn(t *testing.T) {
	c, peer := pair(t)
	go func() {
		for _, part := range []string{`{"method":"echo","pa`, `rams":["}{"],"id":1} {"id":2,"result":7,"error":null}`, `{"id"`} {
			_, _ = peer.Write([]byte(part))
		}
		_ = peer.Close()
	}()
	m, err := c.Receive()
	if err != nil || m.Method != "echo" || string(m.Params) != `["}{"]` || string(m.ID) != "1" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = c.Receive(); err != nil || m.Kind != Reply || string(m.Result) != "7" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err = c.Receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestSend(t *testing.T) {
	c, peer := pair(t)
	drained := make(chan bool, 1)
	c.OnDrain(func() { drained <- true })
	msg := AppendReply(nil, []byte("5"), []byte(`["a"]`))
	if err := c.Send(msg[:4], msg[4:]); err != nil || c.Backlog() != len(msg) {
		t.Error(err, c.Backlog())
	}
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != `{"id":5,"result":["a"],"error":null}` {
		t.Errorf("%s, %v", got, err)
	}
	<-drained
	if err := c.Flush(); err != nil || c.Backlog() != 0 {
		t.Error(err)
	}
	c.Close()
	if err := c.Send(msg); err == nil {
		t.Error("sent on a closed connection")
	}
}

func TestLimit(t *testing.T) {
	c, peer := pair(t)
	c.SetMaxMessage(1000)
	go func() { _, _ = peer.Write([]byte(`{"method":"` + strings.Repeat("x", 5000))) }()
	if _, err := c.Receive(); err == nil || !strings.Contains(err.Error(), "1000 bytes") {
		t.Error(err)
	}
}

// Whoever receives a deferred method's requests finds by Check what Receive finds in
// others.
func TestDeferCheck(t *testing.T) {
	for _, in := range []string{
		`{"id":1,"method":"transact","params":["x",{"a":[}]}]}`, // which brackets alone don't show
		`{"id":1,"method":"transact","params":["x",01]}`,
		`{"id":1,"method":"transact","params":[01],"params":[]}`,
		`{"id":1,"method":"transact","params":[01],"method":"echo"}`,
		`{"id":1,"params":[01],"method":"transact"}`,
		`{"id":1,"method":"transact","params":["x",{"a":[1]}]}`,
		`{"id":1,"method":"transact","params":{}}`,
		`{"id":1,"method":"transact","params":[1],"params":[2]}`,
		`{"id":1,"method":"echo","params":[01]}`,
	} {
		c, peer := pair(t)
		c.DeferCheck("transact")
		go func() { _, _ = peer.Write([]byte(in)) }()
		m, err := c.Receive()
		if err == nil && m.Method != "transact" && m.Kind == Request && json.Valid(m.Params) != nil && m.whole == nil {
			t.Errorf("%s: bad params passed", in)
		}
		if err == nil {
			err = c.Check(&m)
		}
		want, wanted := Parse([]byte(in))
		if fmt.Sprint(err) != fmt.Sprint(wanted) {
			t.Errorf("%s: %v, want %v", in, err, wanted)
		}
		if err == nil && string(m.Params) != string(want.Params) {
			t.Errorf("%s: params %s", in, m.Params)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"method":"echo","params":[],"id":0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Parse(data); err == nil && m.Kind == Request && (m.Method == "" && m.ID == nil) {
			t.Fatal("empty request")
		}
	})
}

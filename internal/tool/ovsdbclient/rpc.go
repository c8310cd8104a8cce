package ovsdbclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/paths"
	"weir/internal/stream"
)

// rpc is a connection to a server on which one request is outstanding at a
// time. One goroutine uses it.
type rpc struct {
	conn   *jsonrpc.Conn
	server string
	nextID int
}

// connect opens an active connection method, or listens on a passive one until
// a server connects. Of several, separated by commas, the first that works in a
// random order is taken.
func connect(ctx context.Context, servers string, tls *stream.TLSFiles) (*rpc, error) {
	conf := &stream.TLS{}
	conf.Set(*tls)
	opt := stream.Options{DefaultPort: stream.OVSDBPort, RunDir: paths.RunDir(), TLS: conf}
	list := strings.Split(servers, ",")
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var err error
	for _, server := range list {
		var c *stream.Conn
		if c, err = open(ctx, server, opt); err == nil {
			r := &rpc{conn: jsonrpc.NewConn(c), server: server}
			go r.conn.WriteLoop()
			return r, nil
		}
	}
	return nil, err
}

func open(ctx context.Context, server string, opt stream.Options) (*stream.Conn, error) {
	if !stream.IsPassive(server) {
		return stream.Dial(ctx, server, opt)
	}
	l, err := stream.Listen(server, opt)
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	return l.Accept()
}

func (r *rpc) close() {
	_ = r.conn.Flush()
	r.conn.Close()
}

var errServerClosed = errors.New("receive failed (End of file)")

// receive returns the next message that is not an echo request, which it
// answers.
func (r *rpc) receive() (*jsonrpc.Message, error) {
	for {
		m, err := r.conn.Receive()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("%s: %w", r.server, errServerClosed)
			}
			return nil, fmt.Errorf("%s: %s", r.server, stream.ErrText(err))
		}
		if m.Kind == jsonrpc.Request && m.Method == "echo" {
			_ = r.conn.Send(jsonrpc.AppendReply(nil, m.ID, m.Params))
			continue
		}
		return &m, nil
	}
}

// send sends a request and returns its id.
func (r *rpc) send(method string, params []byte) string {
	id := strconv.Itoa(r.nextID)
	r.nextID++
	_ = r.conn.Send(jsonrpc.AppendRequest(nil, method, params, []byte(id)))
	return id
}

// call runs a request and returns its result. An error reply is an *errorReply.
func (r *rpc) call(method string, params []byte) ([]byte, error) {
	return r.reply(r.send(method, params))
}

// reply waits for the reply to a request.
func (r *rpc) reply(id string) ([]byte, error) {
	for {
		m, err := r.receive()
		if errors.Is(err, errServerClosed) {
			return nil, errors.New("transaction failed (End of file)")
		}
		if err != nil {
			return nil, err
		}
		if string(m.ID) != id {
			continue
		}
		switch m.Kind {
		case jsonrpc.Reply:
			return m.Result, nil
		case jsonrpc.Error:
			return nil, &errorReply{m.Err}
		}
	}
}

// errorReply is what a server answered instead of a result.
type errorReply struct{ raw []byte }

// Error formats the reply as users know it.
func (e *errorReply) Error() string {
	return fmt.Sprintf("transaction returned error: %s", json.Canonical(e.raw))
}

// params builds an array of strings.
func params(words ...string) []byte {
	out := []byte{'['}
	for i, w := range words {
		if i > 0 {
			out = append(out, ',')
		}
		out = json.AppendString(out, w)
	}
	return append(out, ']')
}

// databases returns the names of the server's databases.
func (c *call) databases() ([]string, error) {
	result, err := c.rpc.call("list_dbs", []byte("[]"))
	if err != nil {
		return nil, err
	}
	var names []string
	s := json.NewScanner(result)
	s.Next()
	err = s.Array(func(int) error {
		if s.Kind() != json.String {
			return s.Errorf("list_dbs response is not array of strings")
		}
		names = append(names, s.Str())
		return nil
	})
	return names, err
}

// schema fetches a database's schema.
func (c *call) schema(db string) (*ovsdb.DatabaseSchema, []byte, error) {
	result, err := c.rpc.call("get_schema", params(db))
	if err != nil {
		return nil, nil, err
	}
	schema, err := ovsdb.ParseSchema(result)
	return schema, result, err
}

// printJSON prints a value as the style says.
func (c *call) printJSON(raw []byte) error {
	indent := ""
	if c.style.Pretty {
		indent = "  "
	}
	out, err := json.Format(nil, raw, indent)
	if err != nil {
		return err
	}
	_, err = c.env.Stdout.Write(append(out, '\n'))
	return err
}

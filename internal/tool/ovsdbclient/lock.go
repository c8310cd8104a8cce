package ovsdbclient

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"weir/internal/jsonrpc"
	"weir/internal/unixctl"
)

// lock runs a method, "lock", "steal" or "unlock", and prints what becomes of the
// lock until the connection ends.
func (c *call) lock(method string) error {
	u, err := c.process.Control(c.env.Name, c.unixctl)
	if err != nil {
		return err
	}
	for _, method := range []string{"lock", "steal", "unlock"} {
		u.Register(method, "LOCK", 1, 1, func(r *unixctl.Request) (string, error) {
			id := strconv.FormatInt(time.Now().UnixNano(), 10)
			return "", c.rpc.conn.Send(jsonrpc.AppendRequest(nil, method, params(r.Args[0]), []byte(id)))
		})
	}
	go u.Serve()
	result, err := c.rpc.call(method, params(c.args[0]))
	if err != nil {
		return err
	}
	if err := c.printJSON(result); err != nil {
		return err
	}
	c.process.Ready()
	ended := make(chan error, 1)
	go func() { ended <- c.followLock() }()
	select {
	case err = <-ended:
	case <-c.process.Context().Done():
	}
	if errors.Is(err, errServerClosed) {
		return nil
	}
	return err
}

// followLock prints replies and notifications about locks.
func (c *call) followLock() error {
	for {
		m, err := c.rpc.receive()
		if err != nil {
			return err
		}
		switch {
		case m.Kind == jsonrpc.Reply:
			err = c.printJSON(m.Result)
		case m.Kind == jsonrpc.Error:
			err = c.printJSON(m.Err)
		case m.Method == "locked" || m.Method == "stolen":
			_, err = fmt.Fprintf(c.env.Stdout, "%s\n%s\n", m.Method, m.Params)
		}
		if err != nil {
			return err
		}
	}
}

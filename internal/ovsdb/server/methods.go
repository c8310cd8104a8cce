package server

import (
	"strings"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
)

// request runs a request and answers it, now or later.
func (c *session) request(m *jsonrpc.Message) {
	result, err := c.dispatch(m)
	switch e := err.(type) {
	case nil:
		if result != nil {
			c.reply(m.ID, result)
		}
	case plainError:
		c.replyError(m.ID, json.AppendString(nil, string(e)))
	default:
		c.replyError(m.ID, ovsdb.AsError(err).AppendJSON(nil))
	}
}

// plainError is an error that goes to the client as a string.
type plainError string

func (e plainError) Error() string { return string(e) }

var emptyObject = []byte("{}")

// dispatch runs a request other than transact. A nil result without an error
// says that the reply was sent already.
func (c *session) dispatch(m *jsonrpc.Message) ([]byte, error) {
	if strings.HasPrefix(m.Method, "monitor_cond") && c.srv.noCond.Load() {
		return nil, plainError("unknown method")
	}
	switch m.Method {
	case "transact":
		return c.badTransact(m)
	case "echo":
		return m.Params, nil
	case "list_dbs":
		out := []byte{'['}
		for i, name := range c.srv.Names() {
			if i > 0 {
				out = append(out, ',')
			}
			out = json.AppendString(out, name)
		}
		return append(out, ']'), nil
	case "get_schema":
		db, err := c.database(m)
		if err != nil {
			return nil, err
		}
		return db.Layout().Schema.AppendJSON(nil), nil
	case "get_server_id":
		return json.AppendString(nil, c.srv.id.String()), nil
	case "set_db_change_aware":
		return c.setAware(m)
	case "monitor":
		return c.startMonitor(m, versionMonitor)
	case "monitor_cond":
		return c.startMonitor(m, versionCond)
	case "monitor_cond_since":
		return c.startMonitor(m, versionCondSince)
	case "monitor_cond_change":
		return c.changeMonitor(m)
	case "monitor_cancel":
		return c.cancelMonitor(m)
	case "lock", "steal":
		return c.lock(m)
	case "unlock":
		return c.unlock(m)
	case "convert":
		return c.convert(m)
	}
	return nil, plainError("unknown method")
}

// elements returns the params of a message.
func elements(params []byte) [][]byte {
	s := json.NewScanner(params)
	s.Next()
	var out [][]byte
	_ = s.Array(func(int) error { // valid JSON, as jsonrpc checked
		raw, err := s.Raw()
		out = append(out, raw)
		return err
	})
	return out
}

// text returns the text of a JSON string.
func text(raw []byte) (string, bool) {
	s := json.NewScanner(raw)
	if s.Next() != json.String {
		return "", false
	}
	return s.Str(), true
}

// database returns the database that a request's params begin with.
func (c *session) database(m *jsonrpc.Message) (*Database, *ovsdb.Error) {
	s := json.NewScanner(m.Params)
	if s.Next() != json.ArrayBegin || s.Next() != json.String {
		return nil, syntaxError(m, "", "%s request params must begin with <db-name>", m.Method)
	}
	name := s.Str()
	db := c.srv.Lookup(name)
	if db == nil {
		return nil, syntaxError(m, ovsdb.TagUnknownDatabase, "%s request specifies unknown database %s", m.Method, name)
	}
	if db.unready {
		return nil, syntaxError(m, "database not available", "%s request specifies database %s which is not yet available because it has not completed joining its cluster", m.Method, name)
	}
	return db, nil
}

func (c *session) setAware(m *jsonrpc.Message) ([]byte, error) {
	params := elements(m.Params)
	if len(params) != 1 || params[0][0] != 't' && params[0][0] != 'f' {
		return nil, syntaxError(m, "", "set_db_change_aware: true or false parameter expected")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aware = params[0][0] == 't'
	return emptyObject, nil
}

// notification takes what a client sends without wanting an answer.
func (c *session) notification(m *jsonrpc.Message) {
	if m.Method != "cancel" {
		return
	}
	params := elements(m.Params)
	if len(params) != 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.waiting[string(json.Canonical(params[0]))]; stop != nil {
		close(stop)
		delete(c.waiting, string(json.Canonical(params[0])))
	}
}

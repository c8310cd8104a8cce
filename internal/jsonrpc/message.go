// Package jsonrpc speaks JSON-RPC 1.0 over byte streams as OVSDB and the
// control socket do (RFC 7047 section 4): messages follow each other without
// framing, either side may send requests. Parameters, results, errors and ids
// stay raw JSON; who they are for takes them apart.
package jsonrpc

import (
	"errors"
	"fmt"

	"weir/internal/json"
)

// Kind says which of the four messages a Message is.
type Kind uint8

// The kinds of message.
const (
	Request Kind = iota
	Notify
	Reply
	Error
)

// String returns the kind's name as messages have it.
func (k Kind) String() string {
	return [...]string{"request", "notification", "reply", "error"}[k]
}

// Message is one JSON-RPC message. Its slices hold valid JSON, but for Params that
// Conn.DeferCheck is about.
type Message struct {
	Kind   Kind
	Method string // Request, Notify
	Params []byte // Request, Notify: an array
	Result []byte // Reply
	Err    []byte // Error
	ID     []byte // all but Notify

	whole []byte // the message, where Params are not checked
}

// ErrBadMessage is in the chain of the error of a message that is JSON but no
// JSON-RPC message.
var ErrBadMessage = errors.New("received bad JSON-RPC message")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadMessage, fmt.Sprintf(format, args...))
}

var null = []byte("null")

func isNull(raw []byte) bool { return raw == nil || string(raw) == "null" }

// Parse takes a message apart. The message's slices are part of data. Errors
// are those of malformed JSON (*json.SyntaxError) or have ErrBadMessage in
// their chain.
func Parse(data []byte) (Message, error) { return parse(json.NewScanner(data), "") }

// parse is Parse of what a scanner, which has not begun, is on. It doesn't check the
// params of the deferred method.
func parse(s *json.Scanner, deferred string) (Message, error) {
	var m Message
	f := fields{deferred: deferred}
	if s.Next() != json.ObjectBegin {
		if s.Err() == nil {
			return m, bad("message is not a JSON object")
		}
		return m, s.Err()
	}
	if err := f.read(s); err != nil {
		return m, err
	}
	if f.wrong != nil {
		return m, f.wrong
	}
	m = Message{whole: f.whole, Method: f.method, Params: f.params, Result: f.result, Err: f.err, ID: f.id}
	switch {
	case !isNull(f.result):
		m.Kind = Reply
	case !isNull(f.err):
		m.Kind = Error
	case isNull(f.id) && (f.id != nil || f.hasMethod):
		m.Kind = Notify
	case f.hasMethod:
		m.Kind = Request
	case f.result != nil:
		m.Kind = Reply
	}
	return m, f.check(m.Kind)
}

// fields are a message's members as they came; nil for missing ones.
type fields struct {
	method                  string
	hasMethod               bool
	params, result, err, id []byte
	paramsIsArray           bool
	deferred                string // the method whose params are left unchecked
	whole                   []byte // the message, if that was done
	wrong                   error  // the first member of a wrong kind or name
}

func (f *fields) read(s *json.Scanner) error {
	if err := s.Members(func([]byte) error { return f.member(s) }); err != nil {
		return err
	}
	return s.Finish()
}

// member reads the member whose name the scanner is on.
func (f *fields) member(s *json.Scanner) error {
	name := s.View()
	kind := s.Next()
	switch {
	case kind == json.Invalid:
		return s.Err()
	case name == "method":
		if kind == json.String {
			f.method, f.hasMethod = s.View(), true
		} else if kind != json.Null {
			f.refuse("method is not a JSON string")
		}
		return s.Skip()
	case name == "params":
		return f.readParams(s, kind)
	}
	raw, err := s.Raw()
	if err != nil {
		return err
	}
	switch name {
	case "result":
		f.result = raw
	case "error":
		f.err = raw
	case "id":
		f.id = raw
	default:
		f.refuse("message has unexpected member \"%s\"", name)
	}
	return nil
}

// readParams reads the params, which begin with a token of that kind: unchecked, if
// they are the deferred method's.
func (f *fields) readParams(s *json.Scanner, kind json.Kind) error {
	if f.whole != nil {
		if err := json.Valid(f.whole); err != nil { // nobody will look at the ones before
			return err
		}
		f.whole = nil
	}
	if kind == json.ArrayBegin && f.deferred != "" && f.method == f.deferred {
		f.whole, f.paramsIsArray = s.From(0), true
		var err error
		f.params, err = s.Unchecked()
		return err
	}
	raw, err := s.Raw()
	if err == nil && kind != json.Null {
		f.params, f.paramsIsArray = raw, raw[0] == '['
	}
	return err
}

func (f *fields) refuse(format string, args ...any) {
	if f.wrong == nil {
		f.wrong = bad(format, args...)
	}
}

// check says whether the members fit the kind of message. RFC 7047 has a method
// whose params may be null, so that this is not an error here.
func (f *fields) check(k Kind) error {
	request := k == Request || k == Notify
	for _, r := range [...]struct {
		name          string
		present, want bool
	}{
		{"method", f.hasMethod, request},
		{"params", f.params != nil || request && f.method == "get_server_id", request},
		{"result", !isNull(f.result) || k == Reply && f.result != nil, k == Reply},
		{"error", !isNull(f.err), k == Error},
		{"id", !isNull(f.id), k != Notify},
	} {
		if r.present != r.want {
			verb := "must"
			if !r.want {
				verb = "must not"
			}
			return bad("%s %s have \"%s\"", k, verb, r.name)
		}
	}
	if f.params != nil && !f.paramsIsArray {
		return bad("\"params\" must be JSON array")
	}
	return nil
}

// AppendRequest appends a request. params is an array and id not null.
func AppendRequest(dst []byte, method string, params, id []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"method":`...)
	dst = json.AppendString(dst, method)
	dst = append(dst, `,"params":`...)
	dst = append(dst, params...)
	return append(dst, '}')
}

// AppendNotify appends a notification. params is an array.
func AppendNotify(dst []byte, method string, params []byte) []byte {
	return AppendRequest(dst, method, params, null)
}

// AppendReply appends the reply to the request that had id.
func AppendReply(dst, id, result []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":`...)
	dst = append(dst, result...)
	return append(dst, `,"error":null}`...)
}

// AppendError appends the error reply to the request that had id.
func AppendError(dst, id, err []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":null,"error":`...)
	dst = append(dst, err...)
	return append(dst, '}')
}

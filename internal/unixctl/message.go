package unixctl

import (
	"errors"
	"fmt"

	"weir/internal/json"
)

// message is a JSON-RPC 1.0 request.
type message struct {
	id     []byte // as it came, null if it didn't
	method string
	args   []string
	bad    bool // args aren't strings
}

var errNoMethod = errors.New("received unexpected message without a method")

// parse takes a request apart. The message's id is part of data. Of members that
// are there twice, the last counts; others than a request's are passed over.
func (m *message) parse(s *json.Scanner, data []byte) error {
	*m = message{id: []byte("null")}
	s.Reset(data)
	if s.Next() != json.ObjectBegin {
		if err := s.Err(); err != nil {
			return err
		}
		return errors.New("request is no JSON object")
	}
	hasMethod := false
	err := s.Members(func([]byte) (err error) {
		name := s.View()
		switch kind := s.Next(); {
		case kind == json.Invalid:
			return s.Err()
		case name == "id":
			m.id, err = s.Raw()
			return err
		case name == "method" && kind == json.Null:
			hasMethod = false
			return nil
		case name == "method" && kind == json.String:
			m.method, hasMethod = s.Str(), true
			return nil
		case name == "method":
			return s.Errorf("a method must be a string")
		case name == "params":
			return m.params(s, kind)
		}
		return s.Skip()
	})
	if err == nil {
		err = s.Finish()
	}
	if err == nil && !hasMethod {
		err = errNoMethod
	}
	return err
}

// params reads the arguments, whose first token is the current one.
func (m *message) params(s *json.Scanner, kind json.Kind) error {
	m.args, m.bad = nil, false
	switch kind {
	case json.Null:
		return nil
	case json.ArrayBegin:
	default:
		m.bad = true
		return s.Skip()
	}
	return s.Array(func(int) error {
		if s.Kind() != json.String {
			m.bad = true
			return s.Skip()
		}
		m.args = append(m.args, s.Str())
		return nil
	})
}

// answer is what a command answered: a text, a document, or an error.
type answer struct {
	text       string
	isDocument bool
	err        error
}

// append appends the response to a request, as JSON with a newline. Where the
// session is in JSON, a text is wrapped in a document (ovs-appctl(8), --format).
func (a *answer) append(b, id []byte, asJSON bool) []byte {
	b = append(b, `{"id":`...)
	b = append(b, id...)
	b = append(b, `,"result":`...)
	switch {
	case a.err != nil:
		b = append(b, "null"...)
	case asJSON && a.isDocument:
		b = append(b, a.text...)
	case asJSON:
		b = append(b, `{"reply":`...)
		b = json.AppendString(b, a.text)
		b = append(b, `,"reply-format":"plain"}`...)
	default:
		b = appendLines(b, a.text)
	}
	b = append(b, `,"error":`...)
	if a.err != nil {
		b = appendLines(b, a.err.Error())
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}', '\n')
}

// appendLines appends a text as a string of whole lines.
func appendLines(b []byte, text string) []byte {
	b = json.AppendString(b, text)
	if text != "" && text[len(text)-1] != '\n' {
		b = append(b[:len(b)-1], `\n"`...)
	}
	return b
}

func (a *answer) log(id []byte) {
	if a.err != nil {
		log.Dbg("replying with error, id=%s: %q", id, a.err.Error())
	} else {
		log.Dbg("replying with success, id=%s: %q", id, a.text)
	}
}

// failed is the answer of a command that says why it couldn't.
func failed(format string, args ...any) answer { return answer{err: fmt.Errorf(format, args...)} }

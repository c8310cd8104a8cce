package unixctl

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// session is what a connection has set by set-options. Its connection's goroutine
// owns it.
type session struct{ json bool }

// Request is a command to be answered. Ctx ends when the server does.
type Request struct {
	Ctx  context.Context
	Name string
	Args []string
	JSON bool // the client wants a JSON document (ovs-appctl -f json)

	isJSON  bool
	session *session
	client  *client // whose request it is; nil without one
}

// ReplyJSON is for handlers that can answer in JSON when the request's JSON is
// set: they return what it returns.
func (r *Request) ReplyJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	r.isJSON = true
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// Gone reports whether the client has closed its connection, so that nobody waits
// for the answer. Handlers that take long ask it.
func (r *Request) Gone() bool {
	return r.client != nil && r.client.link.gone()
}

// Progress tells the client how far a long command is: a notification
// "progress" with one string. Clients that don't know it pass it over.
func (r *Request) Progress(text string) {
	if r.client == nil {
		return
	}
	b, err := json.Marshal(struct {
		ID     any      `json:"id"`
		Method string   `json:"method"`
		Params []string `json:"params"`
	}{nil, "progress", []string{text}})
	if err == nil {
		r.client.out = append(r.client.out, b...)
		_ = r.client.flush()
	}
}

// Answer is a command's answer in both forms: its String as text, and in JSON
// its Document if it has that method, else the value itself. Every command that
// shows something answers with it. The text of an [encoding.TextAppender] is
// valid until the handler has returned and its reply is made.
func (r *Request) Answer(v fmt.Stringer) (string, error) {
	if !r.JSON {
		if a, ok := v.(encoding.TextAppender); ok && r.client != nil {
			return r.client.appended(a)
		}
		return v.String(), nil
	}
	if d, ok := v.(interface{ Document() any }); ok {
		return r.ReplyJSON(d.Document())
	}
	return r.ReplyJSON(v)
}

// Lines is an answer that is a list of words: a line each, or an array.
type Lines []string

// String is a line for each word.
func (l Lines) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s + "\n")
	}
	return b.String()
}

// Document is the list, never null.
func (l Lines) Document() any { return append([]string{}, l...) }

// Both is an answer whose text and document are made apart.
type Both struct {
	Text string
	JSON any
}

// String is the text.
func (b Both) String() string { return b.Text }

// Document is the other form.
func (b Both) Document() any { return b.JSON }

// dispatch has a command, nil where there is none of that name, answer the request
// that came in last.
func (s *Server) dispatch(c *client, cmd *command) answer {
	m := &c.message
	if m.bad {
		return failed("\"%s\" command has non-string argument", m.method)
	}
	if err := check(cmd, m.method, len(m.args)); err != nil {
		return answer{err: err}
	}
	r := &Request{Ctx: s.ctx, Name: cmd.name, Args: m.args, JSON: c.session.json, client: c, session: &c.session}
	text, err := run(cmd, r)
	return answer{text: text, isDocument: r.isJSON, err: err}
}

// run calls the handler; a panic of one command must not end the daemon, and its
// user learns of it.
func run(c *command, r *Request) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Err("%s: internal error: %v", c.name, p)
			err = fmt.Errorf("%s: internal error: %v", c.name, p)
		}
	}()
	return c.handler(r)
}

func check(c *command, name string, args int) error {
	switch {
	case c == nil:
		return fmt.Errorf("\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)", name)
	case args < c.minArgs:
		return fmt.Errorf("\"%s\" command requires at least %d arguments", name, c.minArgs)
	case c.maxArgs >= 0 && args > c.maxArgs:
		return fmt.Errorf("\"%s\" command takes at most %d arguments", name, c.maxArgs)
	}
	return nil
}

func quoteArgs(args []string) string {
	b, _ := json.Marshal(args)
	if args == nil {
		return "[]"
	}
	return string(b)
}

// isDisconnect says whether err only means that the client has gone.
func isDisconnect(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrClosed)
}

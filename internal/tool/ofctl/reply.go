package ofctl

import (
	"encoding/binary"
	"fmt"

	"weir/internal/json"
	"weir/internal/openflow"
)

// Replies of a switch, printed as text or gathered for one JSON document.

// jsonOutput gathers the messages that a command prints.
type jsonOutput struct {
	pretty bool
	kinds  []jsonMessage
}

// jsonMessage is one message, or the parts of a multipart one put together.
type jsonMessage struct {
	xid    uint32
	title  string
	header openflow.MsgHeader
	msg    openflow.Message
	names  *openflow.Names
}

func (t *tool) setFormat(v string) error {
	switch v {
	case "json":
		t.json = new(jsonOutput)
	case "text":
		t.json = nil
	default:
		return fmt.Errorf("value %s on -f or --format is invalid", v)
	}
	return nil
}

// reply prints a message that a command asked for.
func (v *conn) reply(b []byte) error {
	t := v.t
	names := t.shownNames(v)
	if t.json == nil || b[1] == 1 {
		v.text = v.printer.Append(v.text[:0], b, openflow.PrintOptions{Verbosity: t.verbosity + 1, Names: names, Log: t.log})
		if t.verbosity+1 >= showsBytes {
			v.text = append(v.text, openflow.HexDump(b, 0, true)...)
		}
		_, err := t.out.Write(v.text)
		return err
	}
	h, m, err := openflow.Decode(b, t.decodeOptions())
	if err != nil {
		return err
	}
	t.json.add(jsonMessage{binary.BigEndian.Uint32(b[4:]), openflow.Name(b), h, m, names})
	return nil
}

func (o *jsonOutput) add(m jsonMessage) {
	if n := len(o.kinds); n > 0 && o.kinds[n-1].xid == m.xid && o.kinds[n-1].title == m.title {
		openflow.MergeReplies(o.kinds[n-1].msg, m.msg)
		return
	}
	o.kinds = append(o.kinds, m)
}

// flush writes the document: a list of the messages.
func (o *jsonOutput) flush(t *tool) error {
	b := []byte{'['}
	for i, m := range o.kinds {
		if i > 0 {
			b = append(b, ',')
		}
		b = openflow.AppendJSON(b, m.title, m.header, m.msg, m.names)
	}
	b = append(b, ']')
	if o.pretty {
		out, err := json.Format(nil, b, "  ")
		if err != nil {
			return err
		}
		b = out
	}
	_, err := fmt.Fprintf(t.out, "%s\n", b)
	return err
}

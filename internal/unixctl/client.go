package unixctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"weir/internal/paths"
	"weir/internal/vlog"
)

// Client is a connection to a control socket, for one goroutine.
type Client struct {
	conn net.Conn
	dec  *json.Decoder
	enc  *json.Encoder
	id   int
	// Progress, when not nil, is told how far a command is, by daemons that say so.
	Progress func(text string)
}

// TargetPath turns ovs-appctl's target into the name of a socket: an absolute
// name is one already; another is a daemon's, whose pidfile in the run directory
// says which socket is its own.
func TargetPath(target string) (string, error) {
	if strings.HasPrefix(target, "/") {
		return target, nil
	}
	pidfile := paths.InRunDir(target + ".pid")
	pid, err := ReadPidfile(pidfile)
	if err != nil {
		return "", fmt.Errorf("cannot read pidfile \"%s\" (%s)", pidfile, vlog.ErrText(err))
	}
	return paths.InRunDir(fmt.Sprintf("%s.%d.ctl", target, pid)), nil
}

// ReadPidfile reads the process ID in a pidfile. Failures are logged.
func ReadPidfile(name string) (int, error) {
	daemonLog := vlog.For("daemon_unix")
	b, err := os.ReadFile(name)
	if err != nil {
		daemonLog.Warn("%s: open: %s", name, vlog.ErrText(err))
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		daemonLog.Warn("%s does not contain a pid", name)
		return 0, errors.New("Invalid argument")
	}
	return pid, nil
}

// Dial connects to the daemon that target names.
func Dial(target string) (*Client, error) {
	path, err := TargetPath(target)
	if err != nil {
		return nil, err
	}
	short, release, err := paths.ShortSocket(path)
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := net.Dial("unix", short)
	if err != nil {
		log.Warn("failed to connect to %s", path)
		return nil, fmt.Errorf("cannot connect to \"%s\" (%s)", path, vlog.ErrText(err))
	}
	c := &Client{conn: conn, dec: json.NewDecoder(conn), enc: json.NewEncoder(conn)}
	c.enc.SetEscapeHTML(false)
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// SetJSON asks for answers in JSON from now on.
func (c *Client) SetJSON() (remoteErr, err error) {
	_, remoteErr, err = c.Transact("set-options", []string{"--format", "json"})
	return remoteErr, err
}

// Transact sends a command and waits for its answer. remoteErr is the daemon's
// error, err one of the communication. In JSON sessions result is the document.
func (c *Client) Transact(cmd string, args []string) (result string, remoteErr error, err error) {
	if args == nil {
		args = []string{}
	}
	id := c.id
	c.id++
	request := struct {
		ID     int      `json:"id"`
		Method string   `json:"method"`
		Params []string `json:"params"`
	}{id, cmd, args}
	if err := c.enc.Encode(request); err != nil {
		return "", nil, err
	}
	for {
		var m struct {
			ID     json.RawMessage  `json:"id"`
			Method *string          `json:"method"`
			Params []string         `json:"params"`
			Result *json.RawMessage `json:"result"`
			Error  *json.RawMessage `json:"error"`
		}
		if err := c.dec.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("End of file")
			}
			return "", nil, err
		}
		if m.Method != nil && *m.Method == "progress" && c.Progress != nil && len(m.Params) > 0 {
			c.Progress(m.Params[0])
		}
		if m.Method != nil || string(m.ID) != strconv.Itoa(id) {
			continue // not the answer
		}
		if m.Error != nil {
			return "", errors.New(text(*m.Error)), nil
		}
		if m.Result == nil {
			return "", nil, nil
		}
		return text(*m.Result), nil, nil
	}
}

// text is a JSON string's text, or the document itself where it is no string.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

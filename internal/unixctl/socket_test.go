package unixctl

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// connect connects to a server for the length of the test.
func connect(t *testing.T, s *Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("unix", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

// TestIdleConnections has connections rest for longer than a thread waits for them,
// and then ask again, and be ended by the server while they rest.
func TestIdleConnections(t *testing.T) {
	s := serve(t)
	conn, in := connect(t, s)
	for i := range 3 {
		if _, err := fmt.Fprintf(conn, `{"id":%d,"method":"echo","params":["%d"]}`, i, i); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"id":%d,"result":"%d\n","error":null}`+"\n", i, i)
		if got, err := in.ReadString('\n'); got != want || err != nil {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Close()
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("after the server's end: %v", err)
	}
}

// TestRequestsInPieces sends several requests in one piece and one in many.
func TestRequestsInPieces(t *testing.T) {
	s := serve(t)
	conn, in := connect(t, s)
	request := `{"method":"echo","id":["a\"}",{"b":1}],"other":[{}],"params":["` + strings.Repeat("x", 3*readSize) + `"]} `
	for _, piece := range []int{len(request), 1000, 3 * len(request)} {
		for rest := strings.Repeat(request, 3); rest != ""; {
			n := min(piece, len(rest))
			if _, err := io.WriteString(conn, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		want := `{"id":["a\"}",{"b":1}],"result":"` + strings.Repeat("x", 3*readSize) + `\n","error":null}` + "\n"
		for range 3 {
			if got, err := in.ReadString('\n'); got != want || err != nil {
				t.Fatalf("pieces of %d: got %.100q, %v", piece, got, err)
			}
		}
	}
}

// TestParams sends arguments of wrong kinds.
func TestParams(t *testing.T) {
	s := serve(t)
	conn, in := connect(t, s)
	for _, tc := range []struct{ request, want string }{
		{`{"id":1,"method":"echo","params":["a",1]}`, `{"id":1,"result":null,"error":"\"echo\" command has non-string argument\n"}`},
		{`{"id":2,"method":"echo","params":{"a":[]}}`, `{"id":2,"result":null,"error":"\"echo\" command has non-string argument\n"}`},
		{`{"method":"echo","params":["a",[1]],"params":["b"]}`, `{"id":null,"result":"b\n","error":null}`},
		{`{"id":4,"method":"both","params":null}`, `{"id":4,"result":"1 2\n","error":null}`},
	} {
		if _, err := io.WriteString(conn, tc.request); err != nil {
			t.Fatal(err)
		}
		if got, err := in.ReadString('\n'); strings.TrimSuffix(got, "\n") != tc.want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", tc.request, got, err, tc.want)
		}
	}
}

// TestRepliesDontWait has a command that takes long come right after another: the
// first one's reply isn't kept back once it is known to take long, and what a command
// says of its progress comes after earlier replies.
func TestRepliesDontWait(t *testing.T) {
	s := serve(t)
	goOn := make(chan bool)
	s.Register("slow", "", 0, 0, func(r *Request) (string, error) {
		time.Sleep(2 * quick)
		if <-goOn {
			r.Progress("half")
			<-goOn
		}
		return "", nil
	})
	conn, in := connect(t, s)
	read := func(want string) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(in, got); string(got) != want || err != nil {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	both := `{"id":1,"method":"echo","params":["a"]}{"id":2,"method":"slow"}`
	first, second := `{"id":1,"result":"a\n","error":null}`+"\n", `{"id":2,"result":"","error":null}`+"\n"
	_, _ = io.WriteString(conn, both)
	goOn <- true
	read(first + `{"id":null,"method":"progress","params":["half"]}`)
	goOn <- false
	read(second)
	_, _ = io.WriteString(conn, both)
	read(first)
	goOn <- false
	read(second)
	// That it took long once, on a busy machine say, is not for ever.
	s.Register("mostly", "", 0, 0, func(*Request) (string, error) { return "", nil })
	cmd := s.commands["mostly"]
	cmd.slow.Store(true)
	for range 100 {
		_, _ = io.WriteString(conn, `{"id":2,"method":"mostly"}`)
		if read(second); !cmd.slow.Load() {
			return
		}
	}
	t.Error("a command that took long is taken to do so for ever")
}

// Clients that ask and don't read hold no thread each, and a server that closes doesn't
// wait for them for ever.
func TestClientsThatNeverRead(t *testing.T) {
	s := serve(t)
	answer := strings.Repeat("x", 4<<20) // more than a socket takes
	var asked atomic.Int32
	s.Register("long", "", 0, 0, func(*Request) (string, error) { asked.Add(1); return answer, nil })
	const clients = 100
	for i := range int32(clients) {
		conn, _ := connect(t, s)
		if _, err := io.WriteString(conn, `{"id":1,"method":"long","params":[]}`); err != nil {
			t.Fatal(err)
		}
		for asked.Load() <= i {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Duration(lingerTime.Usec) * time.Microsecond)
	}
	if n := threads(t); n > clients/2 {
		t.Errorf("%d threads", n)
	}
	if got := request(t, s, "version"); !strings.HasPrefix(got, "testd ") {
		t.Errorf("another client was answered %q", got)
	}
	ended := make(chan struct{})
	go func() { s.Close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("Close waits for clients that don't read")
	}
}

// threads counts those of this process.
func threads(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// request has a client of its own ask for something.
func request(t *testing.T, s *Server, name string) string {
	t.Helper()
	text, remote, err := dial(t, s).Transact(name, nil)
	if err != nil || remote != nil {
		t.Fatal(err, remote)
	}
	return text
}

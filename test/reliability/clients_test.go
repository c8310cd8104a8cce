package reliability

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxMemory is how large, in MiB, a server with a small database may grow
// whatever its clients do.
const maxMemory = 300

// A client that monitors a table and never reads costs a bounded amount of
// memory, and the writers go on.
func TestClientThatNeverReads(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	writer := s.client()
	if err := writer.insert("a", 0, ""); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		deaf := s.dial()
		if _, err := io.WriteString(deaf, `{"id":1,"method":"monitor_cond","params":["D",0,{"T":[{"columns":["n","text"]}]}]}`); err != nil {
			t.Fatal(err)
		}
	}
	// 400 MB of updates to each of them, were they kept.
	updates, size := 2000, 200<<10
	if !long() {
		updates /= 4
	}
	text := strings.Repeat("x", size)
	for n := range updates {
		_, err := writer.call("transact", fmt.Sprintf(`["D",{"op":"update","table":"T","where":[["name","==","a"]],"row":{"n":%d,"text":"%s%d"}}]`, n, text, n))
		if err != nil {
			t.Fatal(err)
		}
	}
	s.served("a client that never reads")
	if m := s.memory(); m > maxMemory {
		t.Errorf("the server grew to %d MiB", m)
	}
}

// Whoever asks for much and does not take it is not given more than a bounded
// amount of memory either.
func TestClientThatAsksAndNeverReads(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	if err := s.client().insert("a", 0, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	greedy := s.dial()
	_ = greedy.SetWriteDeadline(time.Now().Add(3 * time.Second))
	for range 2000 { // 2 GB of answers
		if _, err := io.WriteString(greedy, `{"id":1,"method":"transact","params":["D",{"op":"select","table":"T","where":[]}]}`); err != nil {
			break // the server stopped reading, as it may
		}
	}
	s.served("a client that asks for 2 GB and never reads")
	if m := s.memory(); m > maxMemory {
		t.Errorf("the server grew to %d MiB", m)
	}
}

// Clients that send a byte at a time delay nobody.
func TestClientsThatSendByteByByte(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	request := `{"id":1,"method":"echo","params":["slow"]}`
	pause := 30 * time.Millisecond
	if long() {
		pause = time.Second
	}
	var wg sync.WaitGroup
	for range 20 {
		conn := s.dial()
		wg.Go(func() {
			for i := range request {
				if _, err := conn.Write([]byte{request[i]}); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(pause)
			}
			answer := make([]byte, 256)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			n, err := conn.Read(answer)
			if err != nil || !bytes.Contains(answer[:n], []byte(`["slow"]`)) {
				t.Errorf("answer %q, %v", answer[:n], err)
			}
		})
	}
	busy := s.client()
	for i := range 200 {
		if err := busy.insert(fmt.Sprint(i), i, ""); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

// A thousand clients that come at once all get a monitor and its first contents.
func TestThousandClientsAtOnce(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	writer := s.client()
	for i := range 100 {
		if err := writer.insert(fmt.Sprint(i), i, strings.Repeat("y", 100)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			conn, err := net.Dial("unix", s.socket())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(2 * patience))
			if _, err := io.WriteString(conn, `{"id":1,"method":"monitor_cond_since","params":["D",0,{"T":[{}]},"00000000-0000-0000-0000-000000000000"]}`); err != nil {
				t.Error(err)
				return
			}
			got := make([]byte, 0, 64<<10)
			buf := make([]byte, 16<<10)
			for bytes.Count(got, []byte(`"initial"`)) < 100 {
				n, err := conn.Read(buf)
				if err != nil {
					t.Errorf("after %d bytes: %v", len(got), err)
					return
				}
				got = append(got, buf[:n]...)
			}
		})
	}
	wg.Wait()
	s.served("a thousand clients")
	if m := s.memory(); m > maxMemory {
		t.Errorf("the server grew to %d MiB", m)
	}
}

// JSON nested 100,000 deep, for 100 MB, is refused without eating memory.
func TestDeepNesting(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	conn := s.dial()
	_ = conn.SetDeadline(time.Now().Add(patience))
	deep := strings.Repeat("[", 100_000)
	if _, err := io.WriteString(conn, `{"id":1,"method":"echo","params":[`); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := io.WriteString(conn, deep); err != nil {
			break // refused already
		}
	}
	// Whatever it answers, it ends the connection: nothing after this can be understood.
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection was not ended: %v", err)
	}
	s.served("JSON nested too deep")
	if m := s.memory(); m > maxMemory {
		t.Errorf("the server grew to %d MiB", m)
	}
}

// Random bytes, and requests with a byte changed, end one connection at most.
func TestRubbish(t *testing.T) {
	s := newServer(t, "")
	s.mustStart()
	if err := s.client().insert("kept", 1, ""); err != nil {
		t.Fatal(err)
	}
	rounds := 300
	if long() {
		rounds = 20_000
	}
	request := []byte(`{"id":1,"method":"transact","params":["D",{"op":"select","table":"T","where":[["n","<",7]],"columns":["name"]}]}` +
		`{"id":2,"method":"monitor","params":["D",null,{"T":{"columns":["n"],"select":{"initial":true}}}]}{"id":3,"method":"lock","params":["l"]}`)
	for i := range rounds {
		conn := s.dial()
		message := bytes.Clone(request)
		if i%3 == 0 {
			message = make([]byte, 1+rand.IntN(2000))
			for k := range message {
				message[k] = byte(rand.Uint32())
			}
		} else {
			message[rand.IntN(len(message))] = byte(rand.Uint32())
		}
		_, _ = conn.Write(message)
		if i%2 == 0 {
			_ = conn.CloseWrite()
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			_, _ = io.Copy(io.Discard, conn)
		}
		conn.Close()
	}
	rows, err := s.client().rows()
	if err != nil || rows["kept"] != 1 || len(rows) != 1 {
		t.Errorf("rows %v, %v", rows, err)
	}
}

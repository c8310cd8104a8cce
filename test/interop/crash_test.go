package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/test/programs"
)

// crashSchema has one table whose rows carry a writer's number and a counter.
const crashSchema = `{"name":"D","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":
 {"writer":{"type":"integer"},"n":{"type":"integer"},"s":{"type":{"key":"integer","min":0,"max":"unlimited"}}},
 "indexes":[["writer"]]}}}`

// TestKillLosesNothingAcknowledged kills our server at random moments under
// durable writes of several clients.  After each restart every client's counter
// is the last one that was acknowledged or the one that was on its way, and the
// set column, written as differences, agrees with it.  WEIR_LONG=1 makes it
// 200 kills.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	s := emptyStack(t)
	if err := os.WriteFile(s.path("d.ovsschema"), []byte(crashSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(ours, "ovsdb-tool", "create", s.path("conf.db"), s.path("d.ovsschema"))
	const writers = 4
	acked := make([]int, writers) // by the writer's goroutine, read between rounds
	var acks atomic.Int64         // in all
	rounds := 6
	if os.Getenv("WEIR_LONG") != "" {
		rounds = 200
	}
	for round := range rounds {
		s.run(ours, "ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--overwrite-pidfile", "--log-file", "-vconsole:off",
			"--remote=punix:"+s.path("db.sock"), s.path("conf.db"))
		s.checkCounters(t, round, acked)
		var wg sync.WaitGroup
		before := acks.Load()
		for w := range writers {
			conn, err := net.Dial("unix", s.path("db.sock")) // before the server is killed
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { writeUntilCut(t, conn, w, &acked[w], &acks) })
		}
		time.Sleep(time.Duration(50+rand.IntN(250)) * time.Millisecond)
		s.until("a transaction is acknowledged", func() bool { return acks.Load() > before || t.Failed() })
		text, err := os.ReadFile(s.path("ovsdb-server.pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		// Connections may be closed before the file is unlocked.
		s.until("the server is gone", func() bool { return programs.Ended(pid) })
	}
	t.Logf("acknowledged: %v", acked)
	os.Remove(s.path("ovsdb-server.pid"))
	// Debian's ovsdb-tool reads the file too, torn tail or not, once ours has
	// opened it for writing.
	s.run(ours, "ovsdb-tool", "transact", s.path("conf.db"), `["D",{"op":"insert","table":"T","row":{"writer":99}}]`)
	s.same("ovsdb-tool", "query", s.path("conf.db"), `["D",{"op":"select","table":"T","where":[],"columns":["writer","n","s"],"sort":["writer"]}]`)
}

// writeUntilCut counts a row up in durable transactions until the connection
// breaks.
func writeUntilCut(t *testing.T, conn net.Conn, writer int, acked *int, acks *atomic.Int64) {
	defer conn.Close()
	in := json.NewDecoder(conn)
	for n := *acked + 1; ; n++ {
		ops := fmt.Sprintf(`{"op":"update","table":"T","where":[["writer","==",%d]],"row":{"n":%d}},`+
			`{"op":"mutate","table":"T","where":[["writer","==",%d]],"mutations":[["s","insert",%d],["s","delete",%d]]}`, writer, n, writer, n, n-3)
		if n == 1 {
			ops = fmt.Sprintf(`{"op":"insert","table":"T","row":{"writer":%d,"n":1,"s":1}}`, writer)
		}
		_, err := fmt.Fprintf(conn, `{"id":%d,"method":"transact","params":["D",%s,{"op":"commit","durable":true}]}`, n, ops)
		if err != nil {
			return
		}
		var reply struct {
			ID     int
			Result []map[string]any
			Error  any
		}
		if err := in.Decode(&reply); err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), "reset") && err != io.ErrUnexpectedEOF {
				t.Error(err)
			}
			return
		}
		for _, r := range reply.Result {
			if r["error"] != nil {
				t.Errorf("writer %d, transaction %d: %v", writer, n, r)
				return
			}
		}
		*acked = n
		acks.Add(1)
	}
}

// checkCounters compares the server's rows with what it acknowledged, and takes
// over transactions that it committed without having been able to say so.
func (s *stack) checkCounters(t *testing.T, round int, acked []int) {
	out := s.run(ours, "ovsdb-client", "transact", "unix:"+s.path("db.sock"),
		`["D",{"op":"select","table":"T","where":[],"columns":["writer","n","s"]}]`)
	var results []struct {
		Rows []struct {
			Writer, N int
			S         any
		}
	}
	if err := json.Unmarshal([]byte(out), &results); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[int]bool{}
	for _, row := range results[0].Rows {
		found[row.Writer] = true
		if row.N != acked[row.Writer] && row.N != acked[row.Writer]+1 {
			t.Errorf("round %d: writer %d has %d, but %d was acknowledged", round, row.Writer, row.N, acked[row.Writer])
		}
		var want []any
		for i := max(1, row.N-2); i <= row.N; i++ {
			want = append(want, float64(i))
		}
		have := []any{row.S}
		if set, ok := row.S.([]any); ok {
			have = set[1].([]any)
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("round %d: writer %d at %d has the set %v, want %v", round, row.Writer, row.N, have, want)
		}
		acked[row.Writer] = row.N
	}
	for w, n := range acked {
		if n > 0 && !found[w] {
			t.Errorf("round %d: writer %d's row is gone, but %d was acknowledged", round, w, n)
		}
	}
}

package server

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/unixctl"
)

// Commands that change what is served and followed come many at once. What they leave
// is what one after another would: databases that _Server knows, and nobody who goes
// on following another server.
func TestCommandsAtOnce(t *testing.T) {
	h := newHarness(t)
	control, err := unixctl.NewServer(filepath.Join(t.TempDir(), "ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	h.Register(control, func() {})
	go control.Serve()
	run := func(c *unixctl.Client, words string) {
		args := strings.Fields(words)
		if _, _, err := c.Transact("ovsdb-server/"+args[0], args[1:]); err != nil { // the server may refuse it
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := unixctl.Dial(control.Path())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			run(c, "set-active-ovsdb-server unix:nowhere")
			for range 30 {
				run(c, "connect-active-ovsdb-server")
				run(c, "remove-db db")
				run(c, "add-db "+h.file)
				run(c, "disconnect-active-ovsdb-server")
			}
		})
	}
	wg.Wait()
	following := func() int {
		stacks := make([]byte, 4<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "server.(*upstream).run(")
	}
	for end := time.Now().Add(time.Minute); following() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d go on following another server", following())
		}
	}
}

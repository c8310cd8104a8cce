package daemon

import (
	"os"
	"testing"

	"weir/internal/unixctl"
)

// TestNoControlSocket has commands registered and served where --unixctl=none says
// that there is no socket.
func TestNoControlSocket(t *testing.T) {
	t.Setenv("OVS_RUNDIR", t.TempDir())
	p := &Process{}
	control, err := p.Control("program", "none")
	if err != nil {
		t.Fatal(err)
	}
	control.Register("command", "", 0, 0, func(*unixctl.Request) (string, error) { return "", nil })
	control.Serve() // returns, since there is nothing to wait for
	files, err := os.ReadDir(os.Getenv("OVS_RUNDIR"))
	if err != nil || len(files) > 0 || len(p.cleanup) > 0 {
		t.Errorf("--unixctl=none left %v (%v) and %d things to clean up, want nothing", files, err, len(p.cleanup))
	}
}

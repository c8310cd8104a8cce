package netns

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTour carries out the commands of README's tour, in a world of their own.
func TestTour(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, ok := strings.Cut(string(text), "\n## A tour of five minutes\n")
	if !ok {
		t.Fatal("README.md has no tour any more")
	}
	tour, _, _ = strings.Cut(tour, "\n## ")
	script := "set -e\nmount --make-rprivate /\nmkdir -p /run/netns\nmount -t tmpfs tmpfs /run/netns\nmount -t sysfs sysfs /sys\nip link set lo up\ntrap 'bin/weir down || true' EXIT\n"
	for line := range strings.Lines(tour) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			if command == "bin/weir down\n" {
				script += "trap - EXIT\n"
			}
			script += command
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-m", "-n", "bash", "-x", "-c", script)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PATH="+root+"/bin:"+os.Getenv("PATH"), "OVS_RUNDIR="+dir, "OVS_DBDIR="+dir, "OVS_LOGDIR="+dir, "OVS_SYSCONFDIR="+dir)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "3 received, 0% packet loss") || !strings.Contains(string(out), "Datapath actions: ") {
		t.Errorf("%v\n%s", err, out)
	}
}

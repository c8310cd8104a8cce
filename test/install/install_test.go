// Package install tests what `make install` lays out: packaging/install puts it into
// a directory, and the scripts in testdata run on a machine whose /usr and /etc have
// it in front of what this machine has.
package install

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/test/programs"
)

// limit is how long one script may take.
const limit = 10 * time.Minute

// tree installs into a new directory and returns it.
func tree(t *testing.T) string {
	t.Helper()
	bin, dir := programs.Need(t, "weir-install-")
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(filepath.Join(bin, "../packaging/install"))
	cmd.Env = append(os.Environ(), "DESTDIR="+dir, "PREFIX=/usr", "SYSCONFDIR=/etc")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// TestTree: every file is there and none that isn't known, none has a place left to
// fill in, links lead to files, and shells can read the scripts.
func TestTree(t *testing.T) {
	dir := tree(t)
	var have strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := os.Stat(path) // of a link's target
		if err != nil {
			return err
		}
		have.WriteString(info.Mode().String() + " " + name + "\n")
		if d.Type()&fs.ModeSymlink != 0 || name == "usr/bin/weir" {
			return nil
		}
		checkText(t, path, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/tree")
	if err != nil {
		t.Fatal(err)
	}
	if have.String() != string(want) {
		t.Errorf("installed is\n%s, but testdata/tree says\n%s", have.String(), want)
	}
}

// checkText looks at one installed file.
func checkText(t *testing.T, path, name string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"@PREFIX@", "@SYSCONFDIR@"} {
		if bytes.Contains(text, []byte(place)) {
			t.Errorf("%s still has %s", name, place)
		}
	}
	shells := []string{}
	switch {
	case strings.Contains(name, "bash-completion"):
		shells = []string{"bash"}
	case bytes.HasPrefix(text, []byte("#!/bin/sh")), strings.HasSuffix(name, "ovs-lib"):
		shells = []string{"bash", "dash"}
	}
	for _, shell := range shells {
		if out, err := exec.Command(shell, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s -n %s: %v: %s", shell, name, err, out)
		}
	}
}

// machine furnishes the namespaces that a script runs in, with what is installed in
// $TREE in front of this machine's /usr and /etc, and nothing in /run, /var/log and
// /etc/openvswitch. The process that runs the script reaps what it leaves behind.
const machine = `
set -e
mount --make-rprivate /
mkdir "$TREE/new"
mount -t tmpfs tmpfs "$TREE/new"
mkdir "$TREE/new/etc" "$TREE/new/work"
mount -t overlay -o "lowerdir=$TREE/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$TREE/etc:/etc,upperdir=$TREE/new/etc,workdir=$TREE/new/work" overlay /etc
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /etc/openvswitch /run/netns
mount -t tmpfs tmpfs /etc/openvswitch
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf || :
hostname machine
ip link set lo up
bash -eux "$SCRIPT"
`

// TestScripts runs each script of testdata on a machine of its own. All that it has
// started ends with it, with its process namespace.
func TestScripts(t *testing.T) {
	dir := tree(t)
	scripts, err := filepath.Glob("testdata/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sh")
		t.Run(name, func(t *testing.T) {
			if needs := map[string]string{"ovn": "/usr/share/ovn/scripts/ovn-ctl", "units": "/usr/bin/systemd-analyze"}[name]; needs != "" {
				if _, err := os.Stat(needs); err != nil {
					t.Skipf("%v", err)
				}
			}
			run(t, dir, script)
		})
	}
}

func run(t *testing.T, dir, script string) {
	t.Helper()
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-m", "-n", "-u", "-i", "-p", "--fork", "--kill-child", "bash", "-c", machine)
	cmd.Env = []string{"TREE=" + dir, "SCRIPT=" + script, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := os.Remove(filepath.Join(dir, "new")); err != nil { // was a mount of the namespace
		t.Error(err)
	}
}

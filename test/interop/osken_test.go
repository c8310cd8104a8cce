package interop

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A controller written with os-ken asks for everything that its version of
// OpenFlow has, and then is a learning switch. The C switch shows what it should
// see.
func TestOSKen(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import os_ken.base.app_manager").Run(); err != nil {
		theirs.program(t, "osken-manager") // skips, or fails where it should be there
	}
	for _, version := range []string{"1.0", "1.3", "1.4", "1.5"} {
		t.Run(version, func(t *testing.T) {
			want := controlledBy(t, theirs, version)
			if got := controlledBy(t, ours, version); got != want {
				t.Errorf("%s, the C switch %s", got, want)
			}
		})
	}
}

// controlledBy runs the controller over one side's switch and returns what it says
// of the requests that it made.
func controlledBy(t *testing.T, sw side, version string) (covered string) {
	s := newStack(t, sw)
	s.startSwitch(sw, sw)
	port := freePort(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, theirs.program(t, "osken-manager"), "--ofp-listen-host", "127.0.0.1",
		"--ofp-tcp-listen-port", port, "testdata/osken.py")
	cmd.Env, cmd.WaitDelay = append(s.env(), "VERSION="+version), time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	lines := bufio.NewReader(out)
	// A switch that finds nobody tries again after longer and longer waits.
	s.until("the controller listens", func() bool { return listens(t, port) })
	s.run(sw, "ovs-vsctl", "set-controller", "br0", "tcp:127.0.0.1:"+port,
		"--", "set", "Bridge", "br0", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
	covered = await(t, lines, "COVERED")
	await(t, lines, "SWITCHING")
	for _, step := range []struct{ port, src, dst string }{
		{"p1", "50:54:00:00:00:01", "50:54:00:00:00:02"},
		{"p2", "50:54:00:00:00:02", "50:54:00:00:00:01"},
		{"p1", "50:54:00:00:00:01", "50:54:00:00:00:02"},
	} {
		s.run(sw, "ovs-appctl", "netdev-dummy/receive", step.port,
			"in_port(1),eth(src="+step.src+",dst="+step.dst+"),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)")
		await(t, lines, "FORWARDED "+step.src)
	}
	s.until("the controller's flows", func() bool {
		flows := s.run(ours, "ovs-ofctl", "-O", "OpenFlow13", "--no-stats", "dump-flows", "br0")
		return strings.Contains(flows, "in_port=2,dl_dst=50:54:00:00:00:01 actions=output:1") &&
			strings.Contains(flows, "in_port=1,dl_dst=50:54:00:00:00:02 actions=output:2")
	})
	return covered
}

// await reads lines up to one that begins with a word.
func await(t *testing.T, lines *bufio.Reader, word string) string {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := lines.ReadString('\n')
		seen.WriteString(line)
		if strings.HasPrefix(line, word) {
			return strings.TrimSpace(line)
		}
		if strings.HasPrefix(line, "FAILED") || err != nil {
			for err == nil && line != "\n" { // a trace follows, up to an empty line
				line, err = lines.ReadString('\n')
				seen.WriteString(line)
			}
			t.Fatalf("no %s: %v\n%s", word, err, seen.String())
		}
	}
}

// listens says whether somebody listens on a TCP port, without disturbing them
// (proc_pid_net(5): the local address and the state are the second and the fourth word).
func listens(t *testing.T, port string) bool {
	t.Helper()
	// Of this thread: the first one of the process may be in another namespace by now.
	sockets, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	const listen = "0A" // TCP_LISTEN
	for line := range strings.Lines(string(sockets)) {
		words := strings.Fields(line)
		if len(words) > 3 && words[3] == listen && strings.HasSuffix(words[1], fmt.Sprintf(":%04X", number)) {
			return true
		}
	}
	return false
}

// freePort finds a TCP port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

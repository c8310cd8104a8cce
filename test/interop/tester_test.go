package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
)

// os-ken's switch tester finds nothing wrong with our switch: it programs a target,
// sends it packets from another switch, and looks at what comes back, in the versions
// of OpenFlow that it gets through. The C switch fails some of these tests: it may still
// forward by flows that went before the barrier which the tester waited for.
func TestSwitchTester(t *testing.T) {
	if os.Getenv("WEIR_LONG") == "" {
		t.Skip("WEIR_LONG=1 runs it: on a busy machine the tester takes minutes, of which its start is the greater part")
	}
	for _, c := range []struct{ version, dataPath string }{
		{"1.0", "netdev"}, {"1.3", "system"}, {"1.4", "netdev"},
	} {
		t.Run(c.version+" "+c.dataPath, func(t *testing.T) {
			t.Parallel()
			conformsTo(t, c.version, c.dataPath)
		})
	}
}

// conformsTo runs the tester in a version of OpenFlow on bridges of a type.
func conformsTo(t *testing.T, version, dataPath string) {
	manager := theirs.program(t, "osken-manager")
	space := "weir-io-tester" + version
	lab.RemoveNamespaces(space)
	t.Cleanup(func() { lab.RemoveNamespaces(space) })
	if err := lab.AddNamespace(space); err != nil {
		t.Fatal(err)
	}
	if err := lab.WithoutIPv6(space); err != nil { // the host's own packets would be taken for the tester's
		t.Fatal(err)
	}
	s := newStack(t, ours)
	s.space = space
	patterns := s.path("patterns")
	if err := os.Mkdir(patterns, 0o755); err != nil {
		t.Fatal(err)
	}
	count, err := exec.Command("/usr/bin/python3", "testdata/ofpatterns.py", patterns, version).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, count)
	}
	s.run(ours, "ovs-vsctl", "--no-wait", "init")
	s.run(ours, "ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
	protocol := "OpenFlow" + strings.ReplaceAll(version, ".", "")
	for id, bridge := range []string{"target", "tester"} {
		s.run(ours, "ovs-vsctl", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type="+dataPath, "fail_mode=secure",
			"protocols="+protocol, fmt.Sprintf("other_config:datapath-id=%016x", id+1))
	}
	for i := range 3 {
		a, b := fmt.Sprint("target", i+1), fmt.Sprint("tester", i+1)
		if err := lab.IP("-n "+space+" link add "+a+" type veth peer name "+b, "-n "+space+" link set "+a+" up", "-n "+space+" link set "+b+" up"); err != nil {
			t.Fatal(err)
		}
		for _, port := range []string{a, b} {
			s.run(ours, "ovs-vsctl", "add-port", port[:len(port)-1], port, "--", "set", "Interface", port, fmt.Sprint("ofport_request=", i+1))
		}
	}
	const port = "6653"
	for _, bridge := range []string{"target", "tester"} {
		s.run(ours, "ovs-vsctl", "--", "--id=@c", "create", "Controller", `target="tcp:127.0.0.1:`+port+`"`, "max_backoff=1000",
			"--", "set", "Bridge", bridge, "controller=@c")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	cmd := s.command(ctx, manager, "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", port,
		"--test-switch-dir", patterns, "--test-switch-target-version", strings.ToLower(protocol), "--test-switch-tester-version", strings.ToLower(protocol),
		"os_ken.tests.switch.tester")
	cmd.WaitDelay = time.Second
	report, err := cmd.CombinedOutput() // ends by a signal to itself
	want := fmt.Sprintf("OK(%s) / ERROR(0)", strings.TrimSpace(string(count)))
	if !strings.Contains(string(report), want) {
		_, failures, reported := strings.Cut(string(report), "--- Test report ---")
		if !reported {
			failures = string(report)
		}
		t.Errorf("%v: not %s, but\n%s", err, want, failures)
	}
}

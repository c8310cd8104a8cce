package alone

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if strings.HasPrefix(os.Getenv(againMode), "leave") {
		grace = time.Second
	}
	Main(m)
}

// Inside there is the loopback device, up, and no other; names of namespaces are
// ours alone.
func TestInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	if os.Getenv(stage) != inside {
		t.Fatal("not in namespaces of their own; see the line that begins with alone:")
	}
	links, err := exec.Command("ip", "-o", "link").Output()
	if err != nil || strings.Count(string(links), "\n") != 1 || !strings.Contains(string(links), "LOOPBACK,UP") {
		t.Errorf("%v: links are\n%s", err, links)
	}
	if out, err := exec.Command("ip", "netns", "add", "alone").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	defer func() { _ = exec.Command("ip", "netns", "del", "alone").Run() }()
	if spaces, err := os.ReadDir(namedSpaces); err != nil || len(spaces) != 1 {
		t.Errorf("%v: namespaces are %v", err, spaces)
	}
	if net, err := os.ReadDir("/sys/class/net"); err != nil || len(net) != 1 {
		t.Errorf("%v: /sys/class/net holds %v", err, net)
	}
}

// again runs this test binary once more, as from the outside, for one test that
// the mode concerns.
func again(t *testing.T, mode string) (string, error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestAgain$", "-test.v")
	cmd.Env = append(os.Environ(), stage+"=", againMode+"="+mode)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const againMode = "WEIR_TEST_ALONE_AGAIN"

// TestAgain does what the environment asks it to, for the tests below.
func TestAgain(t *testing.T) {
	switch os.Getenv(againMode) {
	case "pass":
		// A process that ends soon, of a parent that has ended, is no concern.
		if err := exec.Command("sh", "-c", "sleep 0.2 &").Run(); err != nil {
			t.Fatal(err)
		}
	case "fail":
		t.Error("failed as asked")
	case "crash":
		os.Exit(7)
	case "leave":
		if err := exec.Command("sh", "-c", "exec setsid unshare -m sleep 1234 >/dev/null 2>&1 &").Run(); err != nil {
			t.Fatal(err)
		}
	case "leave goroutine":
		go leak()
	case "leave descriptor":
		if _, err := syscall.Open("/dev/full", syscall.O_WRONLY, 0); err != nil {
			t.Fatal(err)
		}
	default:
		t.Skip("for the other tests")
	}
}

// leak never returns.
func leak() { select {} }

// The outcome inside is that outside; a daemon that stays is found, named and
// killed, in whatever session and namespaces it is; goroutines and descriptors that
// stay are named.
func TestOutcome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	for _, tc := range []struct{ mode, status, text string }{
		{"pass", "", "--- PASS: TestAgain"},
		{"fail", "exit status 1", "failed as asked"},
		{"crash", "exit status 7", "=== RUN   TestAgain"},
		{"leave", "exit status 1", "the tests left a process behind: "},
		{"leave goroutine", "exit status 1", "alone.leak()"},
		{"leave descriptor", "exit status 1", "open: /dev/full"},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			t.Parallel()
			out, err := again(t, tc.mode)
			status := ""
			if err != nil {
				status = err.Error()
			}
			if status != tc.status || !strings.Contains(out, tc.text) {
				t.Errorf("%q, want %q; printed\n%s", status, tc.status, out)
			}
			if tc.mode == "leave" && !strings.Contains(out, ", sleep 1234") {
				t.Errorf("the process is not named:\n%s", out)
			}
		})
	}
}

// Where namespaces are denied, the tests run nonetheless, and a line says why
// they are not alone.
func TestDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", self, "-test.run", "^TestAgain$")
	cmd.Env = append(os.Environ(), stage+"=", againMode+"=fail")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "operation not permitted): a second run") || !strings.Contains(string(out), "failed as asked") {
		t.Errorf("%v; printed\n%s", err, out)
	}
}

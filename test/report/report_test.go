package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events makes the events of a package's output by test, as `go test -json` does.
func events(t *testing.T, all ...event) io.Reader {
	t.Helper()
	var b strings.Builder
	for _, e := range all {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", data)
	}
	return strings.NewReader(b.String())
}

// Of a package where one subtest of two fails among much logging, the summary
// shows that subtest and what it says.
func TestSummary(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	err := r.read(bufio.NewReader(events(t,
		event{Action: "output", Package: "p", Test: "TestA", Output: "=== RUN   TestA\n"},
		event{Action: "output", Package: "p", Test: "TestA/good", Output: "    said by the good\n"},
		event{Action: "pass", Package: "p", Test: "TestA/good"},
		event{Action: "output", Package: "p", Test: "TestA/bad", Output: "2026-11-30T02:29:46Z|00001|bridge|INFO|added\n"},
		event{Action: "output", Package: "p", Test: "TestA/bad", Output: "    a_test.go:7: 3, want 4\n"},
		event{Action: "output", Package: "p", Test: "TestA/bad", Output: "        2026-11-30T02:29:46.123Z|00002|bridge(w1)|WARN|odd\n"},
		event{Action: "output", Package: "p", Test: "TestA/bad", Output: "        2026-11-30T02:29:46.123Z|00003|bridge|ERR|bad\n"},
		event{Action: "fail", Package: "p", Test: "TestA/bad"},
		event{Action: "output", Package: "p", Test: "TestA", Output: "--- FAIL: TestA (0.00s)\n"},
		event{Action: "fail", Package: "p", Test: "TestA"},
		event{Action: "output", Package: "p", Output: "FAIL\n"},
		event{Action: "output", Package: "p", Output: "FAIL\tp\t0.1s\n"},
		event{Action: "fail", Package: "p"},
		event{Action: "output", Package: "q", Output: "ok  \tq\t0.2s\n"},
		event{Action: "pass", Package: "q"},
	)))
	if err != nil {
		t.Fatal(err)
	}
	r.summary()
	want := "FAIL\tp\t0.1s\nok  \tq\t0.2s\n\n== what failed\n--- p TestA/bad\n    a_test.go:7: 3, want 4\n        2026-11-30T02:29:46.123Z|00003|bridge|ERR|bad\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

// Long output is cut in the middle; of 100 lines its ends are seen.
func TestCut(t *testing.T) {
	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprint(i))
	}
	got := cut(long)
	if len(got) != headLines+tailLines+1 || got[0] != "0" || got[headLines] != "    ... 60 lines ..." || got[len(got)-1] != "99" {
		t.Errorf("%q", got)
	}
}

// The whole: failures, crashes and what doesn't compile give their reasons and
// the exit status of `go test`.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "report")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct{ name, body, status, want string }{
		{"pass", `t.Log("quiet")`, "", ""},
		{"fail", `t.Error("three is not four")`, "exit status 1", "three is not four"},
		{"panic", `panic("oh")`, "exit status 1", "panic: oh"},
		{"exit", `os.Exit(3)`, "exit status 1", "--- m"},
		{"build", `return 5`, "exit status 1", "too many return values"},
	} {
		files := map[string]string{
			"go.mod":    "module m\n",
			"m_test.go": "package m\n\nimport (\n\"os\"\n\"testing\"\n)\n\nvar _ = os.Exit\n\nfunc TestIt(t *testing.T) {\n" + tc.body + "\n}\n",
		}
		sub := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(sub, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(bin, "go", "test", "./...")
		cmd.Dir = sub
		out, err := cmd.CombinedOutput()
		status := ""
		if err != nil {
			status = err.Error()
		}
		if status != tc.status || !strings.Contains(string(out), tc.want) || strings.Contains(string(out), "quiet") {
			t.Errorf("%s: %q, want %q; printed\n%s", tc.name, status, tc.status, out)
		}
		if strings.Contains(string(out), "== what failed") == (tc.status == "") {
			t.Errorf("%s: printed\n%s", tc.name, out)
		}
	}
}

package userspace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// deal assigns queues, written PORT.QUEUE@NODE=LOAD[!CORE], to threads, written
// CORE@NODE, and says which queue went where.
func deal(mode AssignMode, isolate bool, threads, queues string) (string, *assignment) {
	a := &assignment{mode: mode, isolate: isolate}
	for _, f := range strings.Fields(threads) {
		t := &share{}
		_, _ = fmt.Sscanf(f, "%d@%d", &t.core, &t.node)
		a.threads = append(a.threads, t)
	}
	var demands []*demand
	for _, f := range strings.Fields(queues) {
		d := &demand{port: f[:1], pin: -1}
		_, _ = fmt.Sscanf(f[2:], "%d@%d=%d!%d", &d.queue, &d.node, &d.load, &d.pin)
		demands = append(demands, d)
	}
	a.run(demands)
	var out []string
	for _, d := range demands {
		out = append(out, fmt.Sprintf("%s.%d:%d", d.port, d.queue, d.core))
	}
	return strings.Join(out, " "), a
}

func TestAssignment(t *testing.T) {
	const two, cross = "0@0 1@0", "0@0 1@1 2@0 3@1"
	for _, tc := range []struct {
		name            string
		mode            AssignMode
		isolate         bool
		threads, queues string
		want            string
	}{
		{"up and down", AssignCycles, true, "7@0 8@0 9@0", "a.0@0=80 a.1@0=70 a.2@0=60 a.3@0=50 a.4@0=40 a.5@0=30 a.6@0=20",
			"a.0:7 a.1:8 a.2:9 a.3:9 a.4:8 a.5:7 a.6:7"},
		{"busiest first", AssignCycles, true, two, "a.0@0=1 a.1@0=2 a.2@0=3", "a.0:1 a.1:1 a.2:0"},
		{"in turn", AssignRoundRobin, true, two, "a.0@0=1 a.1@0=2 a.2@0=3", "a.0:0 a.1:1 a.2:0"},
		{"least load", AssignGroup, true, two, "a.0@0=90 a.1@0=30 a.2@0=20 a.3@0=10", "a.0:0 a.1:1 a.2:1 a.3:1"},
		{"without load by number", AssignGroup, true, two, "a.0@0 a.1@0 a.2@0", "a.0:0 a.1:1 a.2:0"},
		{"pinned and alone", AssignCycles, true, two, "a.0@0=9!1 a.1@0=1 a.2@0=1", "a.0:1 a.1:0 a.2:0"},
		{"pinned among others", AssignGroup, false, two, "a.0@0=9!1 a.1@0=10 a.2@0=5", "a.0:1 a.1:0 a.2:1"},
		{"pinned to no thread", AssignCycles, true, two, "a.0@0=9!5", "a.0:0"},
		{"own node", AssignCycles, true, cross, "a.0@1=9 a.1@1=8 b.0@0=7 b.1@0=6", "a.0:1 a.1:3 b.0:0 b.1:2"},
		{"foreign nodes in turn", AssignCycles, true, cross, "a.0@5=9 a.1@5=8 a.2@5=7 a.3@5=6", "a.0:0 a.1:1 a.2:2 a.3:3"},
		{"nobody left", AssignCycles, true, "0@0", "a.0@0=1!0 a.1@0=1", "a.0:0 a.1:-1"},
	} {
		if got, _ := deal(tc.mode, tc.isolate, tc.threads, tc.queues); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestAssignmentNotes checks the texts that users look for in the log.
func TestAssignmentNotes(t *testing.T) {
	_, a := deal(AssignCycles, true, "0@0 2@0", "p.0@1=5 p.1@0=6!2 p.2@0=0!9")
	var got []string
	for _, n := range a.notes {
		got = append(got, n.level.String()+" "+n.text)
	}
	want := []string{
		"INFO Core  2 on numa node 0 is pinned with port 'p' rx queue 1 (measured processing cycles 6)",
		"WARN Core  9 cannot be pinned with port 'p' rx queue 2. Use pmd-cpu-mask to enable a pmd on core 9. An alternative core will be assigned.",
		"INFO Performing pmd to rx queue assignment using cycles algorithm.",
		"INFO There's no available (non-isolated) pmd thread on numa node 1. Port 'p' rx queue 0 will be assigned to a pmd on numa node 0. This may lead to reduced performance.",
		"INFO Core  0 on numa node 0 assigned port 'p' rx queue 0 (measured processing cycles 5).",
		"INFO Core  0 on numa node 0 assigned port 'p' rx queue 2 (measured processing cycles 0).",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAssignmentLaws checks over random threads and queues that every queue has
// a thread wherever one takes any, and that isolated threads have pinned queues
// only.
func TestAssignmentLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &assignment{mode: AssignMode(rapid.IntRange(0, 2).Draw(t, "mode")), isolate: rapid.Bool().Draw(t, "isolate")}
		for core := range rapid.IntRange(1, 6).Draw(t, "threads") {
			a.threads = append(a.threads, &share{core: core, node: rapid.IntRange(0, 2).Draw(t, "node")})
		}
		var queues []*demand
		for q := range rapid.IntRange(0, 12).Draw(t, "queues") {
			queues = append(queues, &demand{port: "p", queue: q, node: rapid.IntRange(0, 3).Draw(t, "at"),
				pin: rapid.IntRange(-3, 6).Draw(t, "pin"), load: uint64(rapid.IntRange(0, 100).Draw(t, "load"))})
		}
		a.run(queues)
		open, loads := false, map[int]uint64{}
		for _, th := range a.threads {
			open = open || !th.isolated
		}
		for _, q := range queues {
			loads[q.core] += q.load
			if q.core < 0 {
				if open {
					t.Fatalf("queue %d is not polled", q.queue)
				}
				continue
			}
			if th := a.threads[q.core]; th.isolated && q.pin != q.core {
				t.Fatalf("queue %d is on core %d, which is isolated", q.queue, q.core)
			}
		}
		for _, th := range a.threads {
			if th.load != loads[th.core] {
				t.Fatalf("core %d counts a load of %d, has %d", th.core, th.load, loads[th.core])
			}
		}
	})
}

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		loads []uint64
		want  uint64
	}{{nil, 0}, {[]uint64{50, 50}, 0}, {[]uint64{100, 0}, 2500}, {[]uint64{10, 20, 30}, 66}} {
		if got := spread(tc.loads); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.loads, got, tc.want)
		}
	}
}

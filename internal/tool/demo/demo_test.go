package demo

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"weir/internal/lab"
	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

func TestDescribeVLANs(t *testing.T) {
	for _, tc := range []struct{ table, want string }{
		{`{"data":[[10,["set",[]]]],"headings":["tag","trunks"]}`, "VLAN 10"},
		{`{"data":[[["set",[]],["set",[10,20]]]],"headings":["tag","trunks"]}`, "trunk 10,20"},
		{`{"data":[[["set",[]],["set",[]]]],"headings":["tag","trunks"]}`, "all VLANs"},
	} {
		got, err := describeVLANs(tc.table)
		if err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v; want %q", tc.table, got, err, tc.want)
		}
	}
	for _, bad := range []string{"", "{", `{"data":[]}`} {
		if got, err := describeVLANs(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

func TestBoxLinesAlign(t *testing.T) {
	lines := box("br0", []drawn{{"trunk-left", "trunk 10,20"}, {"to-alice", "VLAN 10"}})
	for _, l := range lines {
		if len(l) != boxWidth {
			t.Errorf("line %q is %d wide, want %d", l, len(l), boxWidth)
		}
	}
	if !strings.Contains(lines[trunkLine], "trunk-left") {
		t.Errorf("line %d is %q, want the trunk there", trunkLine, lines[trunkLine])
	}
	if !strings.Contains(strings.Join(lines, "\n"), "--- alice") {
		t.Error("the host of a port is not drawn")
	}
}

// What a demonstration left whose process has ended goes; the namespaces of others
// stay, as do those of one that runs.
func TestRemoveOrphans(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	left := fmt.Sprintf("%s%d-alice", family, ended.Process.Pid)
	for _, space := range []string{left, namespace("alice"), "weir-demonstrator"} {
		if err := lab.AddNamespace(space); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lab.RemoveNamespaces(space) })
	}
	removeOrphans()
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if slices.Contains(names, left) || !slices.Contains(names, namespace("alice")) || !slices.Contains(names, "weir-demonstrator") {
		t.Errorf("%q are there, of which %s alone should be gone", names, left)
	}
}

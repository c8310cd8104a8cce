package numa

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestDummy(t *testing.T) {
	top, err := ParseDummy("0,1,0,1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Core{{0, 0}, {1, 1}, {2, 0}, {3, 1}}, top.Cores); diff != "" || top.Real {
		t.Error(diff, top.Real)
	}
	if diff := cmp.Diff([]Core{{0, 0}, {1, 1}}, top.FirstOfEach()); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "x", "0,-1", "99999999999"} {
		if _, err := ParseDummy(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSelect(t *testing.T) {
	top, _ := ParseDummy("0,0,1,1")
	for _, tc := range []struct {
		mask string
		want []int
	}{{"1", []int{0}}, {"0xA", []int{1, 3}}, {"f", []int{0, 1, 2, 3}}, {"100000000000000000003", []int{0, 1}}, {"0", nil}} {
		cores, err := top.Select(tc.mask)
		var got []int
		for _, c := range cores {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Error(tc.mask, diff, err)
		}
	}
	for _, bad := range []string{"", "g", "-1", "0x"} {
		if _, err := top.Select(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestHost(t *testing.T) {
	top := Host(fstest.MapFS{
		"devices/system/node/node0/cpulist": {Data: []byte("4096-8000\n")},
		"devices/system/node/node3/cpulist": {Data: []byte("0-1023,2000\n")},
	})
	if len(top.Cores) == 0 || !top.Real {
		t.Fatal("a process runs on some core")
	}
	for _, c := range top.Cores {
		if c.Node != 3 {
			t.Errorf("core %d is on node %d, want 3", c.ID, c.Node)
		}
	}
	for _, c := range Host(fstest.MapFS{}).Cores {
		if c.Node != 0 {
			t.Errorf("core %d is on node %d, want 0", c.ID, c.Node)
		}
	}
}

// FuzzTexts checks that masks and lists of nodes are read or refused.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"0,0,1,1", "f", "0xff", "ffffffffffffffffffffffff", "-1", "", "1,", "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return // as many cores
		}
		top, err := ParseDummy(text)
		if err == nil && len(top.Nodes()) != len(top.FirstOfEach()) {
			t.Errorf("%q: nodes %v, first cores %v", text, top.Nodes(), top.FirstOfEach())
		}
		few, _ := ParseDummy("0,1,0,1")
		if cores, err := few.Select(text); err == nil && len(cores) > 4 {
			t.Errorf("%q selects %v of 4 cores", text, cores)
		}
	})
}

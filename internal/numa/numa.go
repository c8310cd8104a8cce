// Package numa tells which processor cores there are and to which memory node
// each belongs: those of the host (/sys/devices/system/node, sysfs-devices-node
// in the kernel's ABI documents), or those that a test makes up
// (ovs-vswitchd --dummy-numa).
package numa

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Core is a processor core and its memory node.
type Core struct{ ID, Node int }

// Topology is the cores there are, by ID.
type Topology struct {
	Cores []Core
	// Real says that threads can be bound to the cores.
	Real bool
}

// ParseDummy reads --dummy-numa: the nodes of cores 0, 1, ..., separated by commas.
func ParseDummy(text string) (Topology, error) {
	var t Topology
	for i, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return t, fmt.Errorf("Invalid numa node %s", s) //nolint:staticcheck // users know the text
		}
		t.Cores = append(t.Cores, Core{i, int(n)})
	}
	if len(t.Cores) == 0 {
		return t, errors.New("no NUMA node is named (list the node of each core, as in 0,0,1,1)")
	}
	return t, nil
}

// Host reads the cores of this machine that the process may run on. sys is
// /sys; where it says nothing of nodes, all cores are on node 0.
func Host(sys fs.FS) Topology {
	t := Topology{Real: true}
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		allowed.Set(0)
	}
	for id := range len(allowed) * 64 {
		if allowed.IsSet(id) {
			t.Cores = append(t.Cores, Core{ID: id})
		}
	}
	nodes, _ := fs.Glob(sys, "devices/system/node/node[0-9]*/cpulist")
	for _, file := range nodes {
		text, err := fs.ReadFile(sys, file)
		node, nerr := strconv.Atoi(strings.TrimPrefix(strings.Split(file, "/")[3], "node"))
		if err != nil || nerr != nil {
			continue
		}
		for i := range t.Cores {
			if inList(strings.TrimSpace(string(text)), t.Cores[i].ID) {
				t.Cores[i].Node = node
			}
		}
	}
	return t
}

// inList reports whether a list of cores as the kernel writes it (0-3,8) has id.
func inList(list string, id int) bool {
	for _, part := range strings.Split(list, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, errA := strconv.Atoi(lo)
		b, errB := strconv.Atoi(hi)
		if errA == nil && errB == nil && a <= id && id <= b {
			return true
		}
	}
	return false
}

// Nodes lists the nodes that have cores, in ascending order.
func (t *Topology) Nodes() []int {
	var nodes []int
	for _, c := range t.Cores {
		if !slices.Contains(nodes, c.Node) {
			nodes = append(nodes, c.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// FirstOfEach lists the first core of each node.
func (t *Topology) FirstOfEach() []Core {
	var out []Core
	for _, n := range t.Nodes() {
		i := slices.IndexFunc(t.Cores, func(c Core) bool { return c.Node == n })
		out = append(out, t.Cores[i])
	}
	return out
}

// Select lists the cores that a mask in hexadecimal names, as
// other_config:pmd-cpu-mask is written; ones that there aren't are left out.
// An error says that the text is no mask.
func (t *Topology) Select(mask string) ([]Core, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(mask, "0x"), "0X")
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || n.Sign() < 0 || strings.HasPrefix(digits, "+") {
		return nil, fmt.Errorf("%q is not a mask of cores in hexadecimal digits", mask)
	}
	var out []Core
	for _, c := range t.Cores {
		if n.Bit(c.ID) == 1 {
			out = append(out, c)
		}
	}
	return out, nil
}

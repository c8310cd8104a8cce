package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"weir/internal/flow"
)

// The attack on tuple space search of Csikor et al. (CoNEXT 2019): against a
// table that admits packets by one of several fields, packets that differ from
// what is admitted in the i-th bit of one field, the j-th of another and so on
// have the switch install a mask for each combination. They are few, look like
// nothing, and every other packet then is looked up among all those masks.

// What the tables admit, beside the victim's packets.
const (
	admittedSrc = 0x0a630a0a // 10.99.10.10
	admittedPt  = 40000
)

// hostileMasks is how many masks the attack aims at: an address of 32 bits by
// two ports of 16.
const hostileMasks = 32 * 16 * 16

// hostile makes a key the i-th packet of the attack.
func hostile(key *flow.Key, i int) {
	i %= hostileMasks
	key.IPSrc = admittedSrc ^ 1<<(i%32)
	key.TpSrc = admittedPt ^ 1<<(i/32%16)
	key.TpDst = admittedPt ^ 1<<(i/512)
}

// runAttack measures the rate of a victim's 1,000 flows before and during an
// attack of 1,000 packets a second, which had the time to install all its masks.
func runAttack(st *stage) ([]float64, error) {
	if err := st.tools("ovs-ofctl del-flows br0",
		"ovs-ofctl add-flow br0 priority=500,in_port=2,actions=1",
		fmt.Sprintf("ovs-ofctl add-flow br0 priority=400,udp,nw_src=%s,actions=2", dotted(admittedSrc)),
		fmt.Sprintf("ovs-ofctl add-flow br0 priority=300,udp,tp_src=%d,actions=2", admittedPt),
		fmt.Sprintf("ovs-ofctl add-flow br0 priority=200,udp,tp_dst=%d,actions=2", admittedPt),
		"ovs-ofctl add-flow br0 priority=100,udp,nw_dst="+ipDst+",tp_dst=9,actions=2",
		"ovs-ofctl add-flow br0 priority=0,actions=drop"); err != nil {
		return nil, err
	}
	victim := packets("-flows", "1000")
	before, err := victim(st)
	if err != nil {
		return nil, err
	}
	const pps = 1000
	prepare := hostileMasks*time.Second/pps + time.Second
	gen := st.command(nsSrc, st.self, "generate", "-hostile", "-pps", strconv.Itoa(pps), "-time", (prepare + st.length + 5*time.Second).String())
	gen.Stderr = os.Stderr
	if err := gen.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = gen.Process.Kill(); _ = gen.Wait() }()
	time.Sleep(prepare)
	during, err := victim(st)
	if err != nil {
		return nil, err
	}
	masks, err := st.masks()
	return []float64{before[0], during[0], during[0] / before[0], masks}, err
}

// masks is how many masks the flows of the data path have.
func (st *stage) masks() (float64, error) {
	out, err := st.tool("ovs-appctl", "dpctl/dump-flows", "-m")
	if err != nil {
		return 0, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		match, _, _ := strings.Cut(line, " packets:")
		seen[maskOf(match)] = true
	}
	return float64(len(seen)), nil
}

// maskOf tells flows of different masks apart: what follows the slashes of a
// flow's text, with the names of the fields.
func maskOf(match string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(match, func(r rune) bool { return strings.ContainsRune(",()", r) }) {
		name, value, _ := strings.Cut(part, "=")
		if strings.HasPrefix(name, "ufid:") {
			continue
		}
		_, mask, _ := strings.Cut(value, "/")
		b.WriteString(name + "/" + mask + ",")
	}
	return b.String()
}

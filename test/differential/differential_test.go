package differential

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/test/programs"
)

// Sizes of a trial.
const (
	batch  = 40
	rounds = 3 // how often the batch is sent through the same tables
)

// length is how long TestDifferential looks for differences; WEIR_DIFF=10m makes
// it long, and WEIR_SEED chooses where it begins.
func length(t *testing.T) (time.Duration, uint64) {
	d, seed := 5*time.Second, uint64(1)
	if text := os.Getenv("WEIR_DIFF"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			t.Fatalf("WEIR_DIFF: %v", err)
		}
	}
	if text := os.Getenv("WEIR_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 0, 64); err != nil {
			t.Fatalf("WEIR_SEED: %v", err)
		}
	}
	return d, seed
}

// maxFailures ends the test.
const maxFailures = 3

var failures int

// TestDifferential has both data paths do the same.
func TestDifferential(t *testing.T) {
	d, seed := length(t)
	w := start(t)
	sent := 0
	for end := time.Now().Add(d); time.Now().Before(end) && failures < maxFailures; seed++ {
		sent += w.trial(seed)
	}
	t.Logf("%d packets through each data path", sent)
}

// input is a packet and where it goes in.
type input struct {
	port  int
	frame frame
}

// Frames become longer by tags and labels; those up to small stay shorter than
// what a port takes, those from large on don't become so.
const small, large = mtu - 60, mtu + 60

func longest(port int) int {
	if port == bigPort {
		return bigMTU - 60
	}
	return small
}

// comparable reports whether both data paths should do the same with a packet. The
// kernel has devices send frames that are too long by a tag, if it forwards them.
// The tap devices of user space have UDP's super-packets cut before it counts them.
func (in *input) comparable() bool {
	n, off := len(in.frame.bytes), &in.frame.off
	return !(off.GSOType == 0 && small < n && n < large) && !(off.GSOType == udpSegments && in.port >= insider)
}

// trial has random packets go through random tables.
func (w *world) trial(seed uint64) (sent int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	g := newTables(rng)
	w.configure(g)
	m := maker{rng}
	inputs := make([]input, batch)
	for i := range inputs {
		port := 1 + rng.IntN(numPorts)
		inputs[i] = input{port, m.frame(longest(port))}
		for !inputs[i].comparable() {
			inputs[i].frame = m.frame(longest(port))
		}
	}
	for round := range rounds {
		before := w.slow()
		var got [2]outcome
		for i := range w.sides {
			got[i] = w.pass(w.sides[i], inputs)
		}
		sent += len(inputs)
		if text := got[0].difference(&got[1]); text != "" {
			w.fail(seed, round, text, inputs, before)
			return sent
		}
	}
	w.count(seed)
	if rng.IntN(2) == 0 {
		w.run("ovs-appctl", "dpctl/del-flows", datapaths[0]+"@ovs-"+datapaths[0])
		w.run("ovs-appctl", "dpctl/del-flows", datapaths[1]+"@ovs-"+datapaths[1])
	}
	return sent
}

// configure gives all bridges tables.
func (w *world) configure(g *tables) {
	w.t.Helper()
	write := func(name string, lines []string) string {
		name = filepath.Join(w.dir, name)
		w.must(os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		return name
	}
	groups := write("groups", g.groups())
	flows := append(g.flows(), "table=0,priority=65535,dl_type=0x88b5,actions=move:NXM_OF_ETH_SRC[]->NXM_NX_XXREG3[0..47],in_port")
	far := append(g.flows(), "table=0,priority=0,actions=output:9,output:1")
	for _, s := range w.sides {
		w.run("ovs-ofctl", "-O", "OpenFlow15", "del-groups", s.name)
		w.run("ovs-ofctl", "-O", "OpenFlow15", "del-flows", s.name)
		w.run("ovs-ofctl", "-O", "OpenFlow15", "del-flows", s.name+"2")
		w.run("ovs-ofctl", "-O", "OpenFlow15", "add-groups", s.name, groups)
		w.addFlows(s.name, "flows", &flows)
		w.addFlows(s.name+"2", "far", &far)
	}
	w.run("ovs-appctl", "revalidator/wait")
}

var refusal = regexp.MustCompile(`:([0-9]+): `)

// addFlows adds flows to a bridge but for those that no switch takes, as some of
// random lists are, which it takes out.
func (w *world) addFlows(bridge, file string, flows *[]string) {
	w.t.Helper()
	file = filepath.Join(w.dir, file)
	for {
		w.must(os.WriteFile(file, []byte(strings.Join(*flows, "\n")+"\n"), 0o600))
		out, err := w.try("ovs-ofctl", "-O", "OpenFlow15", "add-flows", bridge, file)
		if err == nil {
			return
		}
		if m := refusal.FindStringSubmatch(out); m != nil {
			n, _ := strconv.Atoi(m[1])
			*flows = slices.Delete(*flows, n-1, n)
			continue
		}
		// Together they have no version in common; which it is isn't said.
		*flows = slices.DeleteFunc(*flows, func(f string) bool {
			_, err := w.try("ovs-ofctl", "-O", "OpenFlow15", "parse-flow", f)
			return err != nil
		})
	}
}

var sentinels uint32

// pass sends packets into a side and takes what comes out.
func (w *world) pass(s *side, inputs []input) (o outcome) {
	w.t.Helper()
	for i := range inputs {
		if err := s.ends[inputs[i].port-1].send(&inputs[i].frame); err != nil && !errors.Is(err, unix.EINVAL) {
			w.t.Fatalf("sending into port %d: %v: %s", inputs[i].port, err, inputs[i].frame)
		}
	}
	// A packet of a kind of its own after the others, on the long way, comes
	// back when they have been handled.
	var back [numPorts]bool
	for n := range numPorts {
		sentinels++
		b := make([]byte, 60)
		be.PutUint32(b[8:], sentinels)
		b[6] = 4
		be.PutUint16(b[12:], 0x88b5)
		w.must(s.ends[n].send(&frame{bytes: b}))
	}
	until := time.Time{}
	ok := false
	for give := time.Now().Add(programs.Patience); !ok && time.Now().Before(give); time.Sleep(500 * time.Microsecond) {
		for again := true; again; {
			again = false
			all := true
			for n, e := range s.ends {
				for {
					f, ok := e.receive()
					if !ok {
						break
					}
					again = true
					if len(f.bytes) >= 14 && be.Uint16(f.bytes[12:]) == 0x88b5 {
						back[n] = true
						continue
					}
					o[n] = append(o[n], f)
				}
				all = all && (n >= numPorts || back[n])
			}
			if all && until.IsZero() {
				until = time.Now().Add(5 * time.Millisecond)
			}
		}
		ok = !until.IsZero() && time.Now().After(until)
	}
	if !ok {
		show, _ := w.try("ovs-appctl", "dpctl/show", "-s")
		w.t.Fatalf("%s: not all of the last packets came back: %v\n%s\n%s", s.name, back, w.slow(), show)
	}
	o.sorted()
	return o
}

// slow is what the data path in the kernel says of its slow path.
func (w *world) slow() string { return w.run("ovs-appctl", "dpif/show-slow") }

// fail reports a difference. It sends the packets again, one by one, to find
// those whose outcome differs, and leaves the tables in a file.
func (w *world) fail(seed uint64, round int, text string, inputs []input, before string) {
	failures++
	w.t.Errorf("seed %d, round %d:\n%s", seed, round, text)
	shown := false
	for i := range inputs {
		one := inputs[i : i+1]
		for range 2 {
			a, b := w.pass(w.sides[0], one), w.pass(w.sides[1], one)
			text := a.difference(&b)
			if text == "" || shown {
				continue
			}
			shown = true
			w.t.Logf("alone too: packet %d, port %d, %s:\n%s", i, one[0].port, one[0].frame, text)
			out, _ := w.try("ovs-appctl", "ofproto/trace", w.sides[0].name, fmt.Sprintf("in_port=%d", one[0].port), fmt.Sprintf("%x", one[0].frame.bytes[:min(len(one[0].frame.bytes), 1000)]))
			w.t.Logf("%s", out)
		}
	}
	w.t.Logf("before:\n%s\nafter:\n%s", before, w.slow())
	for _, name := range []string{"flows", "far", "groups"} {
		text, _ := os.ReadFile(filepath.Join(w.dir, name))
		w.t.Logf("%s:\n%s", name, text)
	}
}

var varying = regexp.MustCompile(`duration=[0-9.]+s, |(idle|hard)_age=[0-9]+, |cookie=0x[0-9a-f]+, `)

// count compares what both sides have counted of their flows and tables.
func (w *world) count(seed uint64) {
	w.run("ovs-appctl", "revalidator/wait")
	for _, suffix := range []string{"", "2"} {
		var got [2][]string
		for i, s := range w.sides {
			out := w.run("ovs-ofctl", "-O", "OpenFlow15", "dump-flows", s.name+suffix)
			got[i] = strings.Split(varying.ReplaceAllString(out, ""), "\n")
		}
		for i := range got[0] {
			if strings.Contains(got[0][i], "0x88b5") || i >= len(got[1]) {
				continue
			}
			if got[0][i] != got[1][i] {
				w.t.Errorf("seed %d: counts differ:\n%s\n%s", seed, got[0][i], got[1][i])
			}
		}
	}
}

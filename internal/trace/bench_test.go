package trace

import "testing"

// tracedFlow and tracedPacket are a flow of exact values and a packet of it.
const (
	tracedFlow   = "priority=100,tcp,nw_src=10.1.134.140,nw_dst=192.168.134.212,tp_src=51004,tp_dst=92,actions=output:2"
	tracedPacket = "in_port=1,tcp,nw_src=10.1.134.140,nw_dst=192.168.134.212,tp_src=51004,tp_dst=92"
)

// BenchmarkRun traces one packet through a flow and makes the text.
func BenchmarkRun(b *testing.B) {
	env := newEnv(b, tracedFlow)
	args := []string{"br0", tracedPacket}
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		rep, err := Run(env, args)
		if err != nil {
			b.Fatal(err)
		}
		if text, _ = rep.AppendText(text[:0]); len(text) == 0 {
			b.Fatal("no text")
		}
		rep.Release()
	}
}

// TestAllocations pins what a trace of a packet through a flow allocates when its
// report has been used before: the action of the data path, and where ports are
// named a little more.
func TestAllocations(t *testing.T) {
	env := newEnv(t, tracedFlow)
	for _, tc := range []struct {
		args []string
		most float64
	}{
		{[]string{"br0", tracedPacket}, 1},
		{[]string{"br0", tracedPacket, "--names"}, 6},
	} {
		rep, text := &Report{}, []byte(nil)
		trace := func() {
			rep.reset()
			if err := rep.req.parse(env, tc.args, false); err != nil {
				t.Fatal(err)
			}
			rep.run(env)
			text, _ = rep.AppendText(text[:0])
		}
		trace()
		if n := testing.AllocsPerRun(100, trace); n > tc.most {
			t.Errorf("%v: %v allocations a trace, %v are allowed", tc.args, n, tc.most)
		}
	}
}

package trace

import "testing"

// BenchmarkRun traces one packet through a flow and makes the text.
func BenchmarkRun(b *testing.B) {
	env := newEnv(b, "priority=100,tcp,nw_src=10.1.134.140,nw_dst=192.168.134.212,tp_src=51004,tp_dst=92,actions=output:2")
	args := []string{"br0", "in_port=1,tcp,nw_src=10.1.134.140,nw_dst=192.168.134.212,tp_src=51004,tp_dst=92"}
	b.ReportAllocs()
	for b.Loop() {
		rep, err := Run(env, args)
		if err != nil || rep.String() == "" {
			b.Fatal(err)
		}
	}
}

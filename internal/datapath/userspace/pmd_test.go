package userspace

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/numa"
)

// bench is a data path with dummies that threads poll.
type bench struct {
	*testing.T
	d   *DP
	clk *clock.Clock
	set *dummy.Set
}

func newBench(t *testing.T, cores string) *bench {
	top, err := numa.ParseDummy(cores)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, clk: clock.New()}
	b.clk.Stop()
	b.set = dummy.NewSet(b.clk)
	b.d, err = New(Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true, Clock: b.clk, Topology: top})
	if err != nil {
		t.Fatal(err)
	}
	b.d.Start()
	t.Cleanup(func() { _ = b.d.Close() })
	return b
}

func (b *bench) add(name, typ string, options map[string]string) *dummy.Device {
	dev, err := b.set.Provider(typ).Open(name, options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = dev.Close() })
	if _, err := b.d.PortAdd(dev, typ, datapath.PortNone); err != nil {
		b.Fatal(err)
	}
	return dev.(*dummy.Device)
}

// layout is which thread polls what, as "0: p1.0 p1.1; 1:"; 0! is isolated.
func (b *bench) layout() string {
	var out []string
	for _, t := range b.d.Threads(intervals) {
		s := fmt.Sprintf("%d:", t.Core)
		if t.Isolated {
			s = fmt.Sprintf("%d!", t.Core)
		}
		for _, q := range t.Queues {
			s += fmt.Sprintf(" %s.%d", q.Port, q.Queue)
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func (b *bench) want(layout string) {
	b.Helper()
	if got := b.layout(); got != layout {
		b.Errorf("threads poll %q, want %q", got, layout)
	}
}

func udpFrame(t testing.TB, port int) []byte {
	k, _, err := datapath.ParseKey(fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=2)", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	return flow.Compose(k, make([]byte, 18))
}

func (b *bench) put(in int, actions string) {
	k, m, err := datapath.ParseKey(fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", in), nil)
	if err != nil {
		b.Fatal(err)
	}
	a, err := datapath.ParseActions(actions, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.d.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: a}, datapath.PutCreate); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) eventually(what string, ok func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not in time: %s", what)
		}
	}
}

// received is how many packets the thread on a core has processed.
func (b *bench) received(core int) uint64 {
	for _, s := range b.d.WorkerStats() {
		if s.Thread != nil && s.Thread.ID == core || s.Thread == nil && core < 0 {
			return s.Received
		}
	}
	return 0
}

func TestThreadsFollowSettings(t *testing.T) {
	b := newBench(t, "0,1,0,1")
	b.add("p7", "dummy", nil)
	b.want("")
	p1 := b.add("p1", "dummy-pmd", map[string]string{"n_rxq": "2"})
	b.want("0: p1.0 p1.1; 1:")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "f"})
	b.want("0: p1.0; 1:; 2: p1.1; 3:")
	b.d.TunePort("p1", map[string]string{"pmd-rxq-affinity": "0:3"})
	b.want("0: p1.1; 1:; 2:; 3! p1.0")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "f", "pmd-rxq-assign": "group", "pmd-rxq-isolate": "false"})
	b.want("0: p1.1; 1:; 2:; 3: p1.0")
	if err := p1.SetOptions(map[string]string{"n_rxq": "1", "numa_id": "1"}); err != nil {
		t.Fatal(err)
	}
	b.d.TunePort("p1", nil)
	b.want("0:; 1: p1.0; 2:; 3:")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "4"})
	b.want("2: p1.0")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "junk"})
	b.want("0:; 1: p1.0")
	if err := b.d.PortDel(1); err != nil {
		t.Fatal(err)
	}
	b.want("")
}

// TestThreadsCount checks that packets are processed by the thread that has
// their queue, are counted for it and for their flow, and that nothing of it is
// lost when threads end.
func TestThreadsCount(t *testing.T) {
	b := newBench(t, "0,0")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "3"})
	p1 := b.add("p1", "dummy-pmd", map[string]string{"n_rxq": "2"})
	p2 := b.add("p2", "dummy-pmd", map[string]string{"n_txq": "8"})
	b.put(1, "2")
	b.want("0: p1.0; 1: p1.1 p2.0")
	for i := range 10 {
		p1.Inject(i%2, udpFrame(t, i))
		b.eventually("a packet", func() bool { return b.received(i%2) == uint64(i/2+1) })
	}
	flows := b.d.FlowsByThread()
	if len(flows) != 3 || flows[1].Flows[0].Stats.Packets != 5 || flows[2].Flows[0].Stats.Packets != 5 {
		t.Errorf("%+v", flows)
	}
	b.d.Tune(nil)
	b.want("0: p1.0 p1.1 p2.0")
	b.eventually("the second thread ends", func() bool {
		b.d.conf.Lock()
		defer b.d.conf.Unlock()
		b.d.bury()
		return len(b.d.retired) == 0
	})
	if s := b.d.Stats(); s.Hit != 10 || s.Missed != 0 {
		t.Errorf("%+v", s)
	}
	for i := range 10 {
		p1.Inject(1, udpFrame(t, i))
	}
	b.eventually("packets of the moved queue", func() bool { return b.received(0) == 15 })
	p2.Inject(0, udpFrame(t, 1))
	b.d.ClearWorkerStats(0, clock.Ticks())
	p1.Inject(0, udpFrame(t, 1))
	b.eventually("a packet after the counters were cleared", func() bool { return b.received(0) > 0 })

	b.d.TunePort("p2", map[string]string{"tx-steering": "hash"})
	for i := range 64 {
		p1.Inject(0, udpFrame(t, 1000+i))
	}
	b.eventually("packets on many queues", func() bool {
		queues := 0
		for _, c := range p2.CustomStats() {
			if strings.HasPrefix(c.Name, "tx_q") && strings.HasSuffix(c.Name, "_packets") && c.Value > 0 {
				queues++
			}
		}
		return queues >= 4
	})
}

// slowDevice takes a while for each packet that is sent to it.
type slowDevice struct {
	*dummy.Device
	mu    sync.Mutex
	delay time.Duration
}

func (s *slowDevice) Send(q int, batch []*netdev.Packet) (int, error) {
	s.mu.Lock()
	d := s.delay
	s.mu.Unlock()
	time.Sleep(d * time.Duration(len(batch)))
	return s.Device.Send(q, batch)
}

// TestBalance measures real load: one thread is busy with two queues while the
// other idles, until the automatic balancing moves one.
func TestBalance(t *testing.T) {
	b := newBench(t, "0,0")
	b.d.Tune(map[string]string{"pmd-cpu-mask": "3"})
	p1 := b.add("p1", "dummy-pmd", map[string]string{"n_rxq": "4"})
	dev, err := b.set.Provider("dummy").Open("p9", nil)
	if err != nil {
		t.Fatal(err)
	}
	out := &slowDevice{Device: dev.(*dummy.Device), delay: time.Millisecond}
	t.Cleanup(func() { _ = out.Close() })
	if _, err := b.d.PortAdd(out, "dummy", 9); err != nil {
		t.Fatal(err)
	}
	b.put(1, "9")
	b.want("0: p1.0 p1.3; 1: p1.1 p1.2")
	for _, th := range b.d.Threads(intervals) {
		if th.Queues[0].Percent != -1 || th.Overhead != -1 {
			t.Errorf("nothing was measured: %+v", th)
		}
	}
	threads := *b.d.workers.Load()
	// A machine that stands still makes even busy queues' share a small one.
	b.eventually("busy queues have a share of their thread's time", func() bool {
		for range 40 {
			p1.Inject(0, udpFrame(t, 1))
			p1.Inject(3, udpFrame(t, 1))
		}
		b.eventually("the packets' time is charged to their queues", func() bool {
			for _, q := range *threads[0].poller.queues.Load() {
				if time.Duration(q.busy.Load()) < 40*time.Millisecond {
					return false
				}
			}
			return true
		})
		b.clk.Warp(intervalLen, 0)
		th := b.d.Threads(1)
		if th[1].Queues[0].Percent != 0 {
			t.Errorf("loads are %+v", th)
		}
		return th[0].Queues[0].Percent > 0 && th[0].Queues[1].Percent > 0
	})
	settings := map[string]string{"pmd-cpu-mask": "3", "pmd-auto-lb": "true", "pmd-auto-lb-load-threshold": "100"}
	b.d.Tune(settings)
	b.clk.Warp(time.Minute/2, intervalLen)
	b.want("0: p1.0 p1.3; 1: p1.1 p1.2")
	settings["pmd-auto-lb-load-threshold"] = "0"
	b.d.Tune(settings)
	b.remember(threads[0], 80*time.Second, 100*time.Second)
	b.remember(threads[1], 0, 100*time.Second)
	b.d.balanced = b.d.now().Add(-time.Minute)
	b.clk.Warp(intervalLen, 0)
	if got := b.layout(); got != "0: p1.0 p1.2; 1: p1.1 p1.3" && got != "0: p1.2 p1.3; 1: p1.0 p1.1" {
		t.Errorf("after rebalancing: %s", got)
	}
}

// remember makes it the history of a thread that its queues, in equal parts,
// kept it busy for so long: what was measured depends on what else the machine
// did.
func (b *bench) remember(w *worker, busy, elapsed time.Duration) {
	b.d.conf.Lock()
	defer b.d.conf.Unlock()
	queues := *w.poller.queues.Load()
	w.poller.load, w.poller.elapsed = usage{}, usage{}
	w.poller.load.push(uint64(busy))
	w.poller.elapsed.push(uint64(elapsed))
	for _, q := range queues {
		q.load = usage{}
		q.load.push(uint64(busy) / uint64(len(queues)))
	}
}

// TestTxFlush checks that packets wait for others of the next batches, and
// leave when a batch is full or their time has come.
func TestTxFlush(t *testing.T) {
	b := newBench(t, "0")
	b.d.txFlush.Store(int64(time.Hour))
	p1 := b.add("p1", "dummy-pmd", nil)
	p2 := b.add("p2", "dummy-pmd", nil)
	b.put(1, "2")
	sent := func() uint64 { s, _ := p2.Stats(); return s.TxPackets }
	received := 0
	receive := func() {
		t.Helper()
		p1.Inject(0, udpFrame(t, received))
		received++
		b.eventually("a packet", func() bool { return b.received(0) == uint64(received) })
	}
	for received < batchSize-1 {
		receive()
	}
	if n := sent(); n != 0 {
		t.Errorf("%d packets left at once", n)
	}
	receive()
	if n := sent(); n != batchSize {
		t.Errorf("%d packets left when there were %d", n, batchSize)
	}
	b.d.Tune(map[string]string{"tx-flush-interval": "10000"})
	receive()
	b.eventually("a packet leaves", func() bool { return sent() == batchSize+1 })
	for _, s := range b.d.WorkerStats() {
		if s.Thread != nil && s.OutBatches != 2 {
			t.Errorf("%d batches, want 2", s.OutBatches)
		}
	}
}

// TestCaches checks the settings of the caches by where packets are found.
func TestCaches(t *testing.T) {
	for _, tc := range []struct {
		open, iface    map[string]string
		emc, smc, mega uint64
	}{
		{nil, nil, 3, 0, 1},
		{map[string]string{"emc-insert-inv-prob": "0"}, nil, 0, 0, 4},
		{map[string]string{"emc-insert-inv-prob": "0", "smc-enable": "true"}, nil, 0, 3, 1},
		{map[string]string{"smc-enable": "true"}, map[string]string{"emc-enable": "false"}, 0, 3, 1},
		{nil, map[string]string{"emc-enable": "false"}, 0, 0, 4},
	} {
		b := newBench(t, "0")
		b.d.Tune(tc.open)
		p1 := b.add("p1", "dummy-pmd", nil)
		b.d.TunePort("p1", tc.iface)
		b.put(1, "drop")
		for i := range 4 {
			p1.Inject(0, udpFrame(t, 7))
			b.eventually("a packet", func() bool { return b.received(0) == uint64(i+1) })
		}
		s := b.d.WorkerStats()[0]
		if s.CacheHits != tc.emc || s.SignatureHits != tc.smc || s.MegaflowHits != tc.mega {
			t.Errorf("%v %v: %d in the first cache, %d in the second, %d among the flows", tc.open, tc.iface, s.CacheHits, s.SignatureHits, s.MegaflowHits)
		}
	}
}

// TestMetrics checks what a thread measures of itself.
func TestMetrics(t *testing.T) {
	b := newBench(t, "0")
	b.d.LogPerf(PerfLog{On: true, Before: 2, After: 2, Micros: 0})
	b.d.Tune(map[string]string{"pmd-perf-metrics": "true", "pmd-sleep-max": "20"})
	p1 := b.add("p1", "dummy-pmd", nil)
	b.put(1, "drop")
	for i := range 5 {
		p1.Inject(0, udpFrame(t, 7))
		// The next packet must not be met in the same iteration.
		b.eventually("a busy iteration", func() bool { return b.d.WorkerStats()[0].BusyIterations == uint64(i+1) })
	}
	b.eventually("busy iterations", func() bool {
		m := b.d.WorkerStats()[0].Detail
		return m != nil && m.Packets.Sum == 5
	})
	b.eventually("naps", func() bool { return b.d.WorkerStats()[0].SleepIterations > 0 })
	s := b.d.WorkerStats()[0]
	if s.Busy == 0 || s.Idle == 0 || s.Asleep == 0 || s.Iterations < s.BusyIterations {
		t.Errorf("%+v", s)
	}
	m := s.Detail
	if m == nil || m.Packets.Sum != 5 || m.TimePerPacket.Samples() != s.BusyIterations || m.Time.Samples() != uint64(len(m.Iterations)) || len(m.Millis) == 0 {
		t.Errorf("%+v", m)
	}
	b.d.Tune(nil)
	if b.d.WorkerStats()[0].Detail != nil {
		t.Error("metrics go on")
	}
}

// TestServiceAllocates nothing, with all that a thread measures.
func TestServiceAllocatesNothing(t *testing.T) {
	w, p := rig(t, 1000, []string{anyIP}, "2")
	w.poller = &poller{}
	w.perf.detail.Store(newDetail(&w.perf))
	q := &rxq{port: p}
	for _, flush := range []int64{0, int64(time.Second)} {
		w.dp.txFlush.Store(flush)
		for _, hash := range []bool{false, true} {
			w.dp.ports.Load().get(2).steered.Store(hash)
			step := func() {
				n, _ := w.service(q)
				w.perf.iteration(n, 100, 0, nil)
			}
			step()
			step()
			if n := testing.AllocsPerRun(50, step); n != 0 {
				t.Errorf("%v allocations per batch (flush %d, hash %t)", n, flush, hash)
			}
		}
	}
}

// TestPortsKeepTheirThreads checks that a data path whose threads nobody
// arranges leaves queues where they are when ports come and go.
func TestPortsKeepTheirThreads(t *testing.T) {
	top, err := numa.ParseDummy("0,0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, clk: clock.New()}
	b.set = dummy.NewSet(b.clk)
	b.d, err = New(Config{Type: "netdev", Name: "ovs-netdev", Clock: b.clk, Workers: 2, Topology: top})
	if err != nil {
		t.Fatal(err)
	}
	b.d.Start()
	t.Cleanup(func() { _ = b.d.Close() })
	p1 := b.add("p1", "dummy", nil)
	b.add("p2", "dummy", nil)
	b.add("p3", "dummy-pmd", map[string]string{"n_rxq": "2"})
	b.want("0: p1.0 p3.0; 1: p2.0 p3.1")
	if err := b.d.PortDel(2); err != nil {
		t.Fatal(err)
	}
	b.want("0: p1.0 p3.0; 1: p3.1")
	b.add("p4", "dummy", nil)
	b.want("0: p1.0 p3.0; 1: p3.1 p4.0")
	b.put(1, "drop")
	p1.Inject(0, udpFrame(t, 1))
	b.eventually("a packet", func() bool { return b.received(0) == 1 })
	b.d.TunePort("p4", map[string]string{"pmd-rxq-affinity": "0:0"})
	b.want("0! p4.0; 1: p1.0 p3.0 p3.1")
	p1.Inject(0, udpFrame(t, 1))
	// The former thread may see it first.
	b.eventually("a packet after the queue moved", func() bool { return b.received(0)+b.received(1) == 2 })
}

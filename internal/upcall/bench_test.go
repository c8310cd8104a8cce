package upcall

import (
	"runtime"
	"testing"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
)

// benchRig is a rig on the user-space data path, with a table that makes each
// connection a flow of its own.
func benchRig(b testing.TB) (*rig, *userspace.DP) {
	r := newRig(b, Config{FlowLimit: 1 << 20})
	r.SetFlowLimit(1 << 20)
	dp, err := userspace.New(userspace.Config{Type: "dummy", Name: "bench", Workers: 2, Clock: clock.New()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = dp.Close() })
	r.Engine.dp = dp
	dp.SetUpcallHandler(r.Engine)
	r.add(b, "tcp,nw_src=10.0.0.0/8,actions=multipath(symmetric_l4,1,modulo_n,1,0,NXM_NX_REG0[0..7]),output:2")
	r.add(b, "priority=40000,tcp,nw_src=10.255.255.255,nw_dst=192.168.255.255,tp_src=1,tp_dst=1,actions=output:3")
	r.add(b, "priority=40001,tcp,nw_src=11.255.255.255,tp_src=1,actions=output:3")
	return r, dp
}

func benchKey(i int) flow.Key {
	return flow.Key{
		InPort: 1, EthType: 0x0800, NwProto: 6, NwTTL: 64, IPSrc: 0x0a000000 | uint32(i), IPDst: 0xc0a80000 | uint32(i>>8),
		TpSrc: uint16(1024 + i), TpDst: 80, EthSrc: [6]byte{0x50, 5: 1}, EthDst: [6]byte{0x50, 5: 2},
	}
}

// setUp sets flows up as a worker of a data path does.
type setUp struct {
	r  *rig
	dp *userspace.DP
	p  netdev.Packet
	u  datapath.Upcall
	v  datapath.Verdict
	f  datapath.Flow
}

func newSetUp(r *rig, dp *userspace.DP) *setUp {
	s := &setUp{r: r, dp: dp, p: netdev.NewPacket(100)}
	s.p.Len = 100
	return s
}

// one has a packet of a new connection answered and its flow installed.
func (s *setUp) one(i int) {
	s.u = datapath.Upcall{Kind: datapath.UpcallMiss, Packet: &s.p, Key: &s.f.Key}
	s.f.Key = benchKey(i)
	s.v = s.r.HandleUpcall(&s.u)
	s.f.UFID, s.f.Mask, s.f.Actions, s.f.Owner = s.v.UFID, *s.v.Mask, s.v.Actions, s.v.Owner
	s.r.Installed(&s.u, &s.v, s.dp.FlowPut(&s.f, datapath.PutCreate))
}

// BenchmarkSetUp installs 100,000 new connections, and tells what each keeps.
func BenchmarkSetUp(b *testing.B) {
	const flows = 100_000
	var kept uint64
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var before, after runtime.MemStats
		r, dp := benchRig(b)
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := newSetUp(r, dp)
		b.StartTimer()
		for i := range flows {
			s.one(i)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		kept = after.HeapAlloc - before.HeapAlloc
		if r.Len() != flows {
			b.Fatalf("%d flows", r.Len())
		}
		runtime.KeepAlive(dp)
		b.StartTimer()
	}
	b.ReportMetric(float64(flows*b.N)/b.Elapsed().Seconds(), "flows/s")
	b.ReportMetric(float64(kept)/flows, "kept-B/flow")
}

// BenchmarkRevalidate is one pass over 200,000 flows: of which none changed,
// each has new packets, or everything must be translated again.
func BenchmarkRevalidate(b *testing.B) {
	const flows = 200_000
	r, dp := benchRig(b)
	s := newSetUp(r, dp)
	for i := range flows {
		s.one(i)
	}
	r.Revalidate()
	for _, c := range []struct {
		name   string
		before func()
	}{
		{"quiet", func() {}},
		{"all", r.Wake},
		{"one rule of many", func() {
			r.flowMod(b, openflow.FlowModifyStrict, "priority=40001,tcp,nw_src=11.255.255.255,tp_src=1,actions=output:4")
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c.before()
				b.StartTimer()
				r.Revalidate()
			}
			if r.Len() != flows {
				b.Fatalf("%d flows", r.Len())
			}
		})
	}
}

package program

import (
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// BenchmarkActions is the whole way of a packet through main and actions: the
// least of several runs. "drop" is what main does alone; where no port is,
// output ends after the lookup of the port.
func BenchmarkActions(b *testing.B) {
	mac := packet.MACFromUint64(1<<48 - 1)
	eth := &datapath.SetEthernet{Src: packet.MACFromUint64(3), SrcMask: mac, Dst: packet.MACFromUint64(4), DstMask: mac}
	ttl := &datapath.SetIPv4{TTL: 63, TTLMask: 255}
	nat := &datapath.SetIPv4{Src: 0x0a000001, SrcMask: ^uint32(0)}
	for _, list := range []struct {
		name    string
		actions []datapath.Action
	}{
		{"drop", nil},
		{"priority", []datapath.Action{&datapath.SetPriority{Priority: 7, Mask: 7}}},
		{"outputs=2", []datapath.Action{&datapath.Output{Port: 8}, &datapath.Output{Port: 9}}},
		{"outputs=16", outputs(16)},
		{"route", []datapath.Action{eth, ttl, &datapath.Output{Port: 9}}},
		{"nat", []datapath.Action{nat, &datapath.Output{Port: 9}}},
		{"tag", []datapath.Action{&datapath.PushVLAN{TPID: packet.EtherTypeVLAN, TCI: 5}, &datapath.PopVLAN{}, &datapath.Output{Port: 9}}},
		{"hash", []datapath.Action{&datapath.Hash{Basis: 1}, &datapath.SetPriority{Priority: 7, Mask: 7}}},
	} {
		b.Run(list.name, func(b *testing.B) {
			s := newSet(b, Config{})
			k := flow.Key{InPort: 1, EthType: packet.EtherTypeIPv4, NwProto: packet.ProtoUDP, NwTTL: 63, IPSrc: 0x0a000001, IPDst: 0x0a000002,
				TpSrc: 1000, TpDst: 2000, EthSrc: packet.MACFromUint64(1), EthDst: packet.MACFromUint64(2)}
			m := flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthType: 0xffff, NwFrag: 3, NwProto: 0xff}
			code, slow := s.Compile(&k, &m, list.actions)
			if slow != nil {
				b.Fatal(slow)
			}
			if _, err := s.Put(&k, &m, datapath.UFID{}, code); err != nil {
				b.Fatal(err)
			}
			if err := s.Commit(); err != nil {
				verifierLog(b, err)
			}
			p, frame := entryFor(b, s, 1), flow.Compose(&k, make([]byte, 22))
			best := time.Hour
			for b.Loop() {
				_, d, err := p.Benchmark(frame, 200_000, nil)
				if err != nil {
					b.Fatal(err)
				}
				best = min(best, d)
			}
			b.ReportMetric(float64(best.Nanoseconds()), "ns/packet")
		})
	}
}

// outputs is a list of so many.
func outputs(n int) (list []datapath.Action) {
	for i := range n {
		list = append(list, &datapath.Output{Port: datapath.PortNo(8 + i)})
	}
	return list
}

package ebpf

import (
	"encoding/binary"
	"os"
	"runtime"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// A data path holds as many flows as it was made for, in memory that the number
// bounds; further ones are user space's alone, and all are told when the room
// is free again. With WEIR_LONG it is a million.
func TestManyFlows(t *testing.T) {
	needRoot(t)
	count := 20_000
	if os.Getenv("WEIR_LONG") != "" {
		count = 1_000_000
	}
	const over = 1000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	d, err := New(Config{Type: "ebpf", Name: "ovs-many", Clock: clock.New(), MaxFlows: count, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before := heap()
	var mask flow.Mask
	mask.InPort, mask.RecircID, mask.PacketType, mask.EthType = ^uint32(0), ^uint32(0), ^uint32(0), 0xffff
	mask.IPSrc, mask.IPDst, mask.NwProto, mask.NwFrag = ^uint32(0), ^uint32(0), 0xff, flow.FragAny|flow.FragLater
	mask.TpSrc, mask.TpDst = 0xffff, 0xffff
	actions := []datapath.Action{&datapath.Output{Port: 2}}
	put := func(i int) {
		f := datapath.Flow{Mask: mask, Actions: actions}
		binary.BigEndian.PutUint64(f.UFID[:], uint64(i)+1)
		f.Key.InPort, f.Key.EthType, f.Key.NwProto = 1, packet.EtherTypeIPv4, packet.ProtoUDP
		f.Key.IPSrc, f.Key.IPDst, f.Key.TpSrc, f.Key.TpDst = 0x0a000001, uint32(i), 1, 2
		if err := d.FlowPut(&f, datapath.PutCreate); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for i := range count {
		put(i)
	}
	took := time.Since(start)
	flows, _ := d.set.Flows()
	if flows < count*99/100 { // a bucket of the hash table may be full before the table is
		t.Errorf("%d of %d flows are in the kernel", flows, count)
	}
	user := heap() - before
	t.Logf("%d flows in %v; %d bytes a flow in user space, %d in the kernel", count, took.Round(time.Millisecond), user/uint64(count), d.set.Memory()/count)
	for i := range over {
		put(count + i)
	}
	if n := d.Stats().Flows; n != uint64(count+over) {
		t.Errorf("there are %d flows, want %d", n, count+over)
	}
	kernel, _ := d.set.Flows()
	if kernel > count {
		t.Errorf("%d flows are in the kernel, which has room for %d", kernel, count)
	}
	if err := d.FlowFlush(); err != nil {
		t.Fatal(err)
	}
	put(0)
	if n, _ := d.set.Flows(); n != 1 {
		t.Errorf("%d flows are in the kernel after all but one were removed", n)
	}
}

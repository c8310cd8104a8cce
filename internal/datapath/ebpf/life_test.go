package ebpf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// A data path is closed while others ask it for all it can be asked for. They get
// answers or find it closed, and nobody touches memory that is gone.
func TestClosedUnderUse(t *testing.T) {
	needRoot(t)
	host := linux.NewHost()
	c := newCable(t, host, "a")
	d, err := New(Config{Type: "ebpf", Name: "closing", Clock: newDP(t).cfg.Clock, MaxFlows: 4096, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	d.Start()
	if _, err := d.PortAdd(c.port, "system", 5); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		putFlow(t, d, fmt.Sprintf("recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(src=10.0.%d.%d,frag=no)", i>>8, i&0xff), "6")
	}
	var flows []*datapath.Flow
	d.FlowDump(func(f *datapath.Flow) bool { flows = append(flows, f); return len(flows) < 10 })
	questions := questionsTo(d, flows[0], c.port)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, ask := range questions {
		wg.Go(func() {
			for ctx.Err() == nil {
				ask()
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	time.Sleep(5 * time.Millisecond)
	cancel()
	wg.Wait()
	for _, ask := range questions { // once more, surely closed
		ask()
	}
	if err := d.FlowPut(flows[0], datapath.PutCreate); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed data path says of a new flow: %v", err)
	}
	if _, err := d.PortAdd(c.port, "system", 6); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed data path says of a new port: %v", err)
	}
}

// questionsTo are all that a data path is asked for and told at run time.
func questionsTo(d *DP, f *datapath.Flow, dev netdev.Device) []func() {
	return []func(){
		func() { d.Stats() }, func() { d.Slow() }, func() { d.Drops() }, func() { d.Ports() },
		func() { d.FlowDump(func(*datapath.Flow) bool { return true }) },
		func() {
			d.DumpStats(make([]datapath.FlowStats, 16), func([]datapath.FlowStats) bool {
				_, _ = d.FlowGet(f.UFID, nil) // entered twice
				return true
			})
		},
		func() { _, _ = d.FlowGet(f.UFID, nil) }, func() { _, _ = d.FlowOwn(f.UFID, nil) },
		func() { _ = d.FlowPut(f, datapath.PutCreate); _, _ = d.FlowDel(f.UFID, nil) },
		func() {
			_ = d.MeterSet(1, datapath.MeterConfig{Bands: []datapath.MeterBand{{Rate: 1}}})
			_, _ = d.MeterStats(1)
			_ = d.MeterDel(1)
		},
		func() { d.DevicesChanged() }, func() { d.Settle() }, func() { _, _ = dev.Stats() },
	}
}

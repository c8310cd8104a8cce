package upcall

import (
	"fmt"
	"sync"
	"testing"

	"weir/internal/datapath"
	"weir/internal/openflow"
)

// Misses are answered while the tables change: no record is touched by two at
// once, and when all is done the flows are right and leave nothing behind.
func TestMissesDuringChanges(t *testing.T) {
	const workers, flows = 3, 200
	r, dp := benchRig(t)
	change := func(i int) {
		r.flowMod(t, openflow.FlowModify, fmt.Sprintf("tcp,nw_src=10.0.0.0/8,actions=multipath(symmetric_l4,1,modulo_n,1,0,NXM_NX_REG0[0..7]),debug_recirc,output:%d", 2+i%3))
	}
	change(0)
	var misses sync.WaitGroup
	for w := range workers {
		misses.Go(func() {
			s := newSetUp(r, dp)
			for i := range flows {
				s.one(w*flows/2 + i) // half of them are others' too
			}
		})
	}
	done := make(chan struct{})
	go func() { misses.Wait(); close(done) }()
	for i, busy := 1, true; busy; i++ {
		select {
		case <-done:
			busy = false
		default:
		}
		change(i)
		for range 30 { // short, so that they fall between two steps of a miss
			r.index.changedMAC()
			r.Settle()
		}
	}
	s := newSetUp(r, dp)
	for i := range (workers + 1) * flows / 2 {
		s.one(i) // flows that were installed too late to be right have gone
	}
	dp.FlowDump(func(f *datapath.Flow) bool {
		if got, want := datapath.FormatActions(f.Actions, nil), r.translate(&f.Key); got != want {
			t.Errorf("%s: the flow says %s, the tables %s", &f.Key, got, want)
		}
		return !t.Failed()
	})
	if n := int(dp.Stats().Flows); n != r.Len() || n != (workers+1)*flows/2 {
		t.Errorf("%d flows and %d records, want %d", n, r.Len(), (workers+1)*flows/2)
	}
	r.Purge()
	if r.Len() != 0 || len(r.index.on) != 0 || len(r.index.all) != 0 {
		t.Errorf("%d records, %d dependencies and %d outcomes are left", r.Len(), len(r.index.on), len(r.index.all))
	}
}

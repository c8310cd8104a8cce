package upcall

import (
	"encoding/binary"
	"testing"

	"weir/internal/datapath"
)

// Flows that an earlier process left, more than a new one would set up at first, are
// not too many: they stay if they are right, up to the limit that was configured.
func TestAdoptedFlowsCountAsAllowed(t *testing.T) {
	const flows, limit = 30000, 25000
	for _, c := range []struct{ limit, want int }{{200000, flows}, {limit, flows}, {flows / 3, 0}} {
		r := newRig(t, Config{FlowLimit: c.limit})
		r.add(t, "in_port=1,actions=2")
		r.send(t, "in_port=1,tcp,tp_src=1")
		var model datapath.Flow
		for u, f := range r.dp.flows {
			model = *f
			delete(r.dp.flows, u)
			r.dp.gone(f)
		}
		model.Mask.TpSrc, model.Mask.TpDst = 0xffff, 0xffff
		for i := range flows {
			f := model
			binary.BigEndian.PutUint32(f.UFID[:], uint32(i))
			f.Owner, f.Key.TpSrc, f.Key.TpDst, f.Stats.Used = nil, uint16(i), uint16(i>>8), r.clk.Now()
			r.dp.flows[f.UFID] = &f
		}
		for range 3 {
			r.Revalidate()
		}
		if n := len(r.dp.flows); n != c.want {
			t.Errorf("limit %d: %d of %d flows are left, want %d", c.limit, n, flows, c.want)
		}
	}
}

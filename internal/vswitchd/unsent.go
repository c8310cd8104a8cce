package vswitchd

import (
	"sync"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/ofproto"
	"weir/internal/trace"
	"weir/internal/xlate"
)

// unsent counts the packets for ports that were not sent, since drops/clear.
type unsent struct {
	mu   sync.Mutex
	base map[string]unsentCount // what there was then, by device
}

// unsentCount counts packets by why they were not sent; the last are those that
// something behind the port's device dropped.
type unsentCount [netdev.NumSendDrops + 1]uint64

// clear begins anew.
func (u *unsent) clear(bridges []*ofproto.Bridge) {
	base := map[string]unsentCount{}
	for _, o := range bridges {
		eachUnsent(o, func(p *xlate.Port, _ netdev.Device, n unsentCount) { base[p.Name] = n })
	}
	u.mu.Lock()
	u.base = base
	u.mu.Unlock()
}

// since lists the ports of a bridge to which packets were not sent, and why.
func (u *unsent) since(o *ofproto.Bridge) (out []trace.PortDocument) {
	u.mu.Lock()
	defer u.mu.Unlock()
	eachUnsent(o, func(p *xlate.Port, dev netdev.Device, n unsentCount) {
		for why, packets := range n {
			// A device of that name may have begun anew.
			if base := u.base[p.Name][why]; packets > base {
				out = append(out, trace.UnsentPackets(p, netdev.SendDrop(why), dev.MTU(), packets-base))
			}
		}
	})
	return out
}

// eachUnsent calls fn for the ports of a bridge whose devices count what they
// could not send.
func eachUnsent(o *ofproto.Bridge, fn func(p *xlate.Port, dev netdev.Device, n unsentCount)) {
	b := o.Backend().Snapshot().Bridges[o.Name()]
	if b == nil {
		return
	}
	devices := map[datapath.PortNo]netdev.Device{}
	for _, p := range o.Backend().Datapath().Ports() {
		devices[p.No] = p.Device
	}
	for _, p := range b.Order {
		dev := devices[p.DP]
		if st, err := o.PortStats(p.No); err == nil && st.TxDropped != ^uint64(0) && dev != nil {
			fn(p, dev, countUnsent(dev, st.TxDropped))
		}
	}
}

// countUnsent splits what a device dropped by the reasons that it knows.
func countUnsent(dev netdev.Device, dropped uint64) (n unsentCount) {
	n[netdev.NumSendDrops] = dropped
	d, ok := dev.(netdev.SendDropTeller)
	if !ok {
		return n
	}
	drops := d.SendDrops()
	copy(n[:], drops[:])
	for _, k := range drops {
		n[netdev.NumSendDrops] -= min(k, n[netdev.NumSendDrops])
	}
	return n
}

package userspace

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
)

// Entrance is a place where packets enter the data path that none of its
// devices received: another one passes on what it can't forward itself. It
// belongs to one goroutine.
type Entrance struct{ w *worker }

// NewEntrance makes an entrance.
func (d *DP) NewEntrance() *Entrance { return &Entrance{d.spare.get(d)} }

// Close gives the entrance back.
func (e *Entrance) Close() { e.w.dp.spare.put(e.w) }

// Process looks a packet up and executes what it finds, or asks the switch. Of
// key, the metadata counts; the headers are extracted from the packet, which
// actions may change. Packets go out with Flush at the latest, and must stay
// as they are until then.
func (e *Entrance) Process(pkt *netdev.Packet, key *flow.Key) {
	w := e.w
	if pkt.Len < ethLen && key.PacketType == 0 {
		dropInvalid.Inc()
		return
	}
	w.now = w.dp.now().UnixNano()
	w.keys[0] = *key
	w.received.Add(1)
	w.process(pkt, 0)
}

// Flush sends what waits to be sent.
func (e *Entrance) Flush() { e.w.flush() }

// Resume executes actions on a packet. Key and packet are as in Process.
func (e *Entrance) Resume(pkt *netdev.Packet, key *flow.Key, actions []datapath.Action) {
	w := e.w
	w.now = w.dp.now().UnixNano()
	w.keys[0] = *key
	w.received.Add(1)
	st := &w.sts[0]
	*st = state{pkt: pkt, key: &w.keys[0], stale: true}
	w.refresh(st)
	w.execute(st, &program{actions, lastModifier(actions)})
}

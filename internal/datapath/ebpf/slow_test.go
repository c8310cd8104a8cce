package ebpf

import (
	"slices"
	"testing"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// discard is an upcall handler that does nothing.
type discard struct{}

func (discard) HandleUpcall(*datapath.Upcall) datapath.Verdict       { return datapath.Verdict{} }
func (discard) Installed(*datapath.Upcall, *datapath.Verdict, error) {}
func (discard) Removed(any, datapath.Stats)                          {}

// TestSlowPacketsAllocateNothing pins that what the programs leave to user space
// costs no memory there, packet by packet, and is counted by its reason.
func TestSlowPacketsAllocateNothing(t *testing.T) {
	for _, c := range []struct{ actions, reason string }{
		{"set(tcp(src=5)),2", "action SetL4"},
		{"userspace(pid=0,slow_path(action)),2", "userspace action"},
		{"clone(userspace(pid=0,slow_path(action))),2", "userspace action"},
	} {
		t.Run(c.actions, func(t *testing.T) {
			d, pkt := slowPacket(t, c.actions)
			saved := slices.Clone(pkt.Data())
			handled := uint64(0)
			handle := func() {
				*pkt = netdev.Packet{Buf: pkt.Buf, Off: netdev.Headroom - program.UpcallLen, Len: len(saved)}
				copy(pkt.Data(), saved)
				d.pollers[0].handle(pkt)
				d.pollers[0].in.Flush()
				handled++
			}
			handle()
			if n := testing.AllocsPerRun(50, handle); n != 0 {
				t.Errorf("%v allocations a packet", n)
			}
			if got := d.Slow().Packets; len(got) != 1 || got[c.reason] != handled {
				t.Errorf("counted are %v, want %d of %q", got, handled, c.reason)
			}
		})
	}
}

// slowPacket is a data path whose packets wait in the queue for misses, and one
// that came up from a flow with these actions.
func slowPacket(t *testing.T, actions string) (*DP, *netdev.Packet) {
	needRoot(t)
	d, err := New(Config{Type: "ebpf", Name: "test", Clock: clock.New(), MaxFlows: 4096, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	d.SetUpcallHandler(discard{})
	host := linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	for _, c := range []*cable{a, b} {
		if _, err := d.PortAdd(c.port, "system", datapath.PortNone); err != nil {
			t.Fatal(err)
		}
	}
	key, mask, err := datapath.ParseKey("recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := datapath.ParseActions(actions, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.FlowPut(&datapath.Flow{Key: *key, Mask: *mask, Actions: list}, datapath.PutCreate); err != nil {
		t.Fatal(err)
	}
	d.mirror.do("commit", d.set.Commit)
	a.sendMany(t, composed(t), 1)
	pkt := netdev.NewPacket(netdev.MaxFrame + program.UpcallLen)
	until(t, "the packet comes up", func() bool {
		return slices.ContainsFunc(d.tap.queues, func(fd int) bool {
			return readTap(fd, &pkt, netdev.Headroom-program.UpcallLen)
		})
	})
	return d, &pkt
}

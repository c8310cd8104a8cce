package ebpf

import (
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// Flows that user space alone had, since the programs had all the masks that
// they can have, go to the kernel when others give theirs up.
func TestRefusedFlowsGetTheRoomOfOthers(t *testing.T) {
	const flows, freed = 140, 30
	d := newDP(t)
	var ufids []datapath.UFID
	for i := range flows {
		f := datapath.Flow{UFID: datapath.UFID{byte(i), 1}, Actions: []datapath.Action{&datapath.Output{Port: 2}}}
		f.Mask.InPort, f.Mask.RecircID, f.Mask.PacketType, f.Mask.EthType = ^uint32(0), ^uint32(0), ^uint32(0), 0xffff
		f.Mask.NwFrag, f.Mask.IPDst, f.Mask.IPSrc = flow.FragAny|flow.FragLater, ^uint32(0), uint32(i+1)<<8
		f.Key.InPort, f.Key.EthType, f.Key.IPDst = 1, packet.EtherTypeIPv4, uint32(i)
		if err := d.FlowPut(&f, datapath.PutCreate); err != nil {
			t.Fatal(err)
		}
		ufids = append(ufids, f.UFID)
	}
	was, masks := d.set.Flows()
	if was == flows {
		t.Fatalf("%d flows of %d masks are in the kernel: none had to be refused", was, masks)
	}
	for _, u := range ufids[:freed] {
		if _, err := d.FlowDel(u, nil); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		d.mirror.mu.Lock()
		n, _ := d.set.Flows()
		d.mirror.mu.Unlock()
		if n == flows-freed {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d flows are in the kernel, which has room for all %d", n, flows-freed)
		}
	}
}

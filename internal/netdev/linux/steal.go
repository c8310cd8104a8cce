package linux

import (
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	ebpflink "github.com/cilium/ebpf/link"
)

// What a port of the switch receives is the switch's alone: without more, the
// kernel's own stack would see it too, and answer ARP requests for addresses of
// other devices. A program at the device's ingress, where it runs after packet
// sockets have their copy, drops everything. It goes away with its link.

// tcActShot is TC_ACT_SHOT: drop the packet.
const tcActShot = 2

// steal keeps the device's packets from the kernel's stack as long as the
// closer is open. Kernels before 6.6 can't; there the stack keeps seeing them.
func (h *Host) steal(ifindex int) io.Closer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dropAll == nil && !h.cannotSteal {
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Name: "weir_steal", Type: ebpf.SchedCLS, License: "Apache-2.0",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, tcActShot), asm.Return()},
		})
		if err != nil {
			log.Dbg("devices stay visible to the kernel's stack: %v", err)
			h.cannotSteal = true
		} else {
			h.dropAll = prog
		}
	}
	if h.cannotSteal {
		return nil
	}
	l, err := ebpflink.AttachTCX(ebpflink.TCXOptions{Interface: ifindex, Program: h.dropAll, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		log.Dbg("device %d stays visible to the kernel's stack: %v", ifindex, err)
		return nil
	}
	return l
}

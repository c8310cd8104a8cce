// Package ebpf is the data path that forwards in the kernel, by programs that
// package program assembles for the flows in use, at the ingress of each
// port's device.
//
// Beside the kernel's tables it keeps a data path of package userspace, which
// holds the same flows and ports: what the programs can't do (a packet without
// a flow, a rare action) comes up whole through a tap device, is looked up again
// there, executed, and sent out on the devices. The flows in the kernel are a
// mirror of those in user space.
//
// Maps, programs and links are pinned: forwarding goes on while no process is
// there, and the next one adopts them.
package ebpf

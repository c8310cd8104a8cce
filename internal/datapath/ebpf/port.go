package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/internal/packet"
)

// attachable is a device whose packets a program can have in the kernel.
type attachable interface {
	netdev.Device
	// Ingress is the index of the device at whose ingress they are.
	Ingress() int
}

// port is a port whose packets the programs have. Ports of other devices are
// the user-space data path's alone.
type port struct {
	no     datapath.PortNo
	device attachable
	to     program.Port // as the programs were last told
	state  netdev.Flags // of the device then, Up and Running
	index  int
	link   link.Link
	// later is the program that takes the place of an earlier process's when
	// Settle says so; nil: it has.
	later *ebpf.Program
	// cpus are those that steering spreads the port's packets over; empty: none
	// were asked for. tuned says that what an earlier process asked for counts no more.
	cpus     string
	tuned    bool
	steering *linux.Steering
}

func (d *DP) linkPin(no datapath.PortNo) string { return fmt.Sprintf("link-%d", no) }

// PortAdd attaches a device. One that an earlier process had attached keeps
// its number.
func (d *DP) PortAdd(dev netdev.Device, typ string, no datapath.PortNo) (datapath.PortNo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, errClosed
	}
	a, ok := dev.(attachable)
	if no == datapath.PortNone {
		no = d.choosePort(a, ok)
	}
	no, err := d.soft.PortAdd(dev, typ, no)
	if err == nil && !ok {
		d.set.SetSoft(no, true)
	}
	if err != nil || !ok {
		return no, err
	}
	if err := d.attach(a, no); err != nil {
		_ = d.soft.PortDel(no)
		return 0, fmt.Errorf("port %q: %w", dev.Name(), err)
	}
	return no, nil
}

// choosePort is the number that the device had, or else the lowest that no
// port has or had.
func (d *DP) choosePort(a attachable, ok bool) datapath.PortNo {
	taken := map[datapath.PortNo]bool{}
	for _, p := range d.soft.Ports() {
		taken[p.No] = true
	}
	for no, p := range d.adopted {
		if ok && int(p.Ifindex) == a.Ingress() && !taken[no] {
			return no
		}
		taken[no] = true
	}
	for no := datapath.PortNo(1); ; no++ {
		if !taken[no] {
			return no
		}
	}
}

// attach has the programs receive from a device and send to it.
func (d *DP) attach(a attachable, no datapath.PortNo) error {
	p := &port{no: no, device: a, index: a.Ingress()}
	queue, err := d.tap.assign(uint32(no))
	if err != nil {
		return err
	}
	if queue >= 0 {
		d.watch(queue)
	}
	d.way(p)
	prog, err := d.set.Entry(no, program.Ingress, p.to.Flags)
	if _, former := d.adopted[no]; !former {
		d.set.ClearPort(no)
	}
	if err == nil {
		defer func() {
			if p.later == nil {
				_ = prog.Close()
			}
		}()
		err = d.set.SetPort(no, p.to)
	}
	if err == nil {
		p.link, err = d.attachLink(p, prog)
	}
	if err != nil {
		d.tap.release(uint32(no))
		_ = d.set.SetPort(no, program.Port{})
		return err
	}
	delete(d.adopted, no)
	d.ports[no] = p
	if c, ok := a.(interface{ SetBypass(func() linux.Bypass) }); ok {
		c.SetBypass(func() linux.Bypass { return d.bypass(no) })
	}
	return nil
}

// bypass is what of a port's packets the kernel doesn't count at its device.
func (d *DP) bypass(no datapath.PortNo) linux.Bypass {
	if !d.life.enter() {
		return linux.Bypass{}
	}
	defer d.life.leave()
	n, drops := d.set.PortStats(no), d.set.PortDrops(no)
	b := linux.Bypass{TxPackets: n.TxPackets, TxBytes: n.TxBytes}
	b.Drops[netdev.SendTooLong], b.Drops[netdev.SendDown] = drops.TooLong, drops.Down
	return b
}

// attachLink attaches the port's program, or replaces that of an earlier
// process in its place.
func (d *DP) attachLink(p *port, prog *ebpf.Program) (link.Link, error) {
	pin := ""
	if d.pins != "" {
		pin = d.pins.path(d.linkPin(p.no))
		if l, err := link.LoadPinnedLink(pin, nil); err == nil {
			if attachedTo(l) == p.index {
				if d.former != nil {
					p.later = prog
					return l, nil
				}
				if l.Update(prog) == nil {
					return l, nil
				}
			}
			_ = l.Unpin()
			_ = l.Close()
		}
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: p.index, Program: prog, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, fmt.Errorf("attach the program: %w", err)
	}
	if pin != "" {
		if err := l.Pin(pin); err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("pin the link: %w", err)
		}
	}
	return l, nil
}

// takeOver puts the programs of this process in the place of an earlier one's
// that stayed at their ports until now. Every packet is a miss then, at whatever
// rate they come, until their flows are installed: the queues are made long for
// that. The caller holds the mutex.
func (d *DP) takeOver() {
	if d.former == nil {
		return
	}
	d.lengthen()
	for no, p := range d.ports {
		if p.later == nil {
			continue
		}
		if err := p.link.Update(p.later); err != nil {
			log.Warn("%s: port %d keeps the program of an earlier process: %v", d.cfg.Name, no, err)
		}
		_ = p.later.Close()
		p.later = nil
	}
}

// burstTime is how long queues stay long.
const burstTime = 5 * time.Second

// lengthen makes the queues for misses long for a while.
func (d *DP) lengthen() {
	if err := d.tap.resize(burstLength); err != nil {
		log.Warn("%s: %v", d.cfg.Name, err)
		return
	}
	d.cfg.Clock.AfterFunc(burstTime, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.closed {
			return
		}
		if err := d.tap.resize(queueLength); err != nil {
			log.Warn("%s: %v", d.cfg.Name, err)
		}
	})
}

// attachedTo is the index of a link's device, 0 when that is gone.
func attachedTo(l link.Link) int {
	info, err := l.Info()
	if err != nil || info.TCX() == nil {
		return 0
	}
	return int(info.TCX().Ifindex)
}

// stateOf is what of a device's flags decides whether and how packets get there.
func stateOf(a attachable) netdev.Flags { return a.Flags() & (netdev.Up | netdev.Running) }

func isUp(a attachable) bool { return stateOf(a) == netdev.Up|netdev.Running }

// DevicesChanged looks which devices or their links have gone up or down, or have
// another MTU, and tells the programs the way to them.
func (d *DP) DevicesChanged() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.ports {
		was := p.to
		if stateOf(p.device) == p.state && maxLen(p.device, was.Flags) == was.MaxLen {
			continue
		}
		if d.way(p); p.to == was {
			continue
		}
		if err := d.set.SetPort(p.no, p.to); err != nil {
			log.Warn("%s: port %d: %v", d.cfg.Name, p.no, err)
		}
	}
}

// way looks how packets get to a port's device.
func (d *DP) way(p *port) {
	p.state = stateOf(p.device)
	flags := portFlags(p.device)
	p.to = program.Port{Ifindex: uint32(p.index), Flags: flags, Upcall: uint32(d.tap.ifindex), MaxLen: maxLen(p.device, flags)}
}

// maxLen is the longest frame that a device takes: one of its MTU. The outermost tag
// doesn't count, as for the kernel's openvswitch and for packet sockets, with which
// programs agree so; devices by themselves would let frames without one pass that are
// as much longer. Those of tunnels take any. Every frame is too long for one that is
// down, so that the programs look why.
func maxLen(a attachable, flags program.PortFlags) uint32 {
	switch {
	case flags&program.PortDown != 0:
		return 1
	case flags&program.PortTunnel != 0 || a.MTU() <= 0:
		return 0
	}
	return uint32(a.MTU()) + packet.EthLen
}

// portFlags are how packets get to a device. The other end of a veth pair in
// another namespace is reached without a stop here, unless a queueing discipline is
// to shape what goes there. A VXLAN device carries tunnels.
func portFlags(a attachable) (flags program.PortFlags) {
	nl, err := netlink.LinkByIndex(a.Ingress())
	if err == nil && nl.Type() == "vxlan" {
		flags = program.PortTunnel
	}
	if !isUp(a) {
		return flags | program.PortDown
	}
	if err == nil && nl.Type() == "veth" && nl.Attrs().NetNsID >= 0 && !shaped(nl) {
		flags |= program.PortPeer
	}
	return flags
}

// shaped reports whether a device has a queueing discipline of its own.
func shaped(nl netlink.Link) bool {
	list, err := netlink.QdiscList(nl)
	return err == nil && slices.ContainsFunc(list, func(q netlink.Qdisc) bool {
		return q.Attrs().Parent == netlink.HANDLE_ROOT && q.Type() != "noqueue"
	})
}

// PortDel detaches a device.
func (d *DP) PortDel(no datapath.PortNo) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.soft.PortDel(no); err != nil {
		return err
	}
	p := d.ports[no]
	if p == nil {
		d.set.SetSoft(no, false)
		return nil
	}
	delete(d.ports, no)
	d.tap.release(uint32(no))
	return p.leave(d, true)
}

// leave lets go of a port; for good when that is asked for.
func (p *port) leave(d *DP, forGood bool) error {
	var errs []error
	if p.later != nil {
		_ = p.later.Close()
	}
	if forGood {
		p.unsteer(d.pins, fmt.Sprint(p.no))
		errs = append(errs, d.set.SetPort(p.no, program.Port{}), detach(p.link))
		if d.pins != "" {
			errs = append(errs, d.pins.remove(d.linkPin(p.no)))
		}
	} else if p.steering != nil {
		errs = append(errs, p.steering.Close())
	}
	return errors.Join(append(errs, p.link.Close())...)
}

// Ports lists the ports by number.
func (d *DP) Ports() []datapath.Port { return d.soft.Ports() }

// Namer names the ports.
func (d *DP) Namer() *datapath.Namer { return d.soft.Namer() }

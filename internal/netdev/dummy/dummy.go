// Package dummy is network devices in memory, for tests: packets come in by
// the control socket (netdev-dummy/receive) or through a unix socket from
// another dummy, and go out to pcap files and such sockets
// (ovs-vswitchd --enable-dummy).
package dummy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"weir/internal/netdev"
	"weir/internal/packet"
	"weir/internal/vlog"
)

var log = vlog.For("netdev_dummy")

// queueLimit is how many packets a receive queue holds; more are dropped.
const queueLimit = 100

// maxQueues bounds n_rxq.
const maxQueues = 1024

type queueStats struct{ packets, bytes uint64 }

type rxq struct {
	frames [][]byte
	stats  queueStats
}

// Device is a dummy device. Its mutex owns all members below it.
type Device struct {
	set       *Set
	name, typ string
	changes   atomic.Uint64

	mu      sync.Mutex
	notify  func(int)
	mac     packet.MAC
	mtu     int
	ifindex int
	flags   netdev.Flags
	addrs   []netip.Prefix
	stats   netdev.Stats
	rxqs    []rxq
	numRXQ  int
	tx      []queueStats
	node    int

	options  map[string]string
	captures captures
	listener *listener
	dialer   *dialer
	conns    map[*conn]bool
	closed   bool
}

var (
	_ netdev.Device        = (*Device)(nil)
	_ netdev.Configurer    = (*Device)(nil)
	_ netdev.Notifier      = (*Device)(nil)
	_ netdev.CustomStatser = (*Device)(nil)
)

// Name is the device's name.
func (d *Device) Name() string { return d.name }

// Type is the type that the device was opened as.
func (d *Device) Type() string { return d.typ }

// Ifindex is what the option "ifindex" says.
func (d *Device) Ifindex() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ifindex
}

// MAC is aa:55:aa:55:00:00 and counting, until it is set.
func (d *Device) MAC() packet.MAC {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mac
}

// SetMAC sets the address.
func (d *Device) SetMAC(mac packet.MAC) error {
	d.mu.Lock()
	changed := d.mac != mac
	d.mac = mac
	d.mu.Unlock()
	if changed {
		d.changes.Add(1)
	}
	return nil
}

// MTU is 1500 until it is set.
func (d *Device) MTU() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mtu
}

// Bounds of an MTU.
const (
	minMTU = 68
	maxMTU = 65535
)

// SetMTU takes 68 to 65535.
func (d *Device) SetMTU(mtu int) error {
	if mtu < minMTU || mtu > maxMTU {
		return fmt.Errorf("MTU %d is not between %d and %d", mtu, minMTU, maxMTU)
	}
	d.mu.Lock()
	changed := d.mtu != mtu
	d.mtu = mtu
	d.mu.Unlock()
	if changed {
		d.changes.Add(1)
	}
	return nil
}

// Flags say Running whenever the device is up.
func (d *Device) Flags() netdev.Flags {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flags
}

// SetFlags sets and clears flags; carrier follows Up.
func (d *Device) SetFlags(set, clear netdev.Flags) error {
	d.mu.Lock()
	flags := d.flags&^clear | set
	if flags&netdev.Up != 0 {
		flags |= netdev.Running
	} else {
		flags &^= netdev.Running
	}
	changed := flags != d.flags
	d.flags = flags
	d.mu.Unlock()
	if changed {
		d.changes.Add(1)
	}
	return nil
}

// CarrierResets is 0: a dummy's carrier has no life of its own.
func (d *Device) CarrierResets() uint64 { return 0 }

// none is a counter that a device doesn't have.
const none = ^uint64(0)

// Stats are packets and bytes; the other counters there are none.
func (d *Device) Stats() (netdev.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := netdev.Stats{
		RxErrors: none, TxErrors: none, RxDropped: none, TxDropped: none, Multicast: none, Collisions: none,
		RxOverErr: none, RxCRCErr: none, RxFrameErr: none, RxMissedErrors: none,
	}
	s.RxPackets, s.RxBytes = d.stats.RxPackets, d.stats.RxBytes
	s.TxPackets, s.TxBytes = d.stats.TxPackets, d.stats.TxBytes
	return s, nil
}

// CustomStats are two samples and the counters of each queue.
func (d *Device) CustomStats() []netdev.CustomStat {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []netdev.CustomStat{
		{Name: "rx_custom_packets_1", Value: d.stats.RxPackets},
		{Name: "rx_custom_packets_2", Value: d.stats.RxPackets},
	}
	for q := range d.rxqs {
		out = append(out,
			netdev.CustomStat{Name: fmt.Sprintf("rx_q%d_packets", q), Value: d.rxqs[q].stats.packets},
			netdev.CustomStat{Name: fmt.Sprintf("rx_q%d_bytes", q), Value: d.rxqs[q].stats.bytes})
	}
	for q := range d.tx {
		out = append(out,
			netdev.CustomStat{Name: fmt.Sprintf("tx_q%d_packets", q), Value: d.tx[q].packets},
			netdev.CustomStat{Name: fmt.Sprintf("tx_q%d_bytes", q), Value: d.tx[q].bytes})
	}
	return out
}

// Status is empty.
func (d *Device) Status() map[string]string { return nil }

// Speed is unknown.
func (d *Device) Speed() (uint64, bool) { return 0, false }

// Changes counts changes of address, MTU, flags and options.
func (d *Device) Changes() uint64 { return d.changes.Load() }

// NumRxQueues is what n_rxq says for a dummy-pmd, 1 for others.
func (d *Device) NumRxQueues() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.rxqs)
}

// RecvFD is -1: the device is a Notifier.
func (d *Device) RecvFD(int) int { return -1 }

// SetNotify sets the function that is called when packets came in.
func (d *Device) SetNotify(notify func(int)) {
	d.mu.Lock()
	d.notify = notify
	d.mu.Unlock()
}

// Recv takes packets from a queue.
func (d *Device) Recv(q int, batch []netdev.Packet) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q < 0 || q >= len(d.rxqs) {
		return 0, nil
	}
	rq := &d.rxqs[q]
	n := min(len(batch), len(rq.frames))
	for i := range n {
		batch[i].SetFrame(rq.frames[i])
		rq.stats.packets++
		rq.stats.bytes += uint64(len(rq.frames[i]))
		d.stats.RxPackets++
		d.stats.RxBytes += uint64(len(rq.frames[i]))
	}
	rq.frames = rq.frames[n:]
	if len(rq.frames) == 0 {
		rq.frames = nil
	}
	return n, nil
}

// Inject puts a frame into a receive queue as if it had come from outside; the
// frame passes to the device.
func (d *Device) Inject(q int, frame []byte) {
	d.mu.Lock()
	if q >= len(d.rxqs) || d.closed {
		d.mu.Unlock()
		return
	}
	d.captures.received(d.set.clock.Wall(), frame)
	if len(d.rxqs[q].frames) < queueLimit {
		d.rxqs[q].frames = append(d.rxqs[q].frames, frame)
	}
	notify := d.notify
	d.mu.Unlock()
	if notify != nil {
		notify(q)
	}
}

// Send counts the packets, writes them to the captures and the connections,
// and answers ARP requests for the device's own address.
func (d *Device) Send(q int, batch []*netdev.Packet) (int, error) {
	sent := 0
	for _, p := range batch {
		if d.sendOne(q, p.Data()) {
			sent++
		}
	}
	return sent, nil
}

func (d *Device) sendOne(q int, frame []byte) bool {
	d.mu.Lock()
	tagged := 0
	if len(frame) >= 14 && (packet.Be16(frame[12:]) == 0x8100 || packet.Be16(frame[12:]) == 0x88a8) {
		tagged = 4
	}
	if len(frame) < 14 || len(frame) > d.mtu+14+tagged {
		d.mu.Unlock()
		return false
	}
	d.stats.TxPackets++
	d.stats.TxBytes += uint64(len(frame))
	tx := &d.tx[q%len(d.tx)]
	tx.packets++
	tx.bytes += uint64(len(frame))
	d.captures.sent(d.set.clock.Wall(), frame)
	reply := d.arpReply(frame)
	var conns []*conn
	if len(d.conns) > 0 {
		conns = slices.Collect(maps.Keys(d.conns))
	}
	d.mu.Unlock()
	for _, c := range conns {
		c.send(frame)
	}
	if reply != nil {
		d.Inject(0, reply)
	}
	return true
}

// Close takes the device out of its set and ends its connections.
func (d *Device) Close() error {
	d.set.tellAddresses(d, nil)
	d.set.mu.Lock()
	if d.set.devices[d.name] == d {
		delete(d.set.devices, d.name)
	}
	d.set.mu.Unlock()

	d.mu.Lock()
	d.closed, d.notify = true, nil
	listener, dialer := d.listener, d.dialer
	d.listener, d.dialer = nil, nil
	conns := slices.Collect(maps.Keys(d.conns))
	d.captures.close()
	d.mu.Unlock()
	if listener != nil {
		listener.close()
	}
	if dialer != nil {
		dialer.close()
	}
	for _, c := range conns {
		c.close()
	}
	return nil
}

// SetOptions applies pcap, rxq_pcap, tx_pcap, stream, pstream, ifindex and, of
// a dummy-pmd, n_rxq, n_txq and numa_id.
func (d *Device) SetOptions(options map[string]string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if maps.Equal(options, d.options) && d.options != nil {
		return nil
	}
	d.options = maps.Clone(options)
	if d.options == nil {
		d.options = map[string]string{}
	}
	d.ifindex, _ = strconv.Atoi(options["ifindex"])
	if d.typ == "dummy-pmd" {
		n := queueCount(options["n_rxq"])
		for len(d.rxqs) < n {
			d.rxqs = append(d.rxqs, rxq{})
		}
		d.rxqs = d.rxqs[:n]
		n = queueCount(options["n_txq"])
		for len(d.tx) < n {
			d.tx = append(d.tx, queueStats{})
		}
		d.tx = d.tx[:n]
		d.node, _ = strconv.Atoi(options["numa_id"])
	}
	d.captures.set(d.name, options)
	d.setStreams(options)
	d.changes.Add(1)
	return nil
}

// queueCount reads a number of queues, 1 where it is none.
func queueCount(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxQueues)
}

// BusyPolled says that threads read a dummy-pmd, the other kinds whoever brings
// packets.
func (d *Device) BusyPolled() bool { return d.typ == "dummy-pmd" }

// Node is the memory node that the option "numa_id" of a dummy-pmd says.
func (d *Device) Node() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node
}

// NumTxQueues is what n_txq says for a dummy-pmd, 1 for others.
func (d *Device) NumTxQueues() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.tx)
}

// Options are those that dpctl/show prints.
func (d *Device) Options() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	if d.ifindex > 0 {
		out["ifindex"] = strconv.Itoa(d.ifindex)
	}
	for _, name := range []string{"stream", "pstream"} {
		if v := d.options[name]; v != "" {
			out[name] = v
		}
	}
	if d.typ == "dummy-pmd" {
		n := strconv.Itoa(len(d.rxqs))
		out["configured_rx_queues"], out["requested_rx_queues"] = n, n
		n = strconv.Itoa(len(d.tx))
		out["configured_tx_queues"], out["requested_tx_queues"] = n, n
	}
	return out
}

// arpReply makes the answer to an ARP request for one of the device's
// addresses (RFC 826). The caller holds the mutex.
func (d *Device) arpReply(frame []byte) []byte {
	if len(d.addrs) == 0 || len(frame) < 42 || packet.Be16(frame[12:]) != 0x0806 || packet.Be16(frame[20:]) != 1 {
		return nil
	}
	target := netip.AddrFrom4([4]byte(frame[38:42]))
	for _, p := range d.addrs {
		if p.Addr() != target {
			continue
		}
		r := make([]byte, 60)
		copy(r[0:6], frame[6:12])
		copy(r[6:12], d.mac[:])
		copy(r[12:20], frame[12:20])
		packet.PutBe16(r[20:], 2)
		copy(r[22:28], d.mac[:])
		copy(r[28:32], frame[38:42])
		copy(r[32:42], frame[22:32])
		return r
	}
	return nil
}

// Queues is one queue whose traffic isn't counted.
func (d *Device) Queues() []netdev.Queue {
	const unknown = ^uint64(0)
	return []netdev.Queue{{TxBytes: unknown, TxPackets: unknown, TxErrors: unknown}}
}

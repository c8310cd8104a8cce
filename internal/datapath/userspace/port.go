package userspace

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/tunnel"
)

// maxPorts bounds port numbers, so that a table indexed by them stays small.
const maxPorts = 65536

// port is one device of the data path.
type port struct {
	no   datapath.PortNo
	typ  string
	dev  netdev.Device
	slot int // its place in every worker's output queues
	// tunnel says that packets go there with outer headers; kind is of what
	// outer headers are popped for it, nil if none are.
	tunnel bool
	kind   *tunnel.Kind
	// silent: the port stands for tunnels, and no packet leaves by it.
	silent bool

	// pending counts notifications not yet worked off, in synchronous mode.
	pending []atomic.Int32

	// rxqs are the queues that threads poll, pins the cores that some of them
	// must be on, and node is the device's; the reconfiguration mutex owns them.
	// byQueue is rxqs for the goroutine that the device notifies on.
	rxqs    []*rxq
	pins    map[int]int
	node    int
	byQueue atomic.Pointer[[]*rxq]

	uncached atomic.Bool // emc-enable is false
	steered  atomic.Bool // tx-steering is "hash"
}

// portTable is an immutable snapshot of the ports.
type portTable struct {
	byNo   []*port // indexed by number, nil where there is none
	byName map[string]*port
	list   []*port // by number
	slots  int
	namer  *datapath.Namer
}

func (t *portTable) get(no datapath.PortNo) *port {
	if int(no) < len(t.byNo) {
		return t.byNo[no]
	}
	return nil
}

func (t *portTable) name(no datapath.PortNo) (string, bool) {
	if p := t.get(no); p != nil {
		return p.dev.Name(), true
	}
	return "", false
}

func (t *portTable) number(name string) (datapath.PortNo, bool) {
	if p := t.byName[name]; p != nil {
		return p.no, true
	}
	return 0, false
}

// newPortTable makes a snapshot of the ports.
func newPortTable(list []*port, slots int) *portTable {
	slices.SortFunc(list, func(a, b *port) int { return int(a.no) - int(b.no) })
	t := &portTable{byName: make(map[string]*port, len(list)), list: list, slots: slots}
	t.namer = &datapath.Namer{Name: t.name, Number: t.number}
	if n := len(list); n > 0 {
		t.byNo = make([]*port, list[n-1].no+1)
	}
	for _, p := range list {
		t.byNo[p.no] = p
		t.byName[p.dev.Name()] = p
	}
	return t
}

// PortOpenType maps the types that depend on the data path.
func (d *DP) PortOpenType(typ string) string {
	switch {
	case typ == "internal" && d.cfg.Type == "dummy":
		return "dummy-internal"
	case typ == "internal":
		return "tap"
	}
	return typ
}

// PortAdd attaches a device. EBUSY says that the number wished is taken.
func (d *DP) PortAdd(dev netdev.Device, typ string, no datapath.PortNo) (datapath.PortNo, error) {
	d.conf.Lock()
	defer d.conf.Unlock()
	p, err := d.addPort(dev, typ, no)
	if err != nil {
		return 0, err
	}
	d.attach(p)
	return p.no, nil
}

func (d *DP) addPort(dev netdev.Device, typ string, no datapath.PortNo) (*port, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.ports.Load()
	if old.byName[dev.Name()] != nil {
		return nil, fmt.Errorf("port %q: %w", dev.Name(), errExist)
	}
	switch {
	case no == datapath.PortNone:
		no = d.choosePort(old, dev.Name())
		if no == datapath.PortNone {
			return nil, fmt.Errorf("port %q: %w", dev.Name(), unix.EFBIG)
		}
	case no >= maxPorts:
		return nil, fmt.Errorf("port %q: number %d is over the limit of %d: %w", dev.Name(), no, maxPorts-1, unix.EFBIG)
	case old.get(no) != nil:
		return nil, fmt.Errorf("port %q: number %d: %w", dev.Name(), no, unix.EBUSY)
	}
	p := &port{no: no, typ: typ, dev: dev, slot: freeSlot(old), pending: make([]atomic.Int32, max(dev.NumRxQueues(), 1))}
	if c, ok := dev.(netdev.Carrier); ok {
		p.silent = !c.Carries()
	}
	p.tunnel, p.kind = tunnel.KindOf(typ) != nil, tunnelKind(typ)
	d.ports.Store(newPortTable(append(slices.Clone(old.list), p), max(old.slots, p.slot+1)))
	return p, nil
}

// freeSlot is the lowest slot that no port has.
func freeSlot(t *portTable) int {
	used := make([]bool, t.slots+1)
	for _, p := range t.list {
		used[p.slot] = true
	}
	return slices.Index(used, false)
}

// choosePort picks a number. In synchronous mode it comes from the first
// digits of the name, plus 100 for a bridge (a name that begins with "br").
func (d *DP) choosePort(t *portTable, name string) datapath.PortNo {
	if d.cfg.Synchronous {
		start := 0
		if strings.HasPrefix(name, "br") {
			start = 100
		}
		if i := strings.IndexAny(name, "0123456789"); i >= 0 {
			n := start
			digits := 0
			for ; i < len(name) && name[i] >= '0' && name[i] <= '9' && digits < maxPorts; i++ {
				digits = digits*10 + int(name[i]-'0')
			}
			n += digits
			if n > 0 && n < maxPorts && t.get(datapath.PortNo(n)) == nil {
				return datapath.PortNo(n)
			}
		}
	}
	for no := datapath.PortNo(1); no < maxPorts; no++ {
		if t.get(no) == nil {
			return no
		}
	}
	return datapath.PortNone
}

// attach begins to receive from the port. The caller holds the reconfiguration
// mutex.
func (d *DP) attach(p *port) {
	n, notifier := p.dev.(netdev.Notifier)
	switch {
	case d.threaded(p):
		if notifier {
			n.SetNotify(p.wake)
		}
		if d.arranged() {
			d.reconfigure()
		} else {
			d.takeQueues(p)
		}
	case notifier:
		n.SetNotify(func(q int) { d.pollSync(p, q) })
	}
}

// threaded reports whether threads read the port.
func (d *DP) threaded(p *port) bool {
	if d.cfg.OnDemand {
		return p.dev.NumRxQueues() > 0
	}
	if !d.cfg.Synchronous {
		return true
	}
	b, ok := p.dev.(netdev.BusyPolled)
	return ok && b.BusyPolled()
}

// wake wakes the thread that polls queue q.
func (p *port) wake(q int) {
	if qs := p.byQueue.Load(); qs != nil && q < len(*qs) {
		if w := (*qs)[q].owner.Load(); w != nil {
			w.kick()
		}
	}
}

// PortDel detaches a device. Packets may be on their way to it until its own
// Close has returned.
func (d *DP) PortDel(no datapath.PortNo) error {
	d.conf.Lock()
	defer d.conf.Unlock()
	p, err := d.delPort(no)
	if err != nil {
		return err
	}
	if n, ok := p.dev.(netdev.Notifier); ok {
		n.SetNotify(nil)
	}
	d.pinned -= len(p.pins)
	switch {
	case !d.threaded(p):
	case d.arranged():
		d.reconfigure()
	default:
		d.releaseQueues(p)
	}
	return nil
}

func (d *DP) delPort(no datapath.PortNo) (*port, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.ports.Load()
	p := old.get(no)
	if p == nil {
		return nil, portError(no, errNotExist)
	}
	if no == 0 && d.cfg.Local != nil {
		return nil, portError(no, fmt.Errorf("the local port stays: %w", unix.EINVAL))
	}
	list := slices.DeleteFunc(slices.Clone(old.list), func(x *port) bool { return x == p })
	d.ports.Store(newPortTable(list, old.slots))
	return p, nil
}

// Ports lists the ports by number.
func (d *DP) Ports() []datapath.Port {
	list := d.ports.Load().list
	out := make([]datapath.Port, len(list))
	for i, p := range list {
		out[i] = datapath.Port{No: p.no, Name: p.dev.Name(), Type: p.typ, Device: p.dev}
	}
	return out
}

// Namer names the ports.
func (d *DP) Namer() *datapath.Namer { return d.ports.Load().namer }

// ErrNoPort says that an action named a port that isn't there.
var ErrNoPort = errors.New("no such port")

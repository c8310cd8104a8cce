package ebpf

import (
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/dptest"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

// cable is a veth pair: the switch has one end, the test sends and receives at
// the other.
type cable struct {
	port netdev.Device
	far  netdev.Device
	rx   []netdev.Packet
}

// renamed is a device under the name that the test knows it by.
type renamed struct {
	linux.Outlet
	name string
}

func (r renamed) Name() string { return r.name }

// newCable makes a pair named after a port. far is in the same namespace.
func newCable(t testing.TB, host *linux.Host, name string) *cable {
	t.Helper()
	near, far := "wt-"+name, "wf-"+name
	for _, n := range []string{near, far} {
		if l, err := netlink.LinkByName(n); err == nil {
			_ = netlink.LinkDel(l)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.TxQLen = near, 1000
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: far}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l, err := netlink.LinkByName(near); err == nil {
			_ = netlink.LinkDel(l)
		}
	})
	for _, n := range []string{near, far} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+n+"/disable_ipv6", []byte("1"), 0)
		l, err := netlink.LinkByName(n)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := &cable{rx: make([]netdev.Packet, 64)}
	for i := range c.rx {
		c.rx[i] = netdev.NewPacket(netdev.MaxFrame)
	}
	outlet, err := host.KernelProviders("").Open(near, "system", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = outlet.Close() })
	c.port = renamed{outlet.(linux.Outlet), name}
	if c.far, err = host.Providers().Open(far, "system", nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.far.Close() })
	return c
}

// take reads what has arrived.
func (c *cable) take(t testing.TB) (pkts []netdev.Packet) {
	t.Helper()
	for {
		n, err := c.far.Recv(0, c.rx)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return pkts
		}
		for i := range n {
			p := netdev.PacketOf(c.rx[i].Data())
			p.Offload = c.rx[i].Offload
			pkts = append(pkts, p)
		}
	}
}

// takeAll waits for so many packets, and a moment for one that nobody wants.
func (c *cable) takeAll(t testing.TB, want int) (pkts []netdev.Packet) {
	t.Helper()
	for end := time.Now().Add(patience); len(pkts) < want && time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		pkts = append(pkts, c.take(t)...)
	}
	time.Sleep(2 * time.Millisecond)
	return append(pkts, c.take(t)...)
}

// patience is how long what must come is waited for.
const patience = time.Minute

func newDP(t testing.TB) *DP {
	t.Helper()
	return newDPWith(t, nil)
}

func newDPWith(t testing.TB, probes *Probes) *DP {
	t.Helper()
	needRoot(t)
	d, err := New(Config{Type: "ebpf", Name: "test", Clock: clock.New(), MaxFlows: 4096, Temporary: true, Probes: probes})
	if err != nil {
		t.Fatal(err)
	}
	d.Start()
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// settle waits until everything that came in is done: what programs counted,
// and what came up from them.
func settle(t testing.TB, d *DP, came uint64) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Microsecond) {
		c := d.set.Counters()
		if c.Hits+c.Misses >= came && d.handled() >= c.Misses+c.Actions+c.Slow-c.Lost {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d packets came in, counted are %+v, %d handled above", came, c, d.handled())
		}
	}
}

// handled is how many packets that came up are done.
func (d *DP) handled() (n uint64) {
	for _, p := range d.pollers {
		n += p.served.Load()
	}
	return n
}

func harness(t *testing.T) *dptest.Harness { return harnessOf(t, newDP(t)) }

func harnessOf(t *testing.T, d *DP) *dptest.Harness {
	host := linux.NewHost()
	cables := map[datapath.PortNo]*cable{}
	came := uint64(0)
	return &dptest.Harness{
		DP: d,
		AddPort: func(t *testing.T, name string) datapath.PortNo {
			c := newCable(t, host, name)
			no, err := d.PortAdd(c.port, "system", datapath.PortNone)
			if err != nil {
				t.Fatal(err)
			}
			cables[no] = c
			return no
		},
		Receive: func(t *testing.T, no datapath.PortNo, pkt *netdev.Packet) {
			// Not to user space because the program doesn't know the newest masks.
			d.mirror.do("commit", d.set.Commit)
			if n, err := cables[no].far.Send(0, []*netdev.Packet{pkt}); n != 1 || err != nil {
				t.Fatalf("sent %d packets: %v", n, err)
			}
			came++
			settle(t, d, came)
		},
		Transmitted: func(t *testing.T, no datapath.PortNo, want int) []netdev.Packet {
			return cables[no].takeAll(t, want)
		},
	}
}

func TestConformance(t *testing.T) { dptest.Run(t, harness) }

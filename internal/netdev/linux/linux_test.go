package linux

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/packet"
	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

// inSpace runs f in a network namespace of its own, in which the veth pair
// "va" - "vb" is up.
func inSpace(t *testing.T, f func(h *Host)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network devices need root")
	}
	space := fmt.Sprintf("weir-netdev-%d", os.Getpid())
	lab.RemoveNamespaces(space)
	if err := lab.AddNamespace(space); err != nil {
		t.Fatal(err)
	}
	defer lab.RemoveNamespaces(space)
	if err := lab.WithoutIPv6(space); err != nil {
		t.Fatal(err)
	}
	err := lab.IP("-n "+space+" link add va type veth peer name vb", "-n "+space+" link set va up", "-n "+space+" link set vb up")
	if err != nil {
		t.Fatal(err)
	}
	err = lab.Within(space, func() error { f(NewHost()); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, h *Host, typ, name string) netdev.Device {
	t.Helper()
	for _, p := range h.Providers() {
		if p.Type == typ {
			d, err := p.Open(name, nil)
			if err != nil {
				t.Error(err)
				panic("no device to go on with")
			}
			return d
		}
	}
	panic("no provider " + typ)
}

// take waits for a packet that begins with the 12 bytes of addresses.
func take(t *testing.T, d netdev.Device, addresses []byte) *netdev.Packet {
	t.Helper()
	batch := make([]netdev.Packet, 1)
	for i := range batch {
		batch[i].Buf = make([]byte, netdev.Headroom+netdev.MaxFrame)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		n, err := d.Recv(0, batch)
		if err != nil {
			t.Error(err)
			return nil
		}
		for i := range n {
			if bytes.HasPrefix(batch[i].Data(), addresses) {
				return &batch[i]
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// frame is a UDP packet of IPv4 between addresses that nobody has.
func frame(tag []byte) (f, addresses []byte) {
	addresses = []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8}
	f = append(bytes.Clone(addresses), tag...)
	f = append(f, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 9, 0, 9, 0, 26, 0, 0)
	return append(f, make([]byte, 18)...), addresses
}

func TestSocketsCarryFrames(t *testing.T) {
	for name, tag := range map[string][]byte{"untagged": nil, "tagged": {0x81, 0, 0x20, 7}, "QinQ": {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6}} {
		t.Run(name, func(t *testing.T) {
			inSpace(t, func(h *Host) {
				a, b := open(t, h, "system", "va"), open(t, h, "system", "vb")
				defer a.Close()
				defer b.Close()
				f, addresses := frame(tag)
				if n, err := a.Send(0, []*netdev.Packet{{Buf: f, Len: len(f)}}); n != 1 || err != nil {
					t.Errorf("sent %d: %v", n, err)
				}
				got := take(t, b, addresses)
				if got == nil {
					t.Error("nothing arrived")
					return
				}
				if diff := cmp.Diff(f, got.Data()); diff != "" {
					t.Error(diff)
				}
				if got.Offload != (netdev.Offload{}) {
					t.Errorf("a whole packet arrived as %+v", got.Offload)
				}
				stats, err := a.Stats()
				if err != nil || stats.TxPackets == 0 {
					t.Errorf("statistics %+v: %v", stats, err)
				}
			})
		})
	}
}

// superPacket is one of TCP with its checksum left to be done.
func superPacket() (p *netdev.Packet, addresses []byte) {
	addresses = []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8}
	f := append(bytes.Clone(addresses), 8, 0, 0x45, 0, 0x1f, 0x68, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
	f = append(f, make([]byte, 8000)...)
	packet.PutBe16(f[16:], uint16(len(f)-14))
	offload := netdev.Offload{Flags: unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, GSOType: unix.VIRTIO_NET_HDR_GSO_TCPV4, HdrLen: 54, GSOSize: 1400, CsumStart: 34, CsumOff: 16}
	return &netdev.Packet{Buf: f, Len: len(f), Offload: offload}, addresses
}

// A super-packet with its checksum left to be done passes as it is.
func TestSocketsCarrySuperPackets(t *testing.T) {
	inSpace(t, func(h *Host) {
		a, b := open(t, h, "system", "va"), open(t, h, "system", "vb")
		defer a.Close()
		defer b.Close()
		p, addresses := superPacket()
		want := p.Offload
		if n, err := a.Send(0, []*netdev.Packet{p}); n != 1 || err != nil {
			t.Errorf("sent %d: %v", n, err)
		}
		got := take(t, b, addresses)
		if got == nil {
			t.Error("nothing arrived")
			return
		}
		if got.Len != p.Len {
			t.Errorf("%d bytes arrived of %d", got.Len, p.Len)
		}
		got.Offload.HdrLen = want.HdrLen // a hint; the kernel gives its own
		if diff := cmp.Diff(want, got.Offload); diff != "" {
			t.Error(diff)
		}
	})
}

// A super-packet leaves in segments by a device that can't cut it, as do those after
// it; none is counted as dropped.
func TestSocketsCutForDevices(t *testing.T) {
	if _, err := exec.LookPath("ethtool"); err != nil {
		t.Skip("needs ethtool(8)")
	}
	inSpace(t, func(h *Host) {
		if out, err := exec.Command("ethtool", "-K", "va", "tso", "off", "gso", "off").CombinedOutput(); err != nil {
			t.Errorf("ethtool: %v: %s", err, out)
			return
		}
		a, b := open(t, h, "system", "va"), open(t, h, "system", "vb")
		defer a.Close()
		defer b.Close()
		for range 3 {
			p, addresses := superPacket()
			if n, err := a.Send(0, []*netdev.Packet{p}); n != 1 || err != nil {
				t.Errorf("sent %d: %v", n, err)
			}
			for payload := 0; payload < 8000; {
				got := take(t, b, addresses)
				if got == nil {
					t.Errorf("%d bytes arrived of 8000", payload)
					return
				}
				if got.Len > 1454 {
					t.Errorf("a packet of %d bytes", got.Len)
				}
				payload += got.Len - 54
			}
		}
		if drops := a.(*Socket).SendDrops(); drops != (netdev.SendDrops{}) {
			t.Errorf("drops are %v", drops)
		}
		if stats, err := a.Stats(); err != nil || stats.TxDropped != 0 {
			t.Errorf("%d packets are counted as dropped (%v)", stats.TxDropped, err)
		}
	})
}

func TestTapFacesTheHost(t *testing.T) {
	for _, typ := range []string{"tap", "internal"} {
		inSpace(t, func(h *Host) {
			d := open(t, h, typ, "br0")
			defer d.Close()
			if err := d.SetFlags(netdev.Up, 0); err != nil {
				t.Error(err)
			}
			if d.Flags()&netdev.Up == 0 || d.Ifindex() == 0 || d.Type() != typ {
				t.Errorf("%s: flags %v, ifindex %d, type %s", typ, d.Flags(), d.Ifindex(), d.Type())
			}
			f, addresses := frame(nil)
			if n, err := d.Send(0, []*netdev.Packet{{Buf: f, Len: len(f)}}); n != 1 || err != nil {
				t.Errorf("sent %d: %v", n, err)
			}
			// What the switch sends is what the host receives: seen from the switch, tx.
			stats, err := d.Stats()
			if err != nil || stats.TxPackets != 1 || stats.TxBytes != uint64(len(f)) {
				t.Errorf("%s: statistics %+v: %v", typ, stats, err)
			}
			// The other way round: the host sends through a packet socket.
			s, err := h.openOutlet("br0")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if n, err := s.Send(0, []*netdev.Packet{{Buf: f, Len: len(f)}}); n != 1 || err != nil {
				t.Errorf("the host sent %d: %v", n, err)
			}
			if got := take(t, d, addresses); got == nil || !bytes.Equal(got.Data(), f) {
				t.Errorf("%s: the switch received %v", typ, got)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	inSpace(t, func(h *Host) {
		d := open(t, h, "system", "va")
		defer d.Close()
		mac := packet.MAC{2, 0, 0, 0, 0, 0x77}
		before := d.Changes()
		if err := d.SetMAC(mac); err != nil || d.MAC() != mac {
			t.Errorf("address %v: %v", d.MAC(), err)
		}
		if err := d.SetMTU(1400); err != nil || d.MTU() != 1400 {
			t.Errorf("MTU %d: %v", d.MTU(), err)
		}
		if err := d.SetFlags(0, netdev.Up); err != nil || d.Flags()&(netdev.Up|netdev.Running) != 0 {
			t.Errorf("flags %v: %v", d.Flags(), err)
		}
		if d.Changes() == before {
			t.Error("nobody is told of the changes")
		}
		if err := d.SetMTU(3); err == nil || !strings.Contains(err.Error(), `device "va": set MTU`) {
			t.Errorf("error %v", err)
		}
		if status := d.Status(); status["driver_name"] != "veth" {
			t.Errorf("status %v", status)
		}
	})
}

func TestErrorsNameTheDevice(t *testing.T) {
	inSpace(t, func(h *Host) {
		for _, p := range h.Providers() {
			name := "nosuch"
			if p.Type != "system" {
				name = "a-name-that-is-too-long-for-the-kernel"
			}
			d, err := p.Open(name, nil)
			if err == nil {
				t.Errorf("%s %s was opened", p.Type, name)
				d.Close()
			}
		}
	})
}

// Link events change what a device says of itself, and say when it is gone.
func TestLinkEvents(t *testing.T) {
	inSpace(t, func(h *Host) {
		d := open(t, h, "system", "va").(*Socket)
		defer d.Close()
		changed := make(chan struct{}, 100)
		h.OnChange(func() { changed <- struct{}{} })
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		eventually := func(what string, check func() bool) {
			for !check() {
				select {
				case <-changed:
				case <-time.After(time.Minute):
					t.Errorf("%s was not seen", what)
					return
				}
			}
		}
		space := fmt.Sprintf("weir-netdev-%d", os.Getpid())
		go func() {
			ended <- lab.Within(space, func() error { return h.Run(ctx) })
		}()
		if err := lab.IP("-n " + space + " link set vb down"); err != nil {
			t.Error(err)
		}
		eventually("the carrier's loss", func() bool { return d.Flags()&netdev.Running == 0 })
		if err := lab.IP("-n " + space + " link set vb up"); err != nil {
			t.Error(err)
		}
		eventually("the carrier's return", func() bool { return d.Flags()&netdev.Running != 0 })
		if d.CarrierResets() == 0 {
			t.Error("the loss of carrier was not counted")
		}
		if err := lab.IP("-n " + space + " link del va"); err != nil {
			t.Error(err)
		}
		eventually("the end of the device", d.Gone)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What happened before anybody listened, and what was lost because the listener
// stood still, is found out by asking; then events are heard as before.
func TestLostLinkEvents(t *testing.T) {
	inSpace(t, func(h *Host) {
		devices := map[string]*Socket{}
		for _, name := range []string{"va", "vb"} {
			devices[name] = open(t, h, "system", name).(*Socket)
			defer devices[name].Close()
		}
		var hold sync.Mutex
		told := make(chan struct{}, 1)
		h.OnChange(func() {
			hold.Lock()
			defer hold.Unlock()
			select {
			case told <- struct{}{}:
			default:
			}
		})
		eventually := func(what string, check func() bool) {
			t.Helper()
			for end := time.After(time.Minute); !check(); {
				select {
				case <-told:
				case <-end:
					t.Errorf("%s was not seen", what)
					return
				}
			}
		}
		space := fmt.Sprintf("weir-netdev-%d", os.Getpid())
		ip := func(command string) {
			t.Helper()
			if err := lab.IP("-n " + space + " " + command); err != nil {
				t.Error(err)
			}
		}
		ip("link set vb down")
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- lab.Within(space, func() error { return h.Run(ctx) })
		}()
		eventually("a loss of carrier before", func() bool { return devices["va"].Flags()&netdev.Running == 0 })

		before := overflows.Load()
		hold.Lock()
		vb, err := netlink.LinkByName("vb")
		for i := 0; i < 2000 && err == nil; i++ {
			err = netlink.LinkSetMTU(vb, 1000+i%2)
		}
		if err != nil {
			t.Error(err)
		}
		ip("link del va")
		ip("link add vb type veth peer name vc") // another one of that name
		hold.Unlock()
		eventually("the end of the devices", func() bool { return devices["va"].Gone() && devices["vb"].Gone() })
		if overflows.Load() == before {
			t.Error("no event was lost")
		}
		again := open(t, h, "system", "vb")
		defer again.Close()
		ip("link set vb up")
		eventually("what came after the loss", func() bool { return again.Flags()&netdev.Up != 0 })
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestVnetHeader(t *testing.T) {
	want := netdev.Offload{Flags: 1, GSOType: 4, HdrLen: 54, GSOSize: 1448, CsumStart: 34, CsumOff: 16}
	var b [VnetLen]byte
	PutVnet(&b, &want)
	var got netdev.Offload
	GetVnet(&b, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The tag that the kernel took out goes back to its place, with its kind, and
// the offsets of unfinished checksums move with it.
func TestRestoreVLAN(t *testing.T) {
	f, _ := frame(nil)
	for _, test := range []struct {
		aux  auxdata
		want []byte
	}{
		{auxdata{status: statusVLANValid, vlanTCI: 0x2007}, []byte{0x81, 0, 0x20, 7}},
		{auxdata{status: statusVLANValid | statusVLANTPIDValid, vlanTCI: 5, vlanTPID: 0x88a8}, []byte{0x88, 0xa8, 0, 5}},
	} {
		p := netdev.Packet{Buf: append(make([]byte, netdev.Headroom), f...), Off: netdev.Headroom, Len: len(f),
			Offload: netdev.Offload{Flags: unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, CsumStart: 34, CsumOff: 6, HdrLen: 42}}
		restoreVLAN(&p, &test.aux)
		want, _ := frame(test.want)
		if diff := cmp.Diff(want, p.Data()); diff != "" {
			t.Error(diff)
		}
		if p.Offload.CsumStart != 38 || p.Offload.HdrLen != 46 {
			t.Errorf("offsets %+v", p.Offload)
		}
	}
}

// Control messages that are too short, or of another kind, hold no tag.
func TestFindAux(t *testing.T) {
	b := make([]byte, auxSpace)
	if findAux(b) != nil || findAux(b[:4]) != nil || findAux(nil) != nil {
		t.Error("found what is not there")
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.SOL_PACKET, unix.PACKET_AUXDATA
	h.SetLen(unix.CmsgLen(int(unsafe.Sizeof(auxdata{}))))
	if findAux(b) == nil {
		t.Error("did not find what is there")
	}
}

package dummy

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/clock"
	"weir/internal/netdev"
	"weir/internal/packet"
	"weir/internal/unixctl"
)

// open makes a device of a set of its own.
func open(t testing.TB, name, typ string, options map[string]string) (*Set, *Device) {
	t.Helper()
	s := NewSet(clock.New())
	return s, openIn(t, s, name, typ, options)
}

func openIn(t testing.TB, s *Set, name, typ string, options map[string]string) *Device {
	t.Helper()
	d, err := s.Provider(typ).Open(name, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.(*Device)
}

// command runs one of the control commands.
func command(f unixctl.Handler, args ...string) (string, error) {
	return f(&unixctl.Request{Ctx: context.Background(), Args: args})
}

// frames takes all that waits in a queue.
func frames(t testing.TB, d *Device, q int) [][]byte {
	t.Helper()
	batch := make([]netdev.Packet, 4)
	for i := range batch {
		batch[i].Buf = make([]byte, netdev.Headroom+netdev.MaxFrame)
	}
	n, err := d.Recv(q, batch)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for i := range n {
		out = append(out, bytes.Clone(batch[i].Data()))
	}
	return out
}

func send(t *testing.T, d *Device, frame []byte) int {
	t.Helper()
	p := &netdev.Packet{Buf: frame, Len: len(frame)}
	n, err := d.Send(0, []*netdev.Packet{p})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const udpFlow = "in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800)," +
	"ipv4(src=192.168.0.1,dst=192.168.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=10)"

func TestReceive(t *testing.T) {
	const header = "505400000007 505400000005 0800"
	for _, test := range []struct {
		name    string
		args    []string
		queue   int
		lengths []int
		err     string
	}{
		{name: "a frame in hexadecimal", args: []string{"p0", header}, lengths: []int{14}},
		{name: "several", args: []string{"p0", header, header + "ff", header}, lengths: []int{14, 15, 14}},
		{name: "a flow", args: []string{"p0", udpFlow}, lengths: []int{14 + 20 + 8 + 64}},
		{name: "a flow of a length", args: []string{"p0", udpFlow, "--len", "200"}, lengths: []int{200}},
		{name: "another queue", args: []string{"p0", "--qid", "1", header}, queue: 1, lengths: []int{14}},
		{name: "no such queue", args: []string{"p0", "--qid", "2", header}, err: "bad rx queue id."},
		{name: "no such device", args: []string{"p1", header}, err: "no such dummy netdev"},
		{name: "a length that the headers exceed", args: []string{"p0", udpFlow, "--len", "20"}, err: "too small packet len"},
		{name: "a length without end", args: []string{"p0", udpFlow, "--len", "99999999999"}, err: "too large packet len"},
		{name: "neither", args: []string{"p0", "nonsense"}, err: "nonsense"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, d := open(t, "p0", "dummy-pmd", map[string]string{"n_rxq": "2"})
			_, err := command(s.receive, test.args...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var lengths []int
			for _, f := range frames(t, d, test.queue) {
				lengths = append(lengths, len(f))
			}
			if test.name == "a flow" {
				lengths[0] = test.lengths[0] // the payload's length is the composer's choice
			}
			if diff := cmp.Diff(test.lengths, lengths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever stands on the command line, the process lives, and frames have at
// least an Ethernet header.
func FuzzReceive(f *testing.F) {
	f.Add(udpFlow, "--len", "100")
	f.Add("505400000007 505400000005 0800", "00", "")
	f.Add("eth(),ipv6(frag=later),icmpv6(type=136),nd(target=::1)", "--len", "-1")
	f.Add("eth(),eth_type(0x8100),vlan(vid=5,pcp=2),encap(eth_type(0x8847),mpls(label=1,tc=0,ttl=1,bos=1))", "--qid", "0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		s, d := open(t, "p0", "dummy", nil)
		_, err := command(s.receive, "p0", a, b, c)
		for _, frame := range frames(t, d, 0) {
			if len(frame) < 14 || len(frame) > netdev.MaxFrame {
				t.Errorf("a frame of %d bytes (%v)", len(frame), err)
			}
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	_, d := open(t, "p0", "dummy", nil)
	for range 3 * queueLimit {
		d.Inject(0, make([]byte, 60))
	}
	total := 0
	for n := len(frames(t, d, 0)); n > 0; n = len(frames(t, d, 0)) {
		total += n
	}
	if total != queueLimit {
		t.Errorf("%d packets waited, want %d", total, queueLimit)
	}
}

func TestNumberOfQueues(t *testing.T) {
	for option, want := range map[string]int{"": 1, "0": 1, "-3": 1, "x": 1, "4": 4, "4000000000": maxQueues} {
		_, d := open(t, "p0", "dummy-pmd", map[string]string{"n_rxq": option})
		if got := d.NumRxQueues(); got != want {
			t.Errorf("n_rxq=%q gives %d queues, want %d", option, got, want)
		}
	}
	_, d := open(t, "p0", "dummy", map[string]string{"n_rxq": "4"})
	if got := d.NumRxQueues(); got != 1 {
		t.Errorf("a plain dummy has %d queues", got)
	}
}

func TestNotify(t *testing.T) {
	_, d := open(t, "p0", "dummy-pmd", map[string]string{"n_rxq": "3"})
	var told []int
	d.SetNotify(func(q int) { told = append(told, q) })
	d.Inject(2, make([]byte, 60))
	d.SetNotify(nil)
	d.Inject(1, make([]byte, 60))
	if diff := cmp.Diff([]int{2}, told); diff != "" {
		t.Error(diff)
	}
}

func TestSendCountsWhatFits(t *testing.T) {
	_, d := open(t, "p0", "dummy", nil)
	if err := d.SetMTU(1000); err != nil {
		t.Fatal(err)
	}
	tagged := make([]byte, 1000+14+4)
	packet.PutBe16(tagged[12:], packet.EtherTypeVLAN)
	sent := send(t, d, make([]byte, 1014)) + send(t, d, tagged) + send(t, d, make([]byte, 1015)) + send(t, d, make([]byte, 13))
	stats, err := d.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if sent != 2 || stats.TxPackets != 2 || stats.TxBytes != 1014+1018 {
		t.Errorf("sent %d, counted %d packets, %d bytes", sent, stats.TxPackets, stats.TxBytes)
	}
	for _, mtu := range []int{67, 65536, -1} {
		if d.SetMTU(mtu) == nil {
			t.Errorf("MTU %d was taken", mtu)
		}
	}
}

func TestAdminState(t *testing.T) {
	s, a := open(t, "a", "dummy", nil)
	b := openIn(t, s, "b", "dummy", nil)
	before := a.Changes()
	if _, err := command(s.setAdminState, "a", "down"); err != nil {
		t.Fatal(err)
	}
	if a.Flags() != 0 || b.Flags() != netdev.Up|netdev.Running || a.Changes() == before {
		t.Errorf("flags %v and %v", a.Flags(), b.Flags())
	}
	if _, err := command(s.setAdminState, "down"); err != nil {
		t.Fatal(err)
	}
	if b.Flags() != 0 {
		t.Errorf("flags %v", b.Flags())
	}
	if _, err := command(s.setAdminState, "c", "up"); err == nil || err.Error() != "Unknown Dummy Interface" {
		t.Errorf("error %v", err)
	}
	if _, err := command(s.setAdminState, "sideways"); err == nil || err.Error() != "Invalid Admin State" {
		t.Errorf("error %v", err)
	}
}

// A device answers ARP requests for the address that it was given (RFC 826).
func TestARPReply(t *testing.T) {
	s, d := open(t, "p0", "dummy", nil)
	if out, err := command(s.ip4addr, "p0", "10.0.0.1/24"); err != nil || out != "OK" {
		t.Fatal(out, err)
	}
	request := make([]byte, 42)
	copy(request, []byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9})
	copy(request[38:], []byte{10, 0, 0, 1})
	send(t, d, request)
	replies := frames(t, d, 0)
	if len(replies) != 1 {
		t.Fatalf("%d replies", len(replies))
	}
	mac := d.MAC()
	want := append(append([]byte{2, 0, 0, 0, 0, 9}, mac[:]...), 8, 6, 0, 1, 8, 0, 6, 4, 0, 2)
	want = append(append(append(want, mac[:]...), 10, 0, 0, 1), 2, 0, 0, 0, 0, 9, 10, 0, 0, 9)
	if diff := cmp.Diff(want, replies[0][:42]); diff != "" {
		t.Error(diff)
	}
	request[41] = 2 // somebody else's address
	send(t, d, request)
	if n := len(frames(t, d, 0)); n != 0 {
		t.Errorf("%d replies for another's address", n)
	}
	for _, bad := range [][]string{{"p0", "10.0.0.1/99"}, {"p0", "::1"}, {"p9", "10.0.0.1/8"}} {
		if _, err := command(s.ip4addr, bad...); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// Two dummies joined by a unix socket hand each other their frames.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	socket := "unix:" + filepath.Join(dir, "p.sock")
	s, a := open(t, "a", "dummy", map[string]string{"pstream": "p" + socket})
	b := openIn(t, s, "b", "dummy", map[string]string{"stream": socket})
	eventually(t, "connection", func() bool {
		out, err := command(s.connState, "b")
		return err == nil && out == "b: connected\n"
	})
	frame := append(make([]byte, 59), 7)
	eventually(t, "frame from b to a", func() bool {
		send(t, b, frame)
		got := frames(t, a, 0)
		return len(got) > 0 && bytes.Equal(got[0], frame)
	})
	send(t, a, frame)
	eventually(t, "frame from a to b", func() bool { return len(frames(t, b, 0)) > 0 })
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the connection", func() bool {
		out, err := command(s.connState)
		return err == nil && out == "b: disconnected\n"
	})
}

func TestCaptures(t *testing.T) {
	dir := t.TempDir()
	tx, both := filepath.Join(dir, "tx.pcap"), filepath.Join(dir, "both.pcap")
	_, d := open(t, "p0", "dummy", map[string]string{"tx_pcap": tx, "pcap": both})
	d.Inject(0, make([]byte, 60))
	send(t, d, make([]byte, 61))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]int{tx: {61}, both: {60, 61}} {
		if diff := cmp.Diff(want, captured(t, name)); diff != "" {
			t.Errorf("%s: %s", filepath.Base(name), diff)
		}
	}
}

// captured are the lengths of the frames in a capture.
func captured(t *testing.T, name string) []int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := packet.NewPcapReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lengths []int
	for {
		_, frame, err := r.ReadPacket()
		if err != nil {
			return lengths
		}
		lengths = append(lengths, len(frame))
	}
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if check() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come", what)
}

// Package differential tests the data path in the kernel against the one in user
// space: two bridges with the same random flow tables, one on each, get the same
// random packets, with partial checksums, tags and super-packets, and must send
// out the same, byte by byte, and count the same.
package differential

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/test/alone"
	"weir/test/programs"
)

func TestMain(m *testing.M) { alone.Main(m) }

// prefix begins the names of this package's namespaces.
const prefix = "weir-df-"

const (
	space    = prefix + "switch" // where the switch lives
	farSpace = prefix + "far"    // where the other ends of its ports are
)

// Ports of each bridge. The last two are internal; the very last is moved to the
// far namespace. Port bigPort and these take longer frames than the others.
const (
	numPorts  = 6
	bigPort   = 2
	insider   = 5
	outsider  = 6
	mtu       = 1500
	bigMTU    = 9000
	otherPort = 1 // of the bridge behind the patch ports
)

// world is a running switch.
type world struct {
	t        testing.TB
	bin, dir string
	sides    [2]*side
}

// side is one of the two bridges, with a second one behind patch ports.
type side struct {
	name string
	ends [numPorts + 1]*end // by port number; the last one is the other bridge's port
}

// datapaths are the types of the sides' bridges.
var datapaths = [2]string{"system", "netdev"}

func start(t testing.TB) *world {
	t.Helper()
	bin, dir := programs.Need(t, prefix)
	w := &world{t: t, bin: bin, dir: dir}
	lab.RemoveNamespaces(prefix)
	t.Cleanup(w.stop)
	for _, name := range []string{space, farSpace} {
		w.must(lab.AddNamespace(name))
		w.must(lab.WithoutIPv6(name))
	}
	w.run("ovsdb-tool", "create", dir+"/conf.db", "../../schema/vswitch.ovsschema")
	w.run("ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--log-file", "--remote=punix:db.sock", dir+"/conf.db")
	w.run("ovs-vsctl", "--no-wait", "init")
	w.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:max-idle=3600000", "other_config:vlan-limit=2")
	w.run("ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file")
	for i := range w.sides {
		w.sides[i] = w.newSide(datapaths[i])
	}
	if got := w.run("ovs-vsctl", "get", "Bridge", w.sides[0].name, "status:datapath"); !strings.Contains(got, "ebpf") {
		t.Skipf("the kernel's data path is not there: %s", w.run("ovs-vsctl", "get", "Bridge", w.sides[0].name, "status"))
	}
	return w
}

func (w *world) newSide(datapath string) *side {
	d := datapath[:3]
	s := &side{name: "br-" + d}
	for _, br := range []string{s.name, s.name + "2"} {
		w.run("ovs-vsctl", "add-br", br, "--", "set", "Bridge", br, "datapath_type="+datapath, "fail-mode=secure",
			"protocols=OpenFlow10,OpenFlow13,OpenFlow15")
	}
	for n := 1; n <= numPorts+1; n++ {
		br, no := s.name, n
		if n > numPorts {
			br, no = s.name+"2", otherPort
		}
		w.addPort(s, br, fmt.Sprintf("%s-%d", d, n), n, no)
	}
	w.run("ovs-vsctl", "add-port", s.name, d+"p1", "--", "set", "Interface", d+"p1", "type=patch", "options:peer="+d+"p2", "ofport_request=9",
		"--", "add-port", s.name+"2", d+"p2", "--", "set", "Interface", d+"p2", "type=patch", "options:peer="+d+"p1", "ofport_request=9")
	w.run("ovs-vsctl", "set", "Port", d+"-3", "tag=5", "--", "set", "Port", d+"-4", "vlan_mode=native-untagged", "tag=6")
	for i, rate := range []string{"pktps,burst,bands=type=drop,rate=10000000,burst_size=10000000", "kbps,burst,stats,bands=type=drop,rate=400000000,burst_size=400000000"} {
		w.run("ovs-ofctl", "-O", "OpenFlow15", "add-meter", s.name, fmt.Sprintf("meter=%d,%s", i+1, rate))
	}
	// Nothing is learned, which would depend on the order of packets.
	for i, mac := range macs[:5] {
		for _, vid := range []string{"0", "5", "6", "100"} {
			w.run("ovs-appctl", "fdb/add", s.name, fmt.Sprintf("%s-%d", d, i+1), vid, mac.String())
			w.run("ovs-appctl", "fdb/add", s.name+"2", fmt.Sprintf("%s-%d", d, numPorts+1), vid, mac.String())
		}
	}
	return s
}

// addPort adds port number no of a bridge, the n-th of its side.
func (w *world) addPort(s *side, br, port string, n, no int) {
	add := []string{"add-port", br, port, "--", "set", "Interface", port, fmt.Sprintf("ofport_request=%d", no)}
	length := mtu
	if n == bigPort {
		length = bigMTU
	}
	far, where := port+"-far", farSpace
	if n == insider || n == outsider {
		far, where = port, space
		w.run("ovs-vsctl", append(add, "type=internal", fmt.Sprintf("mtu_request=%d", bigMTU))...)
		if n == outsider {
			where = farSpace
			w.must(lab.IP("-n " + space + " link set " + port + " netns " + farSpace))
		}
		w.must(lab.IP("-n " + where + " link set " + port + " up"))
	} else {
		w.must(lab.IP(fmt.Sprintf("-n %s link add %s mtu %d type veth peer name %s mtu %d netns %s", space, port, length, far, length, farSpace),
			"-n "+space+" link set "+port+" up", "-n "+farSpace+" link set "+far+" up"))
		w.run("ovs-vsctl", add...)
	}
	var err error
	s.ends[n-1], err = openEnd(where, far)
	w.must(err)
	w.t.Cleanup(func() { _ = unix.Close(s.ends[n-1].fd) })
}

func (w *world) stop() {
	for _, args := range [][]string{{"exit", "--cleanup"}, {"-t", "ovsdb-server", "exit"}} {
		if out, err := w.try("ovs-appctl", args...); err != nil {
			w.t.Errorf("ovs-appctl %s: %v\n%s", args, err, out)
		}
	}
	if w.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(w.dir, "ovs-vswitchd.log"))
		for line := range strings.Lines(string(log)) {
			if !strings.Contains(line, "|INFO|") {
				w.t.Log(line)
			}
		}
	}
	lab.RemoveNamespaces(prefix)
	_ = os.RemoveAll(w.dir)
}

// try runs one of the programs inside the switch's namespace.
func (w *world) try(name string, args ...string) (string, error) {
	return programs.Run(2*programs.Patience, space, w.dir, filepath.Join(w.bin, name), args...)
}

// run is try where failure ends the test.
func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	out, err := w.try(name, args...)
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// end is the far end of a port: a packet socket that hands over the state of
// offloads both ways.
type end struct {
	fd  int
	at  unix.SockaddrLinklayer
	buf []byte
}

func openEnd(space, device string) (*end, error) {
	e := &end{fd: -1, buf: make([]byte, linux.VnetLen+1<<17)}
	err := lab.Within(space, func() error {
		dev, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if e.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		e.at = unix.SockaddrLinklayer{Protocol: 0x0300 /* ETH_P_ALL in network order */, Ifindex: dev.Index}
		const rcvbufForce = 32 << 20
		return errors.Join(
			unix.SetsockoptInt(e.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
			unix.SetsockoptInt(e.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.SetsockoptInt(e.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvbufForce),
			unix.Bind(e.fd, &e.at))
	})
	return e, err
}

// send sends a frame; the error EINVAL says that the kernel lets nobody have such
// a packet.
func (e *end) send(f *frame) error {
	for {
		b := make([]byte, linux.VnetLen, linux.VnetLen+len(f.bytes))
		linux.PutVnet((*[linux.VnetLen]byte)(b), &f.off)
		err := unix.Sendto(e.fd, append(b, f.bytes...), 0, &e.at)
		if err != unix.ENOBUFS && err != unix.EAGAIN {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// receive takes the next frame, if there is one, and puts back the tag that the
// kernel took out.
func (e *end) receive() (f frame, ok bool) {
	oob := make([]byte, 128)
	n, oobn, _, _, err := unix.Recvmsg(e.fd, e.buf, oob, 0)
	if err != nil {
		return f, false
	}
	linux.GetVnet((*[linux.VnetLen]byte)(e.buf), &f.off)
	b := append([]byte(nil), e.buf[linux.VnetLen:n]...)
	msgs, _ := unix.ParseSocketControlMessage(oob[:oobn])
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA {
			continue
		}
		aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
			continue
		}
		tag := binary.BigEndian.AppendUint16(nil, aux.Vlan_tpid)
		tag = binary.BigEndian.AppendUint16(tag, aux.Vlan_tci)
		b = append(append(append([]byte{}, b[:12]...), tag...), b[12:]...)
		if f.off.Flags&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
			f.off.CsumStart += 4
		}
	}
	f.bytes = b
	f.off.HdrLen = 0 // a hint
	if f.off.GSOType == unix.VIRTIO_NET_HDR_GSO_NONE {
		f.off.GSOSize = 0
	}
	return f, true
}

// frame is a packet with the state of its offloads.
type frame struct {
	bytes []byte
	off   netdev.Offload
}

package packets

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"weir/internal/lab"
)

// underlay is a network below tunnels, of which the test is the other end.
type underlay struct {
	device    string
	here, far net.IP
	port      layers.UDPPort // of VXLAN
	wire      *cable
}

// farMAC is the address of the other end.
var farMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}

const vni = 0x4d4d4d

// vxlan adds the tunnel port 4 to the bridge.
func (b *bridge) vxlan(n byte) *underlay {
	b.t.Helper()
	u := &underlay{device: "ul-" + b.datapath[:3], here: net.IPv4(192, 168, n, 1).To4(), far: net.IPv4(192, 168, n, 2).To4(), port: 4700 + layers.UDPPort(n)}
	in, far := "-n "+space, u.device+"-far"
	check(b.t, lab.IP(fmt.Sprintf("%s link add %s mtu %d type veth peer name %s mtu %d netns %s", in, u.device, mtu+100, far, mtu+100, farSpace),
		in+" link set "+u.device+" up", "-n "+farSpace+" link set "+far+" up", fmt.Sprintf("%s addr add %s/24 dev %s", in, u.here, u.device),
		fmt.Sprintf("%s neigh add %s lladdr %s dev %s nud permanent", in, u.far, farMAC, u.device)))
	c, err := openCable(farSpace, far)
	check(b.t, err)
	b.t.Cleanup(c.close)
	u.wire = c
	b.run("ovs-vsctl", "add-port", b.name, "vx-"+b.datapath[:3], "--", "set", "Interface", "vx-"+b.datapath[:3], "type=vxlan", "ofport_request=4",
		"options:remote_ip="+u.far.String(), "options:key=flow", "options:tos=inherit", "options:ttl=33", fmt.Sprintf("options:dst_port=%d", u.port))
	return u
}

// outer puts a frame into VXLAN from the other end; change alters the headers.
func (u *underlay) outer(mac net.HardwareAddr, inner []byte) []byte {
	f := &frame{eth: layers.Ethernet{SrcMAC: farMAC, DstMAC: mac}, data: inner, l4: &layers.UDP{SrcPort: 55555, DstPort: u.port},
		after: []layer{&layers.VXLAN{ValidIDFlag: true, VNI: vni}},
		ip4:   &layers.IPv4{Version: 4, TOS: 0x28, TTL: 77, SrcIP: u.far, DstIP: u.here}}
	return f.build()
}

// TestVXLAN takes packets of each kind out of VXLAN that gopacket made, and reads
// with gopacket what the switch puts them into.
func TestVXLAN(t *testing.T) {
	s := start(t)
	for i, datapath := range []string{"system", "netdev"} {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testVXLAN(t, byte(71+i)) })
	}
}

func (b *bridge) testVXLAN(t *testing.T, n byte) {
	u := b.vxlan(n)
	var mac net.HardwareAddr
	check(t, lab.Within(space, func() error {
		dev, err := net.InterfaceByName(u.device)
		if err == nil {
			mac = dev.HardwareAddr
		}
		return err
	}))
	b.flows("OpenFlow13", "priority=0,actions=output:3",
		fmt.Sprintf("in_port=4,tun_id=%#x,tun_src=%s,tun_dst=%s,actions=output:2", vni, u.far, u.here),
		fmt.Sprintf("in_port=1,actions=set_field:%#x->tun_id,output:4", vni))
	b.rounds(func() bool {
		for _, k := range kinds {
			// The kernel's tunnels throw away what has half an IP header.
			if k.memory || b.datapath == "system" && strings.HasSuffix(k.name, " header cut") && k.is[:2] == "ip" {
				continue
			}
			f := k.make()
			in := f.build()
			check(t, u.wire.send(u.outer(mac, in)))
			if err := b.comes(in, 2, in); err != nil {
				t.Errorf("%s out of VXLAN: %v", k.name, err)
			}
			check(t, b.wires[1].send(in))
			got, err := u.receive()
			if err == nil {
				err = u.wrapped(got, mac, in, f)
			}
			if err != nil {
				t.Errorf("%s into VXLAN: %v", k.name, err)
			}
		}
		return !t.Failed()
	})
}

// receive returns the next VXLAN packet, passing over others.
func (u *underlay) receive() ([]byte, error) {
	for range 10 {
		b, err := u.wire.receive(within)
		if err != nil {
			return nil, err
		}
		if p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default); p.Layer(layers.LayerTypeUDP) != nil {
			return b, nil
		}
	}
	return nil, os.ErrDeadlineExceeded
}

// wrapped compares the headers before a packet with what they should be.
func (u *underlay) wrapped(b []byte, mac net.HardwareAddr, inner []byte, f *frame) error {
	var eth layers.Ethernet
	var ip layers.IPv4
	var udp layers.UDP
	var vx layers.VXLAN
	var types []gopacket.LayerType
	p := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip, &udp)
	if err := p.DecodeLayers(b, &types); err != nil && len(types) < 3 {
		return err
	}
	if err := vx.DecodeFromBytes(udp.Payload, gopacket.NilDecodeFeedback); err != nil {
		return err
	}
	tos, tosMask := uint8(0), uint8(0xff)
	if f.snap {
		tosMask = 0xfc // the kernel finds no ECN behind LLC
	}
	switch {
	case f.mpls != nil: // no IP header that is known
	case f.length > 0 && len(f.data) > 1:
		tosMask = 0 // known to the kernel's tunnels, not to us
	case f.ip4 != nil:
		tos = f.ip4.TOS
	case f.ip6 != nil:
		tos = f.ip6.TrafficClass
	}
	want := fmt.Sprintf("%s to %s, %s to %s, ttl 33, DF true, to %d, VNI %#x, flag true", mac, farMAC, u.here, u.far, u.port, vni)
	got := fmt.Sprintf("%s to %s, %s to %s, ttl %d, DF %v, to %d, VNI %#x, flag %v", eth.SrcMAC, eth.DstMAC, ip.SrcIP, ip.DstIP, ip.TTL,
		ip.Flags&layers.IPv4DontFragment != 0, udp.DstPort, vx.VNI, vx.ValidIDFlag)
	switch {
	case got != want:
		return fmt.Errorf("%s, should be %s", got, want)
	case ip.TOS&tosMask != tos&tosMask && len(f.tags) < 2:
		return fmt.Errorf("TOS %#x, should be %#x", ip.TOS, tos)
	case udp.Checksum != 0:
		return errors.New("a UDP checksum that nobody asked for")
	case udp.SrcPort < 0x8000:
		return fmt.Errorf("source port %d, should be in the range of temporary ports", udp.SrcPort)
	case !bytes.Equal(vx.Payload, inner):
		return difference(inner, vx.Payload, inner)
	}
	again := ip // its checksum, made anew
	sum := serialize(ip.Payload, &again)
	if !bytes.Equal(sum, b[14:]) {
		return difference(inner, b[14:], sum)
	}
	return nil
}

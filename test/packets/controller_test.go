package packets

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// controller is a connection to a bridge in one version of OpenFlow.
type controller struct {
	t  *testing.T
	c  net.Conn
	in *openflow.Reader
	p  openflow.Protocol
}

func (b *bridge) controller(t *testing.T, v openflow.Version) *controller {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(b.dir, b.name+".mgmt"))
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	x := &controller{t, c, openflow.NewReader(c), v.Protocol()}
	x.send(&openflow.Hello{Versions: openflow.Versions(v)})
	return x
}

func (c *controller) send(m openflow.Message) {
	c.t.Helper()
	b, err := openflow.Encode(c.p, 1, m)
	check(c.t, err)
	_, err = c.c.Write(b)
	check(c.t, err)
}

// receive waits for a message of type M and passes others over, but for errors.
func receive[M openflow.Message](c *controller) (m M, err error) {
	c.t.Helper()
	_ = c.c.SetReadDeadline(time.Now().Add(within))
	for {
		b, err := c.in.Next()
		if err != nil {
			return m, fmt.Errorf("no %T: %w", m, err)
		}
		_, got, err := openflow.Decode(b, openflow.DecodeOptions{})
		if err != nil {
			return m, err
		}
		if m, ok := got.(M); ok {
			return m, nil
		}
		if _, ok := got.(*openflow.Error); ok {
			return m, fmt.Errorf("the switch answers %v", got)
		}
	}
}

var versions = []openflow.Version{openflow.V10, openflow.V11, openflow.V12, openflow.V13, openflow.V14, openflow.V15}

// TestPacketIn sends each kind of packet to controllers of each version, in each
// of the three messages that carry packets there: whole, whatever length was asked
// for, since they aren't buffered (OpenFlow 1.3.1, A.4.1).
func TestPacketIn(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testPacketIn(t) })
	}
}

func (b *bridge) testPacketIn(t *testing.T) {
	b.flows("OpenFlow10", "priority=1,cookie=0x1234,actions=load:0xabcd->NXM_NX_REG3[],controller(max_len=65535,userdata=01.02.03),controller(max_len=40)",
		"priority=10,cookie=0x1234,in_port=1,udp,udp_dst=2001,actions=load:0xabcd->NXM_NX_REG3[],mod_nw_dst:10.9.9.9,mod_tp_dst:53,controller(max_len=65535,userdata=01.02.03),controller(max_len=40)")
	changed := map[string]func(*frame){}
	for _, name := range []string{"UDP", "UDP without checksum"} {
		changed[name] = func(f *frame) { f.ip4.DstIP = net.IPv4(10, 9, 9, 9); ports(1001, 53)(f) }
	}
	for _, v := range versions {
		for _, format := range []openflow.PacketInFormat{openflow.PacketInStd, openflow.PacketInNXT, openflow.PacketInNXT2} {
			c := b.controller(t, v)
			c.send(&openflow.SetPacketInFormat{Format: format})
			c.send(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: 0xffff}})
			c.send(&openflow.BarrierRequest{})
			if _, err := receive[*openflow.BarrierReply](c); err != nil {
				t.Fatal(err)
			}
			for _, k := range kinds {
				if k.memory && b.datapath != "dummy" || strings.Contains(k.is, "udp") && changed[k.name] == nil {
					continue
				}
				f := k.make()
				in := f.build()
				if change := changed[k.name]; change != nil {
					change(f)
				}
				check(t, b.wires[1].send(in))
				for _, userdata := range []string{"\x01\x02\x03", ""} {
					if err := c.punted(f.build(), userdata); err != nil {
						t.Errorf("%s, OpenFlow %s, %v, userdata %x: %v", k.name, v, format, userdata, err)
					}
				}
			}
			_ = c.c.Close()
		}
	}
}

// cookie is that of the flows that send packets to controllers.
const cookie = 0x1234

// punted reads a packet-in and compares it with the frame that it should carry.
func (c *controller) punted(frame []byte, userdata string) error {
	m, err := receive[*openflow.PacketIn](c)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(m.Data, frame):
		return difference(frame, m.Data, frame)
	case m.TotalLen != len(frame):
		return fmt.Errorf("total_len %d, should be %d", m.TotalLen, len(frame))
	case m.Metadata.Key.InPort != 1:
		return fmt.Errorf("in_port %d, should be 1", m.Metadata.Key.InPort)
	case m.Cookie != ^uint64(0) && m.Cookie != cookie || m.Cookie == ^uint64(0) && (m.Format != openflow.PacketInStd || c.p.Version() >= openflow.V13):
		return fmt.Errorf("cookie %#x, should be %#x", m.Cookie, cookie)
	case m.Format == openflow.PacketInNXT2 && string(m.Userdata) != userdata:
		return fmt.Errorf("userdata %x, should be %x", m.Userdata, userdata)
	case m.Format != openflow.PacketInStd && m.Metadata.Key.Regs[3] != 0xabcd:
		return fmt.Errorf("reg3 %#x, should be 0xabcd", m.Metadata.Key.Regs[3])
	case m.TableID != 0:
		return fmt.Errorf("table %d, should be 0", m.TableID)
	case m.Reason != openflow.ReasonAction:
		return fmt.Errorf("reason %v, should be an action", m.Reason)
	}
	return nil
}

// TestPacketOut sends each kind of packet out by a message of each version: to a
// port, changed on the way, and through the flow tables.
func TestPacketOut(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testPacketOut(t) })
	}
}

func (b *bridge) testPacketOut(t *testing.T) {
	b.flows("OpenFlow10", "in_port=3,ip,actions=mod_nw_src:10.99.88.77,output:2", "in_port=3,priority=0,actions=output:2")
	for _, v := range versions {
		c := b.controller(t, v)
		for _, k := range kinds {
			if k.memory && b.datapath != "dummy" {
				continue
			}
			f := k.make()
			in := f.build()
			try := func(how string, want []byte, from openflow.PortNo, actions ...openflow.Action) {
				m := &openflow.PacketOut{BufferID: openflow.NoBuffer, Actions: actions, Data: in}
				m.Metadata = flow.Match{}
				m.Metadata.Key.InPort, m.Metadata.Mask.InPort = uint32(from), ^uint32(0)
				c.send(m)
				if err := b.comes(in, 2, want); err != nil {
					t.Errorf("%s, OpenFlow %s, %s: %v", k.name, v, how, err)
				}
			}
			try("to a port", in, openflow.PortController, &openflow.Output{Port: 2})
			f = k.make()
			cut := k.is == "ip" && f.length > 0
			if f.ip4 != nil && !cut && len(f.tags) < 2 && f.mpls == nil {
				f.ip4.SrcIP = net.IPv4(10, 99, 88, 77)
			}
			try("through the tables", f.build(), 3, &openflow.Output{Port: openflow.PortTable})
		}
		_ = c.c.Close()
	}
}

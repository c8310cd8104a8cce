package netns

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"weir/internal/lab"
	"weir/test/programs"
)

// A meter lets through what its rate and burst allow, be it counted in packets or in
// bits, and no more.
func TestMeterRates(t *testing.T) { eachDatapath(t, (*sw).testMeterRates) }

func (s *sw) testMeterRates(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	of13 := func(args ...string) { t.Helper(); s.run("ovs-ofctl", append([]string{"-O", "OpenFlow13"}, args...)...) }
	const length = 500
	for i, c := range []struct {
		meter             string
		perSecond, atOnce float64 // packets of length
	}{
		{"pktps,burst,bands=type=drop,rate=1000,burst_size=300", 1000, 300},
		{"kbps,burst,bands=type=drop,rate=2000,burst_size=800", 2000e3 / 8 / length, 800e3 / 8 / length},
	} {
		id := byte(1 + i)
		of13("add-meter", "br0", fmt.Sprintf("meter=%d,%s", id, c.meter))
		of13("add-flow", "br0", fmt.Sprintf("priority=%d,in_port=%s,actions=meter:%d,output:%s", id, a.Port, id, b.Port))
		s.run("ovs-appctl", "revalidator/wait")
		r := s.hear(b)
		frames := slices.Repeat([][]byte{framed(id, length)}, 10000)
		took := s.send(a, 10000, frames...)
		of13("add-flow", "br0", fmt.Sprintf("priority=%d,in_port=%s,actions=output:%s", id+100, a.Port, b.Port))
		if !programs.Wait(func() bool { s.send(a, 0, framed(99, 60)); return r.has(99) }) {
			t.Fatal("nothing passes without the meter")
		}
		of13("del-flows", "br0")
		got, most := float64(r.ids[id]), c.perSecond*took.Seconds()+c.atOnce
		if got < c.atOnce || got > most*1.01+5 {
			t.Errorf("meter %s: %.0f of %d packets in %v, want %.0f at most and %.0f at least", c.meter, got, len(frames), took, most, c.atOnce)
		}
	}
}

// udpFrames are packets of so many connections, some of each.
func udpFrames(t *testing.T, from, to lab.Host, connections, each int) [][]byte {
	t.Helper()
	one := steadyFrames(t, from, to)[0]
	var frames [][]byte
	for range each {
		for i := range connections {
			f := slices.Clone(one)
			binary.BigEndian.PutUint16(f[34:], uint16(1000+i))
			binary.BigEndian.PutUint16(f[40:], 0) // without a checksum (RFC 768)
			frames = append(frames, f)
		}
	}
	return frames
}

// near reports whether n of total events of a chance are what to expect: in a billion
// honest runs one is not.
func near(n, total int, chance float64) bool {
	return math.Abs(float64(n)-float64(total)*chance) <= 6.2*math.Sqrt(float64(total)*chance*(1-chance))+1
}

// The buckets of a group get connections by their weights, and every packet of a
// connection the same bucket, whether programs or user space choose it.
func TestSelectDistribution(t *testing.T) { eachDatapath(t, (*sw).testSelectDistribution) }

func (s *sw) testSelectDistribution(t *testing.T) {
	const connections, each = 2000, 3
	a := lab.Host{Space: prefix + "a", Port: "p-a", MAC: "02:00:00:00:00:0a", Addr: "10.80.0.1/24"}
	b := lab.Host{Space: prefix + "b", Port: "p-b", MAC: "02:00:00:00:00:0b", Addr: "10.80.0.2/24"}
	s.must(a.Attach(s.space))
	s.must(b.Attach(s.space))
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	of15 := func(args ...string) { t.Helper(); s.run("ovs-ofctl", append([]string{"-O", "OpenFlow15"}, args...)...) }
	for i, method := range []string{"", "selection_method=dp_hash,", "selection_method=hash,fields(ip_src,udp_src),"} {
		group := fmt.Sprintf("group_id=%d,type=select,%s", i+1, method)
		for w := 1; w <= 4; w++ {
			group += fmt.Sprintf("bucket=bucket_id:%d,weight:%d,actions=set_field:02:00:00:00:00:%02x->eth_src,output:%s,", w, w, w, b.Port)
		}
		of15("add-group", "br0", group[:len(group)-1])
		of15("add-flow", "br0", fmt.Sprintf("in_port=%s,ip,actions=group:%d", a.Port, i+1))
		s.run("ovs-appctl", "revalidator/wait")
		e := s.listen(b.Space, "eth0")
		s.send(a, 20000, udpFrames(t, a, b, connections, each)...)
		buckets, of := map[byte]int{}, map[uint16]byte{}
		came := 0
		read := func() {
			e.each(func(frame []byte, _ int) {
				id, ok := idOf(frame)
				if !ok {
					return
				}
				came++
				port := binary.BigEndian.Uint16(frame[34:])
				if was, known := of[port]; !known {
					of[port] = id
					buckets[id]++
				} else if was != id {
					t.Errorf("group of method %q: port %d went to bucket %d and then to %d", method, port, was, id)
				}
			})
		}
		programs.Wait(func() bool { read(); return came >= connections*each })
		if came != connections*each {
			t.Errorf("group of method %q: %d packets came, want %d", method, came, connections*each)
		}
		for _, id := range slices.Sorted(maps.Keys(buckets)) {
			if !near(buckets[id], connections, float64(id)/10) {
				t.Errorf("group of method %q: %d of %d connections to bucket %d of weight %d in 10", method, buckets[id], connections, id, id)
			}
		}
	}
}

// What is sampled is as much as the probability says.
func TestSampling(t *testing.T) { eachDatapath(t, (*sw).testSampling) }

func (s *sw) testSampling(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.run("ovs-appctl", "revalidator/pause")
	const packets = 10000
	for i, c := range []struct {
		percent string
		chance  float64
	}{{"25.0%", 0.25}, {"1.0%", 0.01}, {"90.0%", 0.9}} {
		id := byte(1 + i)
		s.run("ovs-appctl", "dpctl/add-flow", s.datapath+"@ovs-"+s.datapath, "--names",
			fmt.Sprintf("recirc_id(0),in_port(%s),eth(src=02:00:00:00:00:%02x),eth_type(0x88b5)", a.Port, id), fmt.Sprintf("sample(sample=%s,actions(%s))", c.percent, b.Port))
		last := byte(0x80 + i)
		s.run("ovs-appctl", "dpctl/add-flow", s.datapath+"@ovs-"+s.datapath, "--names",
			fmt.Sprintf("recirc_id(0),in_port(%s),eth(src=02:00:00:00:00:%02x),eth_type(0x88b5)", a.Port, last), b.Port)
		r := s.hear(b)
		s.send(a, 50000, slices.Repeat([][]byte{framed(id, 100)}, packets)...)
		if !programs.Wait(func() bool { s.send(a, 0, framed(last, 60)); return r.has(last) }) {
			t.Fatal("nothing passes without the sample")
		}
		if !near(r.ids[id], packets, c.chance) {
			t.Errorf("%d of %d packets by a probability of %v", r.ids[id], packets, c.chance)
		}
	}
	s.run("ovs-appctl", "revalidator/resume")
}

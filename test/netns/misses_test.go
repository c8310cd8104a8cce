package netns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/programs"
)

// missLimit is the most flows that the data path may have in the test below.
const missLimit = 20000

// flood sends packets of 65,536 connections from a host as fast as its device takes them
// until stop is called, which returns how many they were.
func (s *sw) flood(from, to lab.Host) (stop func() int) {
	s.t.Helper()
	one := steadyFrames(s.t, from, to)[0]
	frames := make([][]byte, 1<<16)
	for i := range frames {
		frames[i] = slices.Clone(one)
		binary.BigEndian.PutUint16(frames[i][34:], uint16(i))
		binary.BigEndian.PutUint16(frames[i][40:], 0) // without a checksum (RFC 768)
	}
	var end atomic.Bool
	done, total := make(chan error, 1), 0
	go func() {
		done <- lab.Within(from.Space, func() error {
			sender, err := lab.NewSender("eth0", frames)
			if err != nil {
				return err
			}
			defer sender.Close()
			for !end.Load() {
				n, err := sender.Run(5*time.Millisecond, 0, 0)
				if total += n; err != nil {
					return err
				}
			}
			return nil
		})
	}()
	return func() int {
		s.t.Helper()
		end.Store(true)
		s.must(<-done)
		return total
	}
}

// memory is what the switch has resident, in megabytes.
func (s *sw) memory() int {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	s.must(err)
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(bytes.TrimSpace(status))
	kb, err := strconv.Atoi(string(m[1]))
	s.must(err)
	return kb / 1024
}

// A host floods the switch with packets of which each is another connection, and each
// connection is to get a flow of its own: other hosts' connections are set up all the
// same, there are no more flows than the limit, memory stays bounded, and the switch can
// be restarted.
func TestMissesStarveNobody(t *testing.T) { eachDatapath(t, (*sw).testMissesStarveNobody) }

func (s *sw) testMissesStarveNobody(t *testing.T) {
	host := func(n int) lab.Host {
		h := lab.Host{Space: prefix + string(rune('a'+n)), Port: "p-" + string(rune('a'+n)), MAC: fmt.Sprintf("02:00:00:00:00:%02x", n+10), Addr: fmt.Sprintf("10.80.0.%d/24", n+1)}
		s.must(h.Attach(s.space))
		return h
	}
	a, b, c, d := host(0), host(1), host(2), host(3)
	s.vsctl("set Open_vSwitch . other_config:flow-limit=%d", missLimit)
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port, c.Port, d.Port)
	for _, way := range [][2]lab.Host{{a, b}, {c, d}} {
		s.run("ovs-ofctl", "add-flow", "br0", fmt.Sprintf("in_port=%s,actions=output:%s", way[0].Port, way[1].Port))
	}
	s.run("ovs-appctl", "upcall/disable-megaflows")
	idle := s.memory()
	stop := s.flood(a, b)
	begin := time.Now()
	const connections = 2000
	served := func(when string) {
		t.Helper()
		e := s.listen(d.Space, "eth0")
		came := map[uint16]int{}
		s.send(c, 2000, udpFrames(t, c, d, connections, 1)...)
		if !programs.Wait(func() bool {
			e.each(func(frame []byte, _ int) {
				if id, ok := idOf(frame); ok && id == 0x0c {
					came[binary.BigEndian.Uint16(frame[34:])]++
				}
			})
			return len(came) >= connections
		}) {
			t.Errorf("%s: %d of %d connections of another host are served", when, len(came), connections)
		}
	}
	served("during the flood")
	flows := regexp.MustCompile(`flows: (\d+)`).FindStringSubmatch(s.run("ovs-appctl", "dpctl/show", "-s"))
	if n, err := strconv.Atoi(flows[1]); err != nil || n > missLimit*5/4 {
		t.Errorf("%v flows, %d are allowed", flows, missLimit)
	}
	during := s.memory()
	if during > idle+150 {
		t.Errorf("%d MB resident, %d before the flood", during, idle)
	}
	s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "restart")
	s.run("ovs-appctl", "upcall/disable-megaflows")
	served("after a restart during the flood")
	t.Logf("flood of %.0f packets a second; %d MB resident before, %d during, %d after", float64(stop())/time.Since(begin).Seconds(), idle, during, s.memory())
	if out := s.run("ovs-ofctl", "dump-flows", "br0"); strings.Count(out, "actions=output") != 2 {
		t.Errorf("flows after the restart:\n%s", out)
	}
}

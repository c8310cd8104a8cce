package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/test/programs"
)

// A switch ends in order while it has meters, and while tools ask it for all that its
// data path counts. That a process crashed on the way stands in its log, which
// [sw.stop] looks for.
func TestEndUnderUse(t *testing.T) {
	eachDatapath(t, func(s *sw, t *testing.T) {
		s.vsctl("add-br br0")
		s.run("ovs-ofctl", "-O", "OpenFlow13", "add-meter", "br0", "meter=1,pktps,band=type=drop,rate=10")
		s.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br0", "in_port=1,actions=meter:1,output:2")
		var wg sync.WaitGroup
		ended := make(chan struct{})
		for _, ask := range []string{
			"ovs-appctl dpctl/show -s", "ovs-appctl dpctl/dump-flows -m", "ovs-appctl memory/show", "ovs-appctl drops/show",
			"ovs-ofctl -O OpenFlow13 meter-stats br0", "ovs-ofctl dump-ports br0",
		} {
			wg.Go(func() {
				for words := strings.Fields(ask); ; {
					select {
					case <-ended:
						return
					default:
						_, _ = s.try(words[0], words[1:]...) // fails, once the switch has gone
					}
				}
			})
		}
		s.run("ovs-appctl", "exit")
		if !programs.Wait(func() bool { _, err := os.Stat(filepath.Join(s.dir, "ovs-vswitchd.pid")); return err != nil }) {
			t.Error("the switch does not end")
		}
		close(ended)
		wg.Wait()
		s.run("ovs-ctl", "--no-ovsdb-server", "--no-mlockall", "start")
		// The last bridge takes its data path with it, from under those who ask.
		s.run("ovs-vsctl", "del-br", "br0")
		ended = make(chan struct{})
		wg.Go(func() {
			for range 20 {
				_, _ = s.try("ovs-appctl", "dpctl/show", "-s")
				_, _ = s.try("ovs-appctl", "dpctl/dump-flows")
			}
		})
		for i := range 10 {
			s.vsctl("add-br %s", fmt.Sprint("br", i))
			s.vsctl("del-br %s", fmt.Sprint("br", i))
		}
		wg.Wait()
	})
}

package dpctl

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/unixctl"
)

// registerPMD adds the commands on the threads of the user-space data path.
func (c *Commands) registerPMD(srv *unixctl.Server) {
	for _, cmd := range []struct {
		name, usage string
		max         int
		run         func(*strings.Builder, *userspace.DP, int)
	}{
		{"pmd-stats-show", "[-pmd core] [dp]", 3, showStats},
		{"pmd-stats-clear", "[-pmd core] [dp]", 3, func(_ *strings.Builder, d *userspace.DP, _ int) { d.ClearWorkerStats() }},
		{"pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 5, showQueues},
	} {
		srv.Register("dpif-netdev/"+cmd.name, cmd.usage, 0, cmd.max, func(r *unixctl.Request) (string, error) {
			core, name := -1, ""
			for i := 0; i < len(r.Args); i++ {
				switch a := r.Args[i]; {
				case a == "-pmd" && i+1 < len(r.Args):
					i++
					core, _ = strconv.Atoi(r.Args[i])
				case a == "-secs" && i+1 < len(r.Args):
					i++
				default:
					name = a
				}
			}
			d, err := c.userspace(name)
			if err != nil {
				return "", err
			}
			var b strings.Builder
			cmd.run(&b, d, core)
			return b.String(), nil
		})
	}
}

// userspace finds a data path in this process; without a name it is the only one.
func (c *Commands) userspace(name string) (*userspace.DP, error) {
	var found []*userspace.DP
	for _, d := range c.List() {
		if w, ok := d.(interface{ Unwrap() datapath.Datapath }); ok {
			d = w.Unwrap()
		}
		if u, ok := d.(*userspace.DP); ok && (name == "" || u.Name() == name || fullName(u) == name) {
			found = append(found, u)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && name != "":
		return nil, fmt.Errorf("could not find dpif-netdev \"%s\"", name)
	case len(found) == 0:
		return nil, fmt.Errorf("no user-space data path exists")
	}
	return nil, fmt.Errorf("please specify an existing datapath")
}

func threadName(core int) string {
	if core < 0 {
		return "main thread:"
	}
	return fmt.Sprintf("pmd thread numa_id 0 core_id %d:", core)
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func showStats(b *strings.Builder, d *userspace.DP, core int) {
	for _, s := range d.WorkerStats() {
		if core >= 0 && s.Core != core {
			continue
		}
		fmt.Fprintf(b, "%s\n", threadName(s.Core))
		fmt.Fprintf(b, "  packets received: %d\n  packet recirculations: %d\n", s.Received, s.Recirculated)
		fmt.Fprintf(b, "  avg. datapath passes per packet: %.2f\n", ratio(s.Received+s.Recirculated, s.Received))
		fmt.Fprintf(b, "  phwol hits: 0\n  mfex opt hits: 0\n  simple match hits: 0\n")
		fmt.Fprintf(b, "  emc hits: %d\n  smc hits: 0\n  megaflow hits: %d\n", s.CacheHits, s.MegaflowHits)
		fmt.Fprintf(b, "  avg. subtable lookups per megaflow hit: %.2f\n", ratio(s.MaskHits, s.MegaflowHits))
		fmt.Fprintf(b, "  miss with success upcall: %d\n  miss with failed upcall: %d\n", s.Missed-s.Lost, s.Lost)
		fmt.Fprintf(b, "  avg. packets per output batch: %.2f\n", ratio(s.OutPackets, s.OutBatches))
	}
}

func showQueues(b *strings.Builder, d *userspace.DP, core int) {
	b.WriteString("Displaying last 60 seconds pmd usage %\n")
	for _, s := range d.WorkerStats() {
		if s.Core < 0 || core >= 0 && s.Core != core {
			continue
		}
		fmt.Fprintf(b, "%s\n  isolated : false\n", threadName(s.Core))
		for _, q := range s.Queues {
			fmt.Fprintf(b, "  port: %-16s  queue-id: %2d (enabled)   pmd usage: NOT AVAIL\n", q.Port, q.Queue)
		}
		b.WriteString("  overhead: NOT AVAIL\n")
	}
}

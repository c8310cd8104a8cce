package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev/linux"
)

// switchMain runs our data path between two devices with a flow for each
// direction, until it is interrupted. BENCH_PROFILE names a file for a CPU
// profile.
func switchMain(args []string) int {
	if err := runSwitch(args); err != nil {
		fmt.Fprintln(os.Stderr, "switch:", err)
		return 1
	}
	return 0
}

func runSwitch(devices []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if name := os.Getenv("BENCH_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	dp, err := userspace.New(userspace.Config{Type: "netdev", Name: "bench", Clock: clock.New(), Workers: runtime.NumCPU()})
	if err != nil {
		return err
	}
	defer func() { _ = dp.Close() }()
	dp.Start()
	providers := linux.NewHost().Providers()
	for i, name := range devices {
		dev, err := providers.Open(name, "system", nil)
		if err != nil {
			return err
		}
		defer func() { _ = dev.Close() }()
		if _, err := dp.PortAdd(dev, "system", datapath.PortNo(i+1)); err != nil {
			return err
		}
	}
	for _, f := range [][2]string{
		{"recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "2"},
		{"recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "1"},
		{"recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0806)", "2"},
		{"recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth_type(0x0806)", "1"},
	} {
		k, m, err := datapath.ParseKey(f[0], nil)
		if err != nil {
			return err
		}
		actions, err := datapath.ParseActions(f[1], nil)
		if err != nil {
			return err
		}
		if err := dp.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: actions}, datapath.PutCreate); err != nil {
			return err
		}
	}
	<-ctx.Done()
	s := dp.Stats()
	fmt.Fprintf(os.Stderr, "  weir: %d hits (%d in the cache), %d misses\n", s.Hit, s.CacheHit, s.Missed)
	return nil
}

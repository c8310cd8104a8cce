package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"weir/test/bench/compare"
)

// trace measures ofproto/trace of one packet after another over one connection
// to the control socket, as a tool that explains many packets would.
func trace(s side) (figure, error) {
	d, _, _, err := loaded(s, "--bundle")
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	conn, err := net.Dial("unix", filepath.Join(d.dir, fmt.Sprintf("ovs-vswitchd.%d.ctl", d.pid)))
	if err != nil {
		return figure{}, err
	}
	defer func() { _ = conn.Close() }()
	out, in := json.NewEncoder(conn), json.NewDecoder(conn)
	const traces = 10_000
	before, start := compare.CPU(d.pid), time.Now()
	for i := range traces {
		request := map[string]any{"id": i, "method": "ofproto/trace", "params": []string{"br0", "in_port=1," + tuple(i*flows/traces)}}
		if err := out.Encode(request); err != nil {
			return figure{}, err
		}
		var reply struct {
			Result string
			Error  any
		}
		if err := in.Decode(&reply); err != nil {
			return figure{}, err
		}
		if reply.Error != nil || !strings.Contains(reply.Result, "priority 100") {
			return figure{}, fmt.Errorf("a trace without the flow: %v %s", reply.Error, reply.Result)
		}
	}
	took := time.Since(start)
	return figure{Value: traces / took.Seconds(), CPU: compare.CPU(d.pid) - before, PeakMB: compare.Peak(d.pid)}, nil
}

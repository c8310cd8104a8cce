package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"time"

	weirjson "weir/internal/json"
	"weir/test/bench/compare"
)

// traces is how many packets are traced.
const traces = 10_000

// trace measures ofproto/trace of many packets over one connection to the control
// socket, as a tool that explains them would, which has some requests unanswered at
// most. The requests are made before the clock starts; as many go in one write as the
// replies of one read made room for.
func trace(s side, unanswered int) (figure, error) {
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
	requests, err := traceRequests()
	if err != nil {
		return figure{}, err
	}
	before, start := compare.CPU(d.pid), time.Now()
	if err := exchange(conn, requests, unanswered); err != nil {
		return figure{}, err
	}
	took := time.Since(start)
	return figure{Value: traces / took.Seconds(), CPU: compare.CPU(d.pid) - before, PeakMB: compare.Peak(d.pid)}, nil
}

func traceRequests() ([][]byte, error) {
	requests := make([][]byte, traces)
	for i := range requests {
		b, err := json.Marshal(map[string]any{"id": i, "method": "ofproto/trace", "params": []string{"br0", "in_port=1," + tuple(i*flows/traces)}})
		if err != nil {
			return nil, err
		}
		requests[i] = b
	}
	return requests, nil
}

// exchange sends requests and waits for their replies, of which it looks for nothing
// but that each found a flow.
func exchange(conn net.Conn, requests [][]byte, unanswered int) error {
	var split weirjson.Splitter
	in := make([]byte, 64<<10)
	for sent, answered := 0, 0; answered < len(requests); {
		next := min(answered+unanswered, len(requests))
		if _, err := conn.Write(bytes.Join(requests[sent:next], nil)); err != nil {
			return err
		}
		sent = next
		n, err := conn.Read(in)
		if err != nil {
			return err
		}
		_, _ = split.Write(in[:n])
		for reply, err := split.Next(); reply != nil || err != nil; reply, err = split.Next() {
			if err != nil {
				return err
			}
			if !bytes.Contains(reply, []byte("priority 100")) {
				return fmt.Errorf("a trace without the flow: %s", reply)
			}
			answered++
		}
	}
	return nil
}

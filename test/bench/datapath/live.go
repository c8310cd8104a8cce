package main

// runLive measures what ofproto/trace --live costs the packets that it is about,
// and others.
func runLive(st *stage) ([]float64, error) {
	send := packets("-flows", "1")
	alone, err := send(st)
	if err != nil {
		return nil, err
	}
	v := []float64{alone[0]}
	for _, filter := range []string{"icmp", "udp"} { // the packets are UDP
		trace := st.command(st.sw, st.sub.program("ovs-appctl"), "ofproto/trace", "--live", "br0", filter, "-n", "10000")
		if err := trace.Start(); err != nil {
			return nil, err
		}
		got, err := send(st)
		_ = trace.Process.Kill()
		_ = trace.Wait()
		if err != nil {
			return nil, err
		}
		v = append(v, got[0]/alone[0])
	}
	return v, nil
}

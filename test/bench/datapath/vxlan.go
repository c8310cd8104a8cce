package main

import (
	"os"

	"weir/internal/lab"
)

// nsFar is the namespace of a second switch, which has the receiver.
const nsFar = prefix + "far"

// The ends of the tunnel between the two switches.
const (
	outerNear, outerFar = "10.98.0.1", "10.98.0.2"
	vni                 = "42"
)

// runVXLAN puts a second switch of the same kind between the first one and the
// receiver, joined to it by a VXLAN tunnel: by the kernel's own device where
// they are bridges.
func runVXLAN(st *stage) ([]float64, error) {
	far := *st
	far.sw, far.dir = nsFar, st.path("far")
	if err := os.Mkdir(far.dir, 0o700); err != nil {
		return nil, err
	}
	if err := moveReceiver(); err != nil {
		return nil, err
	}
	if st.sub.stop != nil {
		defer st.sub.stop(&far)
	}
	if err := st.sub.start(&far); err != nil {
		return nil, err
	}
	for _, end := range []struct {
		st            *stage
		local, remote string
	}{{st, outerNear, outerFar}, {&far, outerFar, outerNear}} {
		if err := end.st.addTunnel(end.local, end.remote); err != nil {
			return nil, err
		}
	}
	rate, err := st.connection(aCPUEach)
	return []float64{rate}, err
}

// moveReceiver joins the receiver to the namespace of the second switch, and
// that to the first one's by a network with room for outer headers.
func moveReceiver() error {
	if err := lab.AddNamespace(nsFar); err != nil {
		return err
	}
	dst, far, sw := "-n "+nsDst+" ", "-n "+nsFar+" ", "-n "+nsSw+" "
	return lab.IP(
		dst+"link del e0",
		"link add e0 netns "+nsDst+" type veth peer name s1 netns "+nsFar,
		far+"link set s1 up",
		far+"link add s2 type veth peer name unused", // for the switch to start with
		far+"link set s2 up",
		dst+"link set e0 address "+macDst,
		dst+"addr add "+ipDst+"/24 dev e0",
		dst+"link set e0 up",
		dst+"neigh replace "+ipSrc+" lladdr "+macSrc+" dev e0",
		"link add u0 netns "+nsSw+" type veth peer name u0 netns "+nsFar,
		sw+"addr add "+outerNear+"/24 dev u0", sw+"link set u0 mtu 1600 up",
		far+"addr add "+outerFar+"/24 dev u0", far+"link set u0 mtu 1600 up")
}

// addTunnel puts a tunnel port in the place of port s2.
func (st *stage) addTunnel(local, remote string) error {
	if st.sub.program == nil {
		in := "-n " + st.sw + " link "
		return lab.IP(
			in+"add vx type vxlan id "+vni+" dstport 4789 local "+local+" remote "+remote,
			in+"set vx mtu 1500 master br0 up")
	}
	return st.tools("ovs-vsctl --if-exists del-port br0 s2 -- add-port br0 v0" +
		" -- set interface v0 type=vxlan ofport_request=2 options:key=" + vni + " options:remote_ip=" + remote)
}

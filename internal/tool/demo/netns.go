package demo

import "weir/internal/lab"

// prefix begins the name of every namespace of the demonstration, so that what
// an earlier run left can be told from anyone else's.
const prefix = "weir-demo-"

// switchSpace is where the switch itself lives.
const switchSpace = prefix + "switch"

// namespace is the namespace of a host.
func namespace(host string) string { return prefix + host }

// attach makes a host and joins it to the switch.
func (h host) attach() error {
	return lab.Host{Space: namespace(h.name), Port: h.port(), MAC: h.mac, Addr: h.ip + "/24"}.Attach(switchSpace)
}

// addBarePair makes two namespaces with nothing but a veth pair between them,
// and returns their names and the address of the second.
func addBarePair() (one, two, addr string, err error) {
	one, two, addr = namespace("bare1"), namespace("bare2"), "10.78.0.2"
	if err := lab.AddNamespace(one); err != nil {
		return "", "", "", err
	}
	err = lab.Host{Space: two, Port: "eth0", Addr: addr + "/24"}.Attach(one)
	if err != nil {
		return "", "", "", err
	}
	return one, two, addr, lab.IP("-n " + one + " addr add 10.78.0.1/24 dev eth0")
}

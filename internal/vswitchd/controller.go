package vswitchd

import (
	"net/netip"

	"weir/internal/stream"
)

// check notes what is wrong with a controller's row.
func (c *ControllerConf) check() []note {
	var out []note
	target, err := stream.Parse(c.Target, stream.OpenFlowPort, "")
	switch {
	case c.Target == "none" || c.Target == "":
	case err != nil:
		out = append(out, invalid("target: %v: nothing connects to it", err))
	case c.InBand && !target.Passive && target.Kind != "unix":
		if _, err := netip.ParseAddr(target.Host); err != nil {
			out = append(out, lack("connection_mode: in-band control of a host that is named is not supported yet: give its IP address in target"))
		}
	}
	if c.ConnectionGiven && !c.InBand || c.LocalIP == "" {
		return out // the rest is for in-band control
	}
	is4 := func(column, text, instead string) {
		if a, err := netip.ParseAddr(text); text != "" && (err != nil || !a.Is4()) {
			out = append(out, invalid("%s: %q is not an IPv4 address: %s", column, text, instead))
		}
	}
	is4("local_ip", c.LocalIP, "the local port gets none")
	is4("local_netmask", c.LocalNetmask, "that of the address's class is used")
	is4("local_gateway", c.LocalGateway, "no route is made")
	return out
}

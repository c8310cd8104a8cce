package vswitchd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/internal/netdev/tunnelport"
	"weir/internal/tunnel"
	"weir/internal/unixctl"
)

// carried is the one type of tunnel whose packets the kernel's data path carries.
const carried = "vxlan"

// socketed are the types of tunnel that sockets of the host carry where no bridge
// leads to the other end: for the eBPF data path, those of them that the kernel
// doesn't carry.
var socketed = []string{carried, "geneve"}

// imagined reports whether no packet leaves the machine through tunnels of the
// data path behind a type.
func (c *composer) imagined(typ string) bool { return c.host == nil || c.isDummy(typ) }

// offered are the types of interface that work on the data path behind a type,
// for column iface_types.
func (c *composer) offered(typ string) []string {
	return slices.DeleteFunc(c.devices(typ).Types(), func(name string) bool {
		k := tunnel.KindOf(name)
		return !c.imagined(typ) && k != nil && !k.Native()
	})
}

// tunnels are the types of tunnel port, for the data path behind a type.
func (c *composer) tunnels(typ string) netdev.Providers {
	if c.imagined(typ) {
		return tunnelport.Providers(func(t *tunnel.Config) (netdev.Device, error) { return tunnelport.NewSilent(t), nil }, nil)
	}
	open := openUnderlay
	if c.inKernel(typ) {
		open = func(t *tunnel.Config) (netdev.Device, error) { return c.openCollector(t, c.owners[typ]) }
	}
	return tunnelport.Providers(open, c.host.TunnelStatus)
}

// inKernel reports whether the data path behind a type is eBPF programs.
func (c *composer) inKernel(typ string) bool {
	return typ != "netdev" && c.host != nil && c.kernelChoice(typ).kind == "ebpf"
}

// openCollector opens what carries tunnels for the eBPF data path: a device of the
// kernel for VXLAN, for others what does in user space, which their packets go to.
func (c *composer) openCollector(t *tunnel.Config, owner linux.Owner) (netdev.Device, error) {
	const cure = "bridges of datapath_type=netdev have it"
	switch {
	case t.Kind.Type != carried:
		return openUnderlay(t)
	case len(t.Extensions) > 0:
		return nil, fmt.Errorf("extensions of VXLAN (options:exts=%s) are not supported by the eBPF data path: %s", strings.Join(t.Extensions, ","), cure)
	case t.PacketType != "legacy_l2":
		return nil, fmt.Errorf("options:packet_type=%s of VXLAN is not supported by the eBPF data path: %s", t.PacketType, cure)
	}
	return c.host.OpenCollector(t, owner)
}

// openUnderlay opens what carries tunnels of the data path in user space where no
// bridge leads to their ends: for plain VXLAN and Geneve sockets of the host, for
// others nothing.
func openUnderlay(t *tunnel.Config) (netdev.Device, error) {
	switch {
	case !t.Kind.Native():
		return nil, fmt.Errorf("tunnels of type %s are not supported yet", t.Kind.Type)
	case !slices.Contains(socketed, t.Kind.Type) || !t.Plain():
		return tunnelport.NewSilent(t), nil
	}
	return linux.OpenTunnelSocket(t)
}

// registerTunnels registers the commands about tunnels.
func (s *Switch) registerTunnels(srv *unixctl.Server) {
	srv.Register("ofproto/list-tunnels", "", 0, 0, s.listTunnels)
	srv.Register("tnl/ports/show", "-v", 0, 1, s.showTunnelPorts)
	srv.Register("ofproto/tnl-push-pop", "[on]|[off]", 0, 1, s.tunnelsOfActions)
}

func (s *Switch) listTunnels(r *unixctl.Request) (string, error) {
	var lines unixctl.Lines
	docs := []any{}
	for _, p := range s.providers() {
		for _, t := range p.TunnelPorts() {
			lines = append(lines, t.String())
			docs = append(docs, t)
		}
	}
	return r.Answer(unixctl.Both{Text: lines.String(), JSON: docs})
}

func (s *Switch) showTunnelPorts(r *unixctl.Request) (string, error) {
	lines := unixctl.Lines{"Listening ports:"}
	for _, p := range s.providers() {
		if len(r.Args) == 1 {
			lines = append(lines, p.Listeners()...)
		} else {
			lines = append(lines, p.Underlays()...)
		}
	}
	return r.Answer(lines)
}

// tunnelsOfActions shows whether tunnels are built of actions, tnl_push and tnl_pop,
// or turns that on or off on the data paths that can.
func (s *Switch) tunnelsOfActions(r *unixctl.Request) (string, error) {
	if len(r.Args) == 1 && r.Args[0] != "on" && r.Args[0] != "off" {
		return "", errors.New("invalid argument: on or off")
	}
	on, can := false, false
	for _, p := range s.providers() {
		f := p.Features()
		if !p.Datapath().Features().TNLPush {
			continue // devices of the data path do it
		}
		if can = true; len(r.Args) == 1 && f.TNLPush != (r.Args[0] == "on") {
			f.TNLPush = r.Args[0] == "on"
			p.SetFeatures(f)
		}
		on = on || f.TNLPush
	}
	switch {
	case len(r.Args) == 1 && r.Args[0] == "on" && !can:
		return "", errors.New("no bridge has a data path that builds tunnels of actions (tnl_push, tnl_pop): those of datapath_type=netdev do")
	case len(r.Args) == 1:
		return "", nil
	case on:
		return "on", nil
	}
	return "off", nil
}

// egress is the range of source ports of tunnels; nil: the usual one.
func (c *composer) egress() *tunnel.EgressPorts {
	if c.reach == nil {
		return nil
	}
	return c.reach.Egress
}

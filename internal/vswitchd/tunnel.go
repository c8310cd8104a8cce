package vswitchd

import (
	"errors"
	"fmt"
	"slices"

	"weir/internal/netdev"
	"weir/internal/netdev/linux"
	"weir/internal/netdev/tunnelport"
	"weir/internal/tunnel"
	"weir/internal/unixctl"
)

// carried is the one type of tunnel whose packets the kernel's data path and the
// one in user space carry; translation knows more.
const carried = "vxlan"

// imagined reports whether no packet leaves the machine through tunnels of the
// data path behind a type.
func (c *composer) imagined(typ string) bool { return c.host == nil || c.isDummy(typ) }

// offered are the types of interface that work on the data path behind a type,
// for column iface_types.
func (c *composer) offered(typ string) []string {
	return slices.DeleteFunc(c.devices(typ).Types(), func(name string) bool {
		return !c.imagined(typ) && tunnel.KindOf(name) != nil && name != carried
	})
}

// tunnels are the types of tunnel port, for the data path behind a type.
func (c *composer) tunnels(typ string) netdev.Providers {
	if c.imagined(typ) {
		return tunnelport.Providers(func(t *tunnel.Config) (netdev.Device, error) { return tunnelport.NewSilent(t), nil }, nil)
	}
	inKernel := typ != "netdev" && c.kernelChoice(typ).kind == "ebpf"
	open := func(t *tunnel.Config) (netdev.Device, error) {
		switch {
		case t.Kind.Type != carried:
			return nil, fmt.Errorf("tunnels of type %s are not supported yet: use type %s", t.Kind.Type, carried)
		case len(t.Extensions) > 0:
			return nil, fmt.Errorf("extensions of VXLAN (options:exts=%s) are not supported yet: leave them out", t.Options()["exts"])
		case t.PacketType != "legacy_l2":
			return nil, fmt.Errorf("options:packet_type=%s of VXLAN is not supported yet: it carries Ethernet frames only", t.PacketType)
		case inKernel:
			return c.host.OpenCollector(t)
		}
		return linux.OpenVXLANSocket(t)
	}
	return tunnelport.Providers(open, c.host.TunnelStatus)
}

// registerTunnels registers the commands about tunnels.
func (s *Switch) registerTunnels(srv *unixctl.Server) {
	srv.Register("ofproto/list-tunnels", "", 0, 0, func(r *unixctl.Request) (string, error) {
		var lines unixctl.Lines
		docs := []any{}
		for _, p := range s.providers() {
			for _, t := range p.TunnelPorts() {
				lines = append(lines, t.String())
				docs = append(docs, t)
			}
		}
		return r.Answer(unixctl.Both{Text: lines.String(), JSON: docs})
	})
	srv.Register("tnl/ports/show", "-v", 0, 1, func(r *unixctl.Request) (string, error) {
		lines := unixctl.Lines{"Listening ports:"}
		for _, p := range s.providers() {
			lines = append(lines, p.Underlays()...)
		}
		return r.Answer(lines)
	})
	srv.Register("ofproto/tnl-push-pop", "[on]|[off]", 0, 1, func(r *unixctl.Request) (string, error) {
		if len(r.Args) == 1 && r.Args[0] == "on" {
			return "", errors.New("tunnels can't be built of actions (tnl_push, tnl_pop) in this version: devices of the data path do it")
		}
		return "", nil
	})
}

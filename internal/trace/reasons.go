package trace

import (
	"fmt"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

// reason is what there is to say of a kind of drop. In the texts, {bridge}, {port},
// {table}, {vlan}, {group} and {error} stand for those of the drop.
type reason struct {
	name     string // that does not change
	what     string // what happened to the packet
	untagged string // the same of a packet without a VLAN, where it is another thing
	cure     string // what would let the packet pass; where "", moreCures may know
}

// reasons is what there is to say of each kind of drop.
var reasons = map[xlate.DropKind]reason{
	xlate.DropOther: {name: "other", what: "reasons beyond those that are kept apart"},
	xlate.DropNoMatch: {
		name: "no-match",
		what: "no flow of table {table} matches",
		cure: "add a flow to table {table} of {bridge} that matches it, or a table-miss flow: ovs-ofctl add-flow {bridge} \"table={table},priority=0,actions=...\"",
	},
	xlate.DropByFlow: {
		name: "flow",
		what: "the actions of the flow that it matches last send it nowhere",
	},
	xlate.DropFragment: {
		name: "fragment",
		what: "it is an IP fragment, and the bridge's handling of fragments is \"drop\"",
		cure: "ovs-ofctl set-frags {bridge} normal",
	},
	xlate.DropPortNoReceive: {
		name: "port-no-receive",
		what: "port {port} does not receive: no-receive is set, or its spanning tree state forbids it",
		cure: "ovs-ofctl mod-port {bridge} {port} receive",
	},
	xlate.DropPortNoForward: {
		name: "port-no-forward",
		what: "port {port} does not forward: no-forward is set, or its spanning tree state forbids it",
		cure: "ovs-ofctl mod-port {bridge} {port} forward",
	},
	xlate.DropPortMissing: {
		name: "port-missing",
		what: "output port {port} does not exist, or is a patch port without a peer",
		cure: "add the port to {bridge} (ovs-ofctl show {bridge} lists those there are), or give the patch port's peer in options:peer",
	},
	xlate.DropInputPort: {
		name: "input-port",
		what: "it would leave by port {port}, by which it came",
		cure: "use the action in_port to send packets back where they come from",
	},
	xlate.DropNoBundle: {
		name: "no-bundle",
		what: "NORMAL: port {port} is no port of the bridge",
		cure: "ovs-vsctl add-port {bridge} PORT",
	},
	xlate.DropVLAN: {
		name:     "vlan",
		what:     "NORMAL: port {port} does not carry VLAN {vlan}",
		untagged: "NORMAL: port {port} does not carry packets without a VLAN",
	},
	xlate.DropReserved: {
		name: "reserved-address",
		what: "NORMAL: its destination is an address that bridges do not forward (IEEE 802.1D)",
		cure: "ovs-vsctl set bridge {bridge} other-config:forward-bpdu=true",
	},
	xlate.DropMirrorPort: {
		name: "mirror-port",
		what: "port {port} is the output of a mirror, and receives nothing",
		cure: "send it to another port, or give the mirror another output_port",
	},
	xlate.DropProtected: {
		name: "protected",
		what: "NORMAL: both the input port and port {port} are protected",
		cure: "ovs-vsctl set port {port} protected=false",
	},
	xlate.DropPacketType: {
		name: "packet-type",
		what: "port {port} carries Ethernet frames only, and the packet has no Ethernet header",
		cure: "give it a header before the output: encap(ethernet)",
	},
	xlate.DropGroup: {
		name: "group",
		what: "group {group} does not exist, or has no live bucket",
		cure: "ovs-ofctl -O OpenFlow13 dump-groups {bridge} {group} shows the group; its buckets need a watch_port that is up",
	},
	xlate.DropNoTracker: {
		name: "no-conntrack",
		what: "it reaches ct(), and the data path has no connection tracker",
		cure: "this version has no connection tracker in user space: do without ct()",
	},
	xlate.DropTunnelECN: {
		name: "tunnel-ecn",
		what: "congestion was marked on the way through tunnel {port}, and the packet's own header knows no ECN (RFC 6040)",
		cure: "nothing: its sender would not understand that it must slow down; look for congestion between the tunnel's ends",
	},
	xlate.DropTunnelEnd: {
		name: "tunnel-endpoint",
		what: "tunnel {port} has remote_ip=flow, and no action set tun_dst or tun_ipv6_dst",
		cure: "set_field:ADDRESS->tun_dst before the output, or ovs-vsctl set interface {port} options:remote_ip=ADDRESS",
	},
	xlate.DropTunnelRoute: {
		name: "tunnel-route",
		what: "no route to the other end of tunnel {port} leads out of a bridge's local port",
		cure: "ip route add PREFIX dev BRIDGE, or ovs-appctl ovs/route/add PREFIX BRIDGE; the bridge needs an address (ovs-appctl ovs/route/show lists what is known)",
	},
	xlate.DropTunnelNeighbour: {
		name: "tunnel-neighbour",
		what: "the Ethernet address of the next hop of tunnel {port} is not known; it was asked for",
		cure: "ovs-appctl tnl/neigh/show lists the neighbours; tnl/neigh/set BRIDGE ADDRESS MAC adds one that doesn't answer",
	},
	xlate.DropTunnelHeader: {
		name: "tunnel-header",
		what: "tunnel {port} can't carry the packet",
		cure: "ovs-vsctl set interface {port} options:packet_type=ptap, or options:exts=gpe, where the packet has no Ethernet header",
	},
	xlate.DropTTL: {
		name: "ttl",
		what: "its TTL (or hop limit) ran out",
		cure: "send it with a higher TTL, or look for a loop; the flow's dec_ttl is where it ends",
	},
	xlate.DropNoEgress: {
		name:     "no-egress",
		what:     "NORMAL: no other port carries VLAN {vlan} and takes part in flooding",
		untagged: "NORMAL: no other port floods packets without a VLAN",
		cure:     "add a port that carries VLAN {vlan} (ovs-vsctl add port PORT trunks {vlan}, or tag={vlan} of an access port); ovs-ofctl mod-port {bridge} PORT flood where no-flood is set",
	},
	xlate.DropError: {
		name: "translation-error",
		what: "translation gave up: {error}",
		cure: "ofproto/trace shows where translation gave up",
	},
}

// fill puts a drop's values into a text.
func fill(text string, r *xlate.DropReason) string {
	return strings.NewReplacer("{bridge}", r.Bridge, "{port}", r.Port, "{table}", fmt.Sprint(r.Table),
		"{vlan}", fmt.Sprint(r.VLAN), "{group}", fmt.Sprint(r.Group), "{error}", r.Err.String()).Replace(text)
}

// what says what happened to the packet.
func what(r *xlate.DropReason) string {
	about, ok := reasons[r.Kind]
	switch {
	case !ok:
		about = reasons[xlate.DropOther]
	case r.VLAN == 0 && about.untagged != "":
		about.what = about.untagged
	}
	return fill(about.what, r)
}

// remedies say what would let the packet pass; b is the bridge, nil if it has gone.
func remedies(r *xlate.DropReason, key *flow.Key, b *xlate.Bridge) []string {
	if r.Kind == xlate.DropError && (r.Err == xlate.ErrDepth || r.Err == xlate.ErrResubmits) {
		return []string{"look for flows that resubmit to a table that leads back to them: ofproto/trace shows the way"}
	}
	var out []string
	if cure := reasons[r.Kind].cure; cure != "" {
		out = append(out, fill(cure, r))
	}
	return append(out, moreCures(r, key, b)...)
}

// moreCures are those that depend on what the bridge has.
func moreCures(r *xlate.DropReason, key *flow.Key, b *xlate.Bridge) []string {
	switch {
	case r.Kind == xlate.DropByFlow && r.Rule != nil:
		return []string{fmt.Sprintf("change or delete the flow: ovs-ofctl --strict del-flows %s \"table=%d,%s\"", r.Bridge, r.Rule.Table, matchText(r.Rule))}
	case b == nil:
		return nil
	case r.Kind == xlate.DropNoMatch:
		return nearMisses(b.Pipeline, r.Table, key)
	case r.Kind == xlate.DropVLAN:
		return vlanRemedies(r, b)
	case r.Kind == xlate.DropProtected && b.Ports[openflow.PortNo(key.InPort)] != nil:
		return []string{fmt.Sprintf("ovs-vsctl set port %s protected=false", b.Ports[openflow.PortNo(key.InPort)].Name)}
	}
	return nil
}

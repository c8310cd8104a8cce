package trace

import (
	"fmt"

	"weir/internal/netdev"
	"weir/internal/xlate"
)

// PortDocument is what was to be sent to a port and was not.
type PortDocument struct {
	// Kind is a short name that does not change: "too-long", "down" ...
	Kind    string `json:"reason"`
	Bridge  string `json:"bridge"`
	Port    string `json:"port"`
	Packets uint64 `json:"packets"`
	Text    string `json:"text"`
}

// sendKinds are the names of netdev's reasons; the last is of what something behind
// the device dropped.
var sendKinds = [netdev.NumSendDrops + 1]string{
	netdev.SendTooLong: "too-long", netdev.SendDown: "down", netdev.SendBusy: "queue-full", netdev.SendRefused: "refused",
	netdev.NumSendDrops: "device",
}

// UnsentPackets describes packets that were not sent to a port, whose MTU now is mtu
// bytes; netdev.NumSendDrops stands for what something behind its device dropped.
func UnsentPackets(p *xlate.Port, why netdev.SendDrop, mtu int, packets uint64) PortDocument {
	return PortDocument{Kind: sendKinds[why], Bridge: p.Bridge.Name, Port: p.Name, Packets: packets, Text: sendTrouble(p, why, mtu)}
}

// sendTrouble says why packets were not sent, and the cure.
func sendTrouble(p *xlate.Port, why netdev.SendDrop, mtu int) string {
	switch why {
	case netdev.SendTooLong:
		return fmt.Sprintf("packets were longer than the MTU of port %s, which is %d bytes now: ovs-vsctl set Interface %s mtu_request=BYTES", p.Name, mtu, p.Name)
	case netdev.SendDown:
		return whyDown(p)
	case netdev.SendBusy:
		return fmt.Sprintf("the queue of port %s was full", p.Name)
	case netdev.SendRefused:
		return fmt.Sprintf("the device of port %s refused the packets", p.Name)
	}
	if !p.Up() {
		return whyDown(p)
	}
	return fmt.Sprintf("port %s is up, but its device dropped them: its queue was full, or its other end dropped them, which was down or has too small an MTU", p.Name)
}

// whyDown says why nothing can be sent to a port, and the cure.
func whyDown(p *xlate.Port) string {
	switch {
	case p.Config&xlate.PortDown != 0:
		return fmt.Sprintf("port %s is down: ovs-ofctl mod-port %s %s up, or ip link set %s up", p.Name, p.Bridge.Name, p.Name, p.Name)
	case p.Config&xlate.PortLinkDown != 0:
		return fmt.Sprintf("the link of port %s is down: its other end is missing or down", p.Name)
	}
	return fmt.Sprintf("port %s, or its link, was down, and is up now", p.Name)
}

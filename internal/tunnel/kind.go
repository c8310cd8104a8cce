// Package tunnel knows tunnels: what the options of a tunnel port ask for
// (ovs-vswitchd.conf.db(5), Interface, Tunnel Options), which port a packet
// with given outer headers belongs to, and the VXLAN header (RFC 7348). It does
// no I/O.
package tunnel

// Kind is what tunnels of one type have in common.
type Kind struct {
	Type string // as in Interface.type
	// Device is the name of the data path's device for it, to which a UDP or TCP
	// destination port is appended where Port is not 0.
	Device     string
	Port       uint16 // the destination port by default; 0: the protocol has none
	L3         bool   // carries packets without Ethernet header unless told otherwise
	extensions []string
}

// Kinds are the types of tunnel that options and translation know. Which of them
// a data path can carry is another matter.
var Kinds = []Kind{
	{Type: "vxlan", Device: "vxlan_sys", Port: 4789, extensions: []string{"gbp", "gpe"}},
	{Type: "geneve", Device: "genev_sys", Port: 6081},
	{Type: "gre", Device: "gre_sys"},
	{Type: "ip6gre", Device: "gre_sys"},
	{Type: "erspan", Device: "erspan_sys"},
	{Type: "ip6erspan", Device: "erspan_sys"},
	{Type: "lisp", Device: "lisp_sys", Port: 4341, L3: true},
	{Type: "stt", Device: "stt_sys", Port: 7471},
	{Type: "gtpu", Device: "gtpu_sys", Port: 2152, L3: true},
	{Type: "bareudp", Device: "udp_sys", Port: 6635, L3: true},
}

// KindOf finds a type, nil if it isn't one of tunnels.
func KindOf(typ string) *Kind {
	for i := range Kinds {
		if Kinds[i].Type == typ {
			return &Kinds[i]
		}
	}
	return nil
}

package packets

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/flow"
)

// beyond are the fields that no packet of this package has: what flow tables and
// tunnels set, and connections.
var beyond = regexp.MustCompile(`^(dp_hash|recirc_id|packet_type|conj_id|tun_.*|metadata|in_port.*|skb_priority|pkt_mark|ct_.*|x*reg\d+|actset_output)$`)

// TestEveryField fails where a field of packets is matched in no kind of packet,
// or can be set, and is in no rewrite.
func TestEveryField(t *testing.T) {
	matched, set := map[string]bool{"eth_src": true}, map[string]bool{} // every flow here matches eth_src
	note := func(to map[string]bool, name string) {
		if f := flow.FieldByName(name); f != nil {
			to[f.Name] = true
		}
	}
	for _, k := range kinds {
		for _, f := range k.fields {
			name, _, _ := strings.Cut(f, "=")
			note(matched, name)
		}
	}
	actions := ""
	for _, r := range rewrites {
		actions += " " + r.actions
	}
	for _, e := range encaps {
		actions += " " + e.actions
	}
	for _, m := range regexp.MustCompile(`->([a-z0-9_]+)`).FindAllStringSubmatch(actions, -1) {
		note(set, m[1])
	}
	for action, name := range map[string]string{"mod_dl_src:": "eth_src", "mod_nw_src:": "ip_src", "mod_nw_tos:": "nw_tos", "mod_nw_ecn:": "nw_ecn", "mod_nw_ttl:": "nw_ttl",
		"mod_tp_src:": "udp_src", "mod_tp_dst:": "udp_dst", "set_mpls_ttl:": "mpls_ttl",
		"mod_vlan_vid:": "dl_vlan", "mod_vlan_pcp:": "dl_vlan_pcp"} {
		if strings.Contains(actions, action) {
			note(set, name)
		}
	}
	fields := map[string]*flow.Field{}
	for id := range flow.NumFields {
		if f := id.Field(); !beyond.MatchString(f.Name) {
			fields[f.Name] = f
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !matched[name] {
			t.Errorf("no kind of packet is matched by %s", name)
		}
		if fields[name].Writable && !set[name] {
			t.Errorf("no action sets %s", name)
		}
	}
}

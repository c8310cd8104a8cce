package openflow

import (
	"strings"
	"testing"
)

// TestActionForms: how actions that older versions have otherwise come back
// from the wire, or that a decoder refuses them.
func TestActionForms(t *testing.T) {
	for _, test := range []struct {
		actions string
		v       Version
		want    string
	}{
		{"set_field:0x1/0x5->reg0", V13, "load:0x1->NXM_NX_REG0[0],load:0->NXM_NX_REG0[2]"},
		{"set_field:0x1/0x5->reg0", V15, "set_field:0x1/0x5->reg0"},
		{"set_field:1/3->tcp_src", V15, "set_field:1/0x3->tcp_src"},
		{"set_tunnel:5", V10, "set_tunnel:0x5"},
		{"set_field:5->dl_vlan", V10, "mod_vlan_vid:5"},
		{"load:5->dl_vlan", V11, "push_vlan:0x8100,set_vlan_vid:5"},
		{"set_field:5->dl_vlan_pcp", V13, "push_vlan:0x8100,set_field:5->vlan_pcp"},
		{"set_field:1->tun_erspan_ver", V10, "set_field:1->tun_erspan_ver"},
		{"set_field:2/6->tun_erspan_hwid", V15, "set_field:0x2/0x6->tun_erspan_hwid"},
		{"sample(probability=1,obs_domain_id=reg0,obs_point_id=7)", V13,
			"sample(probability=1,collector_set_id=0,obs_domain_id=NXM_NX_REG0[],obs_point_id=7)"},
		{"sample(probability=1,collector_set_id=9,obs_point_id=reg1[3..18],sampling_port=4,egress)", V10,
			"sample(probability=1,collector_set_id=9,obs_domain_id=0,obs_point_id=NXM_NX_REG1[3..18],sampling_port=4,egress)"},
		{"resubmit(,1)resubmit(,2),3", V10, "resubmit(,1),resubmit(,2),output:3"},
		{"enqueue:1q2", V10, "enqueue:1:2"},
		{"set_tunnel64:5", V13, "set_field:0x5->tun_id"},
		{"set_mpls_label:3", V11, "set_mpls_label(3)"},
		{"set_mpls_tc:1", V12, "set_field:1->mpls_tc"},
		{"set_field:5->vlan_vid", V13, "OFPBAC_BAD_SET_ARGUMENT"},
		{"set_field:0x1005->vlan_vid", V13, "set_field:4101->vlan_vid"},
		{"set_field:5->in_port_oxm", V12, "OFPBAC_BAD_SET_ARGUMENT"},
		{"set_field:5->in_port_oxm", V10, "load:0x5->OXM_OF_IN_PORT[]"},
		{"load:5->in_port_oxm", V14, "load:0x5->OXM_OF_IN_PORT[]"},
		// Actions set parts of fields that matches have whole only.
		{"load:1->nw_ttl[0..3]", V15, "set_field:1/0xf->nw_ttl"},
		{"load:79->in_port[6..14]", V15, "set_field:5056/0x7fc0->in_port"},
		{"write_actions(note:01)", V13, "OFPBAC_BAD_TYPE"},
		{"write_actions(output:1,clone(output:2))", V14, "OFPBAC_BAD_TYPE"},
		{"write_actions(resubmit(,2),dec_ttl)", V13, "write_actions(resubmit(,2),dec_ttl)"},
	} {
		as, _, err := ParseInstructions(test.actions, nil)
		if err != nil {
			t.Errorf("%s: %v", test.actions, err)
			continue
		}
		got := ""
		if back, err := DecodeActions(EncodeActions(as, test.v, test.v > V10), test.v, test.v > V10, 0, DecodeOptions{}); err != nil {
			got = CodeOf(err).String()
		} else {
			got = FormatActions(back, nil)
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s by %s: %s, want %s", test.actions, test.v, got, test.want)
		}
	}
}

func TestFlushOfOneFamily(t *testing.T) {
	var m CTFlush
	m.Orig.Src[0], m.Reply.Dst[15] = 0xfe, 1
	if !m.OneFamily() {
		t.Error("two IPv6 addresses differ")
	}
	m.Reply.Dst = [16]byte{10: 0xff, 0xff, 1, 1, 1, 1}
	if m.OneFamily() {
		t.Error("an IPv4 address beside an IPv6 one is allowed")
	}
}

// TestCTNeeds: what a flow must match for actions on connections.
func TestCTNeeds(t *testing.T) {
	for flow, ok := range map[string]bool{
		"ip,actions=ct(commit,alg=ftp)":                        false,
		"tcp,actions=ct(commit,alg=ftp)":                       true,
		"udp6,actions=ct(commit,alg=tftp)":                     true,
		"tcp,actions=ct(commit,alg=tftp)":                      false,
		"actions=ct":                                           false,
		"actions=write_actions(ct(commit))":                    false,
		"ip,actions=ct(commit,nat(src=::1))":                   false,
		"ipv6,actions=ct(commit,nat(src=::1))":                 true,
		"ip,actions=resubmit(,1,ct)":                           false,
		"packet_type=(1,0x800),actions=ct(commit)":             true,
		"packet_type=(1,0x806),actions=ct(commit)":             false,
		"ct_state=+trk,ip,actions=resubmit(,1,ct)":             false,
		"ct_state=+trk-inv,ip,actions=resubmit(,1,ct)":         true,
		"ct_state=+new,actions=resubmit(,1,ct)":                true,
		"ip,actions=write_actions(move:tcp_src[]->tcp_dst[])":  false,
		"tcp,actions=write_actions(move:tcp_src[]->tcp_dst[])": true,
	} {
		_, _, err := ParseFlowMod(flow, int(FlowAdd), ParseOptions{})
		if (err == nil) != ok {
			t.Errorf("%s: %v", flow, err)
		}
	}
}

// TestFlowSettings: a setting that a command has no use for is an error, for
// without it the command would reach more flows.
func TestFlowSettings(t *testing.T) {
	for _, test := range []struct {
		command FlowModCommand
		flow    string
		want    string
	}{
		{FlowDelete, "priority=3", "unknown keyword priority"},
		{FlowDelete, "idle_timeout=3", "unknown keyword idle_timeout"},
		{FlowDelete, "send_flow_rem", "field send_flow_rem missing value"},
		{FlowDelete, "cookie=1", "cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=1/-1)"},
		{FlowDeleteStrict, "priority=3,out_port=1,cookie=1/-1", ""},
		{FlowDeleteStrict, "hard_timeout=3", "unknown keyword hard_timeout"},
		{FlowModify, "importance=3,actions=1", "unknown keyword importance"},
		{FlowModify, "out_group=3,actions=1", "unknown keyword out_group"},
		{FlowAdd, "out_port=3,actions=1", "unknown keyword out_port"},
		{FlowAdd, "foo,actions=1", "field foo missing value"},
		{FlowAdd, "importance=3,priority=3,idle_timeout=3,send_flow_rem,actions=1", ""},
	} {
		_, _, err := ParseFlowMod(test.flow, int(test.command), ParseOptions{})
		if err == nil && test.want != "" || err != nil && err.Error() != test.want {
			t.Errorf("%v %s: %v, want %s", test.command, test.flow, err, test.want)
		}
	}
	for text, usable := range map[string]Protocol{"vlan_tci=0/0x1fff": PAnyNXM | PAnyOXM, "vlan_tci=0": PAny, "dl_vlan=5": PAny} {
		if _, got, err := ParseFlowMod(text, int(FlowDelete), ParseOptions{}); err != nil || got != usable {
			t.Errorf("%s: usable by %v, want %v: %v", text, got, usable, err)
		}
	}
}

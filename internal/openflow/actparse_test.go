package openflow

import (
	"strings"
	"testing"
)

// What is wrong with actions and groups is said in the words that scripts match.
func TestActionErrors(t *testing.T) {
	for _, test := range []struct{ actions, want string }{
		{"output:1,conjunction(3,1/2)", `"conjunction" actions may be used along with "note" but not any other kind of action (such as the "output" action used here)`},
		{"conjunction(3,1/2),goto_table:1", `"conjunction" actions may be used along with "note" but not any other kind of action (such as the "goto_table" action used here)`},
		{"decap(packet_type(ns=1))", "Missing packet_type attribute type"},
		{"decap(packet_type())", "Missing packet_type attribute ns"},
		{"decap(packet_type(ns=99))", "Unsupported ns value: 99"},
		{"decap(packet_type(ns=1,type=0x80000))", `invalid type "0x80000"`},
		{"encap(nsh(tlv(0x1000,10,0x)))", "Invalid NSH TLV header: 0x1000,10,0x"},
		{"encap(ethernet(x=1))", "Invalid property: x"},
		{"learn(table=1, in_port_oxm=123456)", "table=1, in_port_oxm=123456: in_port_oxm value 123456 cannot be parsed as a subfield (123456: unknown field `123456') or an immediate value (123456: port value out of range for in_port_oxm)"},
		{"ct(commit,nat(src=1.2.3.4x))", `garbage (x) after nat range "1.2.3.4x" (pos: 7)`},
		{"ct(commit,nat(src=1.2.3.4-1.2.3.3))", `invalid nat range "1.2.3.4-1.2.3.3"`},
		{"ct(commit,nat(src=1.2.3.4:80x))", `garbage (x) after nat range "1.2.3.4:80x" (pos: 10)`},
		{"ct(commit,nat(src=1.1.1.1,dst=2.2.2.2))", `May only specify one of "src" or "dst".`},
		{"ct(commit,nat(hash,random))", `Flags allowed only with "src" or "dst".`},
		{"ct(commit,nat(src,hash,random))", `Both "hash" and "random" are not allowed.`},
		{"load:1->NXM_NX_CT_MARK[]", "cannot set CT fields outside of ct action"},
		{"clone(set_field:1->ct_label)", "cannot set CT fields outside of ct action"},
		{"write_actions(move:NXM_NX_REG0[]->NXM_NX_CT_MARK[])", "cannot set CT fields outside of ct action"},
		{"clone(goto_table:1)", "goto_table instruction not allowed here"},
		{"output:1,nat", `Cannot have NAT action outside of "ct" action`},
		{"unroll_xlate", "UNROLL is an internal action that shouldn't be used via OpenFlow"},
		{"learn(load:123->nsh_ttl[])", "123->nsh_ttl[]: experimenter OXM field 'nsh_ttl[]' not supported"},
		{"output:0x1", "0x1: output to unknown port"},
		{"mod_nw_src:foo", "foo: could not convert to IP address"},
		{"mod_nw_src:1.2.3.0/24", "1.2.3.0/24: could not convert to IP address"},
		{"move:reg0-reg1", "reg0-reg1: missing `->' following source"},
		{"move:dl_vlan->reg0[0..11]", "dl_vlan->reg0[0..11]: field dl_vlan can't be named in actions (it has no OXM or NXM header)"},
		{"push:dl_vlan_pcp", "dl_vlan_pcp: field dl_vlan_pcp can't be named in actions (it has no OXM or NXM header)"},
		{"load:1->reg0.x", "reg0.x: unknown field `reg0.x'"},
		{"load:1->reg0[0]x", "unexpected input following field syntax"},
		{"load:1->reg0[0..", "reg0[0..: syntax error expecting [] or [<bit>] or [<start>..<end>]"},
		{"check_pkt_larger(100)->", "100)->: missing field name following `->'"},
		{"bundle(eth_src,0,hrw,ofport,1,2)", "eth_src,0,hrw,ofport,1,2: missing member delimiter, expected `members', got `1,2'"},
		{"bundle(eth_src,0,hrw,ofport,robot:1,2)", "eth_src,0,hrw,ofport,robot:1,2: missing member delimiter, expected `members', got `robot'"},
		{"sample(probability=1,obs_domain_id=nsh_c1)", "nsh_c1: experimenter OXM field 'nsh_c1' not supported"},
		{"multipath(eth_src,50,modulo_n,1,0,nsh_spi[0..15])", "eth_src,50,modulo_n,1,0,nsh_spi[0..15]: experimenter OXM field 'nsh_spi[0..15]' not supported"},
	} {
		_, _, err := ParseInstructions(test.actions, nil)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.actions, err, test.want)
		}
	}
	for _, s := range []string{"clear_actions", "clone(goto_table:1)", "write_actions(output:1)", "write_metadata:1"} {
		if _, _, err := ParseActions(s, nil); err == nil || !strings.HasSuffix(err.Error(), " instruction not allowed here") {
			t.Errorf("%s in a bucket: %v", s, err)
		}
	}
	if _, _, err := ParseActions(strings.Repeat("1,", 4096), nil); err == nil || err.Error() != "input too big" {
		t.Errorf("4096 outputs: %v", err)
	}
	if _, usable, err := ParseActions("output:1,meter:3", nil); err != nil || usable != P15 {
		t.Errorf("meter as an action: %v, %v", usable, err)
	}
	if _, _, err := ParseActions("conjunction(1,1/2),conjunction(2,1/2),note:11", nil); err != nil {
		t.Error(err)
	}
}

// A flow that is in a conjunction does nothing else, also where its bytes came
// from elsewhere.
func TestConjunctionCheck(t *testing.T) {
	as := []Action{&Conjunction{ID: 1, N: 2}, &Output{Port: 1}}
	_, err := CheckActions(as, &Match{}, ActionCheck{Usable: PAny})
	if CodeOf(err) != ErrNXBACBadConjunction {
		t.Errorf("%v", err)
	}
}

func TestGroupErrors(t *testing.T) {
	for _, test := range []struct {
		command GroupModCommand
		group   string
		want    string
	}{
		{GroupInsertBucket, "group_id=1,command_bucket_id=1,type=indirect,bucket=output:1,bucket=output:2", "type is not needed"},
		{GroupRemoveBucket, "group_id=1,command_bucket_id=1,bucket=output:1", "bucket is not needed"},
		{GroupInsertBucket, "group_id=1", "must specify a command bucket id"},
		{GroupAdd, "group_id=1,type=select,fields(eth_dst),bucket=output:1", `fields may only be specified with "selection_method=hash"`},
		{GroupAdd, "group_id=1,type=select,selection_method_param=1,bucket=output:1", `selection_method_param is only allowed with "selection_method"`},
		{GroupAdd, "group_id=1,type=select,bukket=output:1", "unknown keyword bukket"},
		{GroupInsertBucket, "group_id=1,command_bucket_id=first,selection_method=hash,bucket=output:1", "selection method is not needed"},
		{GroupAdd, "group_id=1,type=ff,bucket=watch_port:LOCAL,output:1", "LOCAL: invalid watch_port"},
		{GroupAdd, "group_id=1,type=ff,bucket=output:1", "fast failover bucket requires watch_port or watch_group"},
		{GroupAdd, "group_id=1,type=all,bucket=weight:1,output:1", "Only select groups can have bucket weights."},
		{GroupAdd, "group_id=1,type=all,command_bucket_id=1,bucket=output:1", "command bucket id is not needed"},
		{GroupDelete, "group_id=1,command_bucket_id=1", "command bucket id is not needed"},
		{GroupInsertBucket, "group_id=1,command_bucket_id=all,bucket=output:1", "command_bucket_id=all is not permitted"},
		{GroupInsertBucket, "group_id=1,command_bucket_id=foo,bucket=output:1", "invalid numeric format foo"},
	} {
		_, _, err := ParseGroupMod(test.group, int(test.command), ParseOptions{})
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.group, err, test.want)
		}
	}
	g, _, err := ParseGroupMod("group_id=1", int(GroupRemoveBucket), ParseOptions{})
	if err != nil || g.CommandBucketID != BucketAll {
		t.Errorf("removing all buckets: %+v, %v", g, err)
	}
}

// Bands are whole and what the meter's flags say of them.
func TestMeterErrors(t *testing.T) {
	for _, test := range []struct{ meter, want string }{
		{"meter=1,bands=type=drop,rate=1", "meter must specify either 'kbps' or 'pktps'"},
		{"meter=1,kbps,bands=rate=1", "band must start with the 'type' keyword"},
		{"meter=1,kbps,bands=type=drop,rate=0", "band must have 'rate'"},
		{"meter=1,kbps,bands=type=drop,type=drop,rate=1", "band must have 'rate'"},
		{"meter=1,kbps,burst,bands=type=drop,rate=1", "band must have 'burst_size' when 'burst' flag is set"},
		{"meter=1,kbps,bands=type=drop,rate=1,burst_size=1", "band may have 'burst_size' only when 'burst' flag is set"},
		{"meter=1,kbps,bands=type=dscp_remark,rate=1", "'dscp_remark' band must have 'prec_level'"},
		{"meter=1,kbps,bands=type=drop,rate=1,prec_level=1", "Only 'dscp_remark' band may have 'prec_level'"},
		{"meter=1,kbps,bands=type=dscp_remark,rate=1,prec_level=300", `invalid prec_level "300"`},
	} {
		if _, err := ParseMeterMod(test.meter, MeterAdd); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.meter, err, test.want)
		}
	}
}

// What a message has no room for is named.
func TestGroupLeftOut(t *testing.T) {
	for text, want := range map[string]string{
		"group_id=1,type=select,selection_method=hash,bucket=output:1": "selection_method",
		"group_id=1,type=all,bucket=bucket_id:7,output:1":              "bucket_id",
		"group_id=1,type=all,bucket=output:1,bucket=output:2":          "",
	} {
		g, usable, err := ParseGroupMod(text, int(GroupAdd), ParseOptions{})
		if err != nil || usable != PAny {
			t.Fatalf("%s: %v, %v", text, usable, err)
		}
		if got := g.LeftOut(V13); got != want {
			t.Errorf("%s by OpenFlow 1.3: %q, want %q", text, got, want)
		}
		if g.LeftOut(V10) != "" || g.LeftOut(V15) != "" {
			t.Errorf("%s: versions that hold it leave it out", text)
		}
	}
}

// The weights of buckets reach a group whose type the sender doesn't know.
func TestInsertedWeights(t *testing.T) {
	g, _, err := ParseGroupMod("group_id=1,command_bucket_id=last,bucket=weight:100,output:1,bucket=output:2,bucket=weight:0,output:3",
		int(GroupInsertBucket), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(P15, 1, g)
	if err != nil {
		t.Fatal(err)
	}
	_, msg, err := Decode(b, DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint16{100, 1, 0} {
		if got := msg.(*GroupMod).Buckets[i].Weight; got != want {
			t.Errorf("bucket %d weighs %d, not %d", i, got, want)
		}
	}
}

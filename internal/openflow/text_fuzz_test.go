package openflow

import "testing"

// What the grammar of flows accepts prints as text that it accepts again, and
// that prints the same; what it refuses it refuses with words.
func FuzzParseFlowMod(f *testing.F) {
	for _, seed := range []string{
		"priority=10,in_port=1,ip,nw_dst=10.0.0.0/8,actions=output:2",
		"table=3,cookie=0x5/-1,tcp,tp_dst=80,idle_timeout=60,actions=mod_nw_tos:32,resubmit(,4)",
		"reg1=0x12/0xff,metadata=0x7,actions=load:0x1->NXM_NX_REG0[],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],goto_table:5",
		"arp,actions=learn(table=1,NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]),controller(reason=no_match,id=3)",
		"ct_state=+trk-new,actions=ct(commit,zone=5,nat(src=1.1.1.1-1.1.1.9:5-10),exec(set_field:1->ct_mark)),write_actions(group:7)",
		"dl_vlan=5,actions=clone(push_vlan:0x8100,set_field:4103->vlan_vid,NORMAL),conjunction(3,1/2),note:00.11",
		"actions=enqueue(1,2),bundle(eth_src,50,hrw,ofport,members:1,2),multipath(eth_src,50,hrw,12,0,NXM_NX_REG0[0..3]),dec_ttl(1,2)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fm, _, err := ParseFlowMod(s, int(FlowAdd), ParseOptions{})
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q is refused without a word", s)
			}
			return
		}
		text := FormatActions(fm.Actions, nil)
		again, _, err := ParseFlowMod(fm.Match.String()+",actions="+text, int(FlowAdd), ParseOptions{})
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", s, fm.Match.String()+",actions="+text, err)
		}
		if got := FormatActions(again.Actions, nil); got != text {
			t.Fatalf("%q prints as %q, then as %q", s, text, got)
		}
	})
}

// What the grammar of groups accepts can be sent, and prints as text that reads
// back as the same group.
func FuzzParseGroupMod(f *testing.F) {
	for _, seed := range []string{
		"group_id=1,type=all,bucket=output:1,bucket=bucket_id:5,actions=output:2,resubmit(,3)",
		"group_id=1234,type=select,selection_method=hash,fields(eth_dst,ip_src=255.255.0.0),bucket=weight:7,actions=output:1",
		"group_id=2,type=ff,bucket=watch_port:1,watch_group:5,actions=set_field:1->reg0,output:1",
		"group_id=3,type=indirect,bucket=actions=group:4",
		"group_id=3,command_bucket_id=last,bucket=bucket_id=1,actions=drop",
	} {
		f.Add(seed, 0)
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, s string, command int) {
		g, usable, err := ParseGroupMod(s, command&7, ParseOptions{})
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q is refused without a word", s)
			}
			return
		}
		if usable&P15 == 0 {
			return
		}
		b, err := Encode(P15, 1, g)
		if err != nil {
			return
		}
		if _, _, err := Decode(b, DecodeOptions{}); err != nil && CodeOf(err) == 0 {
			t.Fatalf("%q makes a message that fails without a code: %v", s, err)
		}
		_ = FormatMessage(b, PrintOptions{Verbosity: 2})
	})
}

// What the grammar of meters accepts reads back the same off the wire.
func FuzzParseMeterMod(f *testing.F) {
	for _, seed := range []string{
		"meter=1 kbps burst stats bands=type=drop rate=1000 burst_size=5",
		"meter=controller,pktps,stats,bands=type=dscp_remark,rate=1,prec_level=2",
		"meter=all", "meter=slowpath pktps bands=type=drop rate=1",
	} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(2))
	}
	f.Fuzz(func(t *testing.T, s string, command uint8) {
		m, err := ParseMeterMod(s, MeterModCommand(command%3))
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q is refused without a word", s)
			}
			return
		}
		b, err := Encode(P13, 1, m)
		if err != nil {
			t.Fatalf("%q can't be sent: %v", s, err)
		}
		_ = FormatMessage(b, PrintOptions{Verbosity: 2})
	})
}

// The smaller grammars: none panics, and none refuses without a word.
func FuzzParseSmall(f *testing.F) {
	for _, seed := range []string{
		"{class=0xffff,type=0,len=4}->tun_metadata0,{class=1,type=2,len=8}->tun_metadata63",
		"in_port=1 packet=0001020304050010203040501234 actions=output:2",
		"!initial,!own,out_port=3,table=5,tcp,nw_src=10.0.0.1",
		"ct_nw_src=10.1.1.1,ct_nw_dst=10.1.1.2,ct_nw_proto=1,icmp_type=8,icmp_code=0,icmp_id=10",
		"NXM_OF_ETH_TYPE(0800), NXM_NX_TUN_METADATA0_W(12/ff), 0001e004(00000005)",
		"reg0[3..7]", "OXM,NXM", "meter=5", "table=3,cookie=5/7,out_group=2",
		"push_vlan:0x8100,learn(table=1,load:1->reg0[0..3]),goto_table:3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(what string, err error) {
			if err != nil && err.Error() == "" {
				t.Fatalf("%s refuses %q without a word", what, s)
			}
		}
		m, err := ParseTLVMaps(s, TLVAdd)
		check("tlv maps", err)
		if err == nil {
			_, _ = Encode(P13, 1, m)
		}
		_, _, err = ParsePacketOut(s, ParseOptions{})
		check("packet-out", err)
		_, _, err = ParseFlowMonitor(s, 1, ParseOptions{})
		check("flow monitor", err)
		_, _, err = ParseFlowRequest(s, false, ParseOptions{})
		check("flow request", err)
		var proto uint8
		_, err = ParseCTTuple(s, &proto)
		check("conntrack tuple", err)
		_, err = ParseSubfield(s)
		check("subfield", err)
		_, err = ParseMeterID(s, true)
		check("meter", err)
		_, _, err = ParseInstructions(s, nil)
		check("instructions", err)
		b, err := ParseNXM(s)
		check("NXM", err)
		if err == nil {
			_ = FormatNXM(b, V10)
		}
	})
}

// Whatever bytes stand for a match, it decodes or fails with a code, and what
// decodes can be encoded and decodes again as it was.
func FuzzMatches(f *testing.F) {
	f.Add([]byte{0, 0, 6, 2, 8, 0})
	f.Add([]byte{0x80, 0, 0x0a, 2, 8, 0, 0x80, 0, 0x14, 1, 6})
	f.Add([]byte{0, 1, 0x51, 4, 0x12, 0x34, 0xff, 0xff})
	f.Add(make([]byte, 40))
	f.Add(append([]byte{0, 0, 0, 88}, make([]byte, 84)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []Version{V10, V12, V15} {
			for _, strict := range []bool{true, false} {
				_, fields, err := RecodeNXM(b, v, strict, DecodeOptions{})
				if err != nil {
					if CodeOf(err) == 0 {
						t.Fatalf("%x fails without a code: %v", b, err)
					}
					continue
				}
				_, again, err := RecodeNXM(fields, v, strict, DecodeOptions{})
				if err != nil || string(again) != string(fields) {
					t.Fatalf("%x becomes %x, then %x (%v)", b, fields, again, err)
				}
			}
		}
		_, _, err := RecodeMatch11(b, DecodeOptions{})
		if err != nil && CodeOf(err) == 0 {
			t.Fatalf("%x fails without a code: %v", b, err)
		}
		if _, _, _, err = RecodeMatch10(b, DecodeOptions{}); err != nil && CodeOf(err) == 0 {
			t.Fatalf("%x fails without a code: %v", b, err)
		}
	})
}

// Whatever bytes stand for actions, they decode or fail with a code.
func FuzzDecodeActions(f *testing.F) {
	f.Add([]byte{0, 0, 0, 8, 0, 1, 0, 0}, uint8(V10), false)
	f.Add([]byte{0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 7, 0, 31, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5}, uint8(V13), false)
	f.Add([]byte{0, 1, 0, 8, 3, 0, 0, 0}, uint8(V13), true)
	f.Fuzz(func(t *testing.T, b []byte, v uint8, instructions bool) {
		ver := V10 + Version(v)%(V15-V10+1)
		as, err := DecodeActions(b, ver, instructions && ver >= V11, 0, DecodeOptions{})
		if err != nil {
			if CodeOf(err) == 0 {
				t.Fatalf("%x fails without a code: %v", b, err)
			}
			return
		}
		_ = FormatActions(as, nil)
	})
}

// No bytes make printing panic, however much it is to tell.
func FuzzFormatMessage(f *testing.F) {
	f.Add([]byte{1, 0, 0, 8, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = FormatMessage(b, PrintOptions{Verbosity: 3})
	})
}

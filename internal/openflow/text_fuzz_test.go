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

package trace

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/internal/xlate"
)

// FuzzRun traces flows that are given in text. A report that was used before says
// what a new one says, and its document holds the same steps.
func FuzzRun(f *testing.F) {
	for _, s := range []string{
		tracedPacket, "in_port=1,udp,nw_src=0.0.0.2 --names", "in_port=p1,tcp --ct-next trk,est", "in_port=2,tcp6,ipv6_src=fe80::1 -generate",
		"in_port=1,icmp,dl_vlan=5,dl_vlan_pcp=3,reg0=0x5,metadata=7,tun_id=5,tun_dst=1.1.1.1", "arp,arp_spa=1.1.1.1,dl_src=00:11:22:33:44:55",
		"in_port=1,icmp6,icmp_type=135,nd_target=fe80::5", "packet_type=(1,0x800),nw_proto=6", "in_port(1),eth_type(0x0800),ipv4(proto=6)",
	} {
		f.Add(s)
	}
	env := newEnv(f, tracedFlow, "tcp,actions=ct(commit,table=1,zone=5,nat(dst=1.1.1.1:80)),resubmit(,2),2", "table=1,ct_state=+est,tcp,actions=3",
		"udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],output:NXM_NX_REG0[]", "table=2,actions=dec_ttl,learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
		"ip6,actions=clone(set_field:2->in_port,normal),resubmit(,2),4", "arp,actions=normal")
	used := &Report{}
	f.Fuzz(func(t *testing.T, s string) {
		args := append([]string{"br0"}, strings.Split(s, " ")...)
		fresh := &Report{}
		used.reset()
		err := fresh.req.parse(env, args, false)
		if again := used.req.parse(env, args, false); (err == nil) != (again == nil) {
			t.Fatalf("%q: %v, then %v", s, err, again)
		}
		if err != nil {
			return
		}
		fresh.req.dry, used.req.dry = true, true // learned addresses and flows would change what comes next
		for _, rep := range []*Report{fresh, used} {
			env.Config.Recircs = xlate.NewRecircs() // the same numbers for both
			rep.run(env)
		}
		text := fresh.String()
		if got := used.String(); got != text {
			t.Errorf("%q: a new report says\n%s\nand a used one\n%s", s, text, got)
		}
		document, err := json.Marshal(used.Document())
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for _, r := range used.Rounds {
			steps += len(r.trace.Steps)
		}
		if n := strings.Count(string(document), `"kind":`); n != steps {
			t.Errorf("%q: %d steps, of which the document has %d", s, steps, n)
		}
	})
}

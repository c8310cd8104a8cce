package xlate

import (
	"testing"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// mirrorBridge has trunks 1 to 3, and 4, an access port of VLAN 10. Port 1
// forwards to 2 and the other way round.
func mirrorBridge(t *testing.T) (*Config, *Bridge) {
	c := newConfig()
	b := newBridge(c, "br0", 1, 4)
	b.Ports[4].Bundle.VLANMode, b.Ports[4].Bundle.VLAN = VLANAccess, 10
	addFlow(t, b, 0, "in_port=1", 1, out(2))
	addFlow(t, b, 0, "in_port=2", 1, setField("eth_src", 5), out(1))
	return c, b
}

func TestMirrors(t *testing.T) {
	const all = ^MirrorSet(0)
	tcp, _ := flow.ParseMatch("tcp,tp_dst=80", nil)
	for _, c := range []struct {
		name     string
		key      string
		mirror   Mirror
		src, dst MirrorSet // of ports 1 and 2
		want     string
	}{
		{"what comes in, as it came", "in_port=1,tcp", Mirror{}, 1, 0, "3,2"},
		{"what goes out, as it goes", "in_port=2,dl_src=00:00:00:00:00:01,tcp", Mirror{}, 0, 1, "set(eth(src=00:00:00:00:00:05)),1,3"},
		{"once on the way", "in_port=1,tcp", Mirror{}, all, all, "3,2"},
		{"cut", "in_port=1,tcp", Mirror{Snaplen: 100}, 1, 0, "trunc(100),3,2"},
		{"VLAN selected", "in_port=1,dl_vlan=7,tcp", Mirror{VLANs: NewVLANSet([]uint16{7})}, 1, 0, "3,2"},
		{"VLAN not selected", "in_port=1,dl_vlan=8,tcp", Mirror{VLANs: NewVLANSet([]uint16{7})}, 1, 0, "2"},
		{"filter matches", "in_port=1,tcp,tp_dst=80", Mirror{Filter: tcp}, 1, 0, "3,2"},
		{"filter doesn't match", "in_port=1,tcp,tp_dst=81", Mirror{Filter: tcp}, 1, 0, "2"},
		{"to a VLAN", "in_port=1,dl_vlan=7,tcp", Mirror{OutVLAN: 10}, 1, 0,
			"pop_vlan,push_vlan(vid=10,pcp=0),1,2,3,pop_vlan,4,push_vlan(vid=7,pcp=0),2"},
		{"a VLAN's own packets don't go there", "in_port=1,dl_vlan=10,tcp", Mirror{OutVLAN: 10}, 1, 0, "2"},
		{"reserved addresses don't go to a VLAN", "in_port=1,dl_dst=01:80:c2:00:00:01", Mirror{OutVLAN: 10}, 1, 0, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, b := mirrorBridge(t)
			m := c.mirror
			m.Same, m.Stats = 1, new(MirrorStats)
			if m.OutVLAN == 0 {
				m.Out = b.Ports[3].Bundle
				m.Out.MirrorOut = true
			}
			b.Mirrors = []*Mirror{&m}
			for _, no := range []openflow.PortNo{1, 2} {
				b.Ports[no].Bundle.MirrorSrc, b.Ports[no].Bundle.MirrorDst = c.src&1, c.dst&1
			}
			r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, c.key), Now: t0})
			if got := datapath.FormatActions(r.Actions, nil); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			r.Effects.Push(Traffic{Packets: 3, Bytes: 300, Used: t0}, t0)
			want := uint64(3)
			if c.want == "2" && c.mirror.OutVLAN == 0 {
				want = 0
			}
			if n := m.Stats.Packets.Load(); n != want && m.OutVLAN == 0 {
				t.Errorf("%d packets counted, not %d", n, want)
			}
		})
	}
}

// Two mirrors to one place send a packet there once; what comes in where
// mirrors send is dropped by NORMAL, and nothing is flooded there.
func TestMirrorOutputIsReserved(t *testing.T) {
	cfg, b := mirrorBridge(t)
	addFlow(t, b, 0, "", 0, out(openflow.PortNormal))
	addFlow(t, b, 0, "in_port=1", 1, out(openflow.PortNormal))
	to3 := b.Ports[3].Bundle
	to3.MirrorOut = true
	b.Mirrors = []*Mirror{{Out: to3, Same: 3, Stats: new(MirrorStats)}, {Out: to3, Same: 3, Stats: new(MirrorStats)}}
	b.Ports[1].Bundle.MirrorSrc = 3
	for key, want := range map[string]string{"in_port=1,dl_vlan=10": "3,2,pop_vlan,4", "in_port=3": "drop"} {
		r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, key), Now: t0})
		if got := datapath.FormatActions(r.Actions, nil); got != want {
			t.Errorf("%s: %s, not %s", key, got, want)
		}
	}
}

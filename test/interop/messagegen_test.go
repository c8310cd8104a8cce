package interop

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"weir/internal/openflow"
)

// generator makes messages of a controller at random, many of them about the same
// few flows, groups and meters, and some of them damaged.
type generator struct {
	r *rand.Rand
	v openflow.Version
}

func newGenerator(seed uint64, v openflow.Version) *generator {
	return &generator{rand.New(rand.NewPCG(seed, uint64(v))), v}
}

func (g *generator) n(n int) int { return g.r.IntN(n) }

func pick[T any](g *generator, of ...T) T { return of[g.n(len(of))] }

// message is a message of the generator's version, damaged or not.
func (g *generator) message() (b []byte, damaged bool) {
	for {
		m := pick(g, g.flowMod, g.flowMod, g.flowMod, g.groupMod, g.groupMod, g.meterMod, g.packetOut, g.portMod, g.tableMod,
			g.request, g.request, g.request, g.setting, g.monitor, g.bundle, g.bundle, g.tlvMod)()
		if m == nil {
			continue
		}
		if b, err := openflow.Encode(g.v.Protocol(), 1, m); err == nil {
			if g.n(3) == 0 && !spared(m) {
				return g.damage(b), true
			}
			return b, false
		}
	}
}

// spared says of what the original is known to take what it should refuse, so that
// its state would differ from ours from then on: docs/compatibility.md.
func spared(m openflow.Message) bool {
	switch m := m.(type) {
	case *openflow.GroupMod: // and of an insertion of no buckets, it never gets done
		return m.Command == openflow.GroupInsertBucket
	case *openflow.TableMod, *openflow.FlowMonitorRequest, *openflow.BundleControl:
		return true
	}
	return false
}

// damage changes a message behind its type.
func (g *generator) damage(b []byte) []byte {
	from := openflow.HeaderLen
	if strings.Contains(openflow.Name(b), " request") {
		from = 16 // the original waits for more of a request that says it goes on
	}
	for range 1 + g.n(2) {
		if len(b) <= from {
			b = append(b, make([]byte, 8*g.n(3))...)
			continue
		}
		at := from + g.n(len(b)-from)
		switch g.n(6) {
		case 0:
			b[at] ^= 1 << g.n(8)
		case 1:
			b[at] = byte(g.n(256))
		case 2:
			binary.BigEndian.PutUint16(b[min(at, len(b)-2):], pick[uint16](g, 0, 1, 8, 0xfff0, 0xffff, 0x8000))
		case 3:
			b = b[:at&^7]
		case 4:
			b = append(b, make([]byte, 8)...)
		case 5:
			b = append(b[:at&^7:at&^7], append(make([]byte, 8), b[at&^7:]...)...)
		}
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func (g *generator) match() string {
	return pick(g, "", "in_port=1", "in_port=2", "dl_type=0x800", "tcp,tp_dst=80", "ip,nw_src=10.0.0.0/8", "dl_vlan=5", "reg0=1", "arp", "icmp6,icmp_type=135",
		"metadata=5", "tun_id=3", "vlan_tci=0x1000/0x1000", "ct_state=+trk", "mpls", "packet_type=(1,0x800)")
}

func (g *generator) actions() string {
	return strings.Join([]string{
		pick(g, "output:1", "output:2", "drop", "normal", "controller", "controller:12", "in_port", "flood", "local", "all", "output:9"),
		pick(g, "group:1", "group:2", "dec_ttl", "strip_vlan", "set_field:1->reg0", "push_vlan:0x8100", "mod_nw_tos:4", "output:3", "resubmit(,1)",
			"controller(pause,userdata=01.02)", "controller(id=3)", "note:01", "learn(table=2,NXM_OF_ETH_DST[],output:1)", "ct(commit)", "conjunction(1,1/2)", "move:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15]"),
		pick(g, "output:1", "goto_table:2", "write_actions(output:2)", "meter:1", "clear_actions", "write_metadata:3", "set_queue:1", "enqueue:1:2", "exit"),
	}[g.n(2):1+g.n(2)+1], ",")
}

func (g *generator) flowMod() openflow.Message {
	command := g.n(5)
	s := fmt.Sprintf("table=%d,%s", pick(g, 0, 0, 1, 2, 254), g.match())
	if command != int(openflow.FlowModify) && command != int(openflow.FlowDelete) {
		s += fmt.Sprintf(",priority=%d", pick(g, 1, 2, 0, 65535))
	}
	s += pick(g, "", ",cookie=1", ",cookie=2", ",idle_timeout=100", ",hard_timeout=200", ",send_flow_rem", ",check_overlap", ",reset_counts", ",importance=3", ",no_byte_counts")
	if command == int(openflow.FlowDelete) || command == int(openflow.FlowDeleteStrict) {
		s += pick(g, "", "", ",out_port=1", ",out_group=1", ",cookie=1/-1")
	} else {
		s += ",actions=" + g.actions()
	}
	if m, _, err := openflow.ParseFlowMod(s, command, openflow.ParseOptions{}); err == nil {
		return m
	}
	return nil
}

func (g *generator) groupMod() openflow.Message {
	command := pick(g, openflow.GroupAdd, openflow.GroupAdd, openflow.GroupModify, openflow.GroupDelete, openflow.GroupInsertBucket, openflow.GroupRemoveBucket, openflow.GroupAddOrMod)
	m := &openflow.GroupMod{Command: command, ID: pick[uint32](g, 1, 2, 3, 3, openflow.GroupMax, openflow.GroupAll, openflow.GroupAny),
		Type: openflow.GroupType(g.n(4)), CommandBucketID: pick[uint32](g, openflow.BucketFirst, openflow.BucketLast, openflow.BucketAll, 0, 1, 2)}
	buckets := g.n(4)
	if command == openflow.GroupDelete {
		buckets = 0 // the original looks at them in vain, and refuses some
	}
	if command == openflow.GroupInsertBucket {
		buckets++
	}
	chained := "output:3"
	if m.ID == 1 {
		chained = "group:2" // and nothing leads back
	}
	for range buckets {
		b := openflow.Bucket{ID: uint32(g.n(4)), WatchPort: openflow.PortNone, WatchGroup: openflow.GroupAny}
		if m.Type == openflow.GroupTypeSelect {
			b.Weight = pick[uint16](g, 1, 1, 100, 0)
		}
		if m.Type == openflow.GroupTypeFF {
			b.WatchPort = pick(g, openflow.PortNo(1), 2, 9)
		}
		b.Actions, _, _ = openflow.ParseActions(pick(g, "output:1", "output:2", chained, "dec_ttl,output:1", "set_field:1->reg0,output:1", "drop"), nil)
		m.Buckets = append(m.Buckets, b)
	}
	if m.Type == openflow.GroupTypeSelect && g.n(3) == 0 {
		if with, _, err := openflow.ParseGroupMod("group_id=1,type=select,selection_method="+pick(g, "hash,fields(ip_src,ip_dst)", "dp_hash", "hash,selection_method_param=7"), int(openflow.GroupAdd), openflow.ParseOptions{}); err == nil {
			m.Props = with.Props
		}
	}
	return m
}

func (g *generator) meterMod() openflow.Message {
	m := &openflow.MeterMod{Command: openflow.MeterModCommand(g.n(3)), Meter: openflow.MeterConfig{
		ID:    pick[uint32](g, 1, 1, 2, 0, openflow.MeterMax, openflow.MeterMax+1, openflow.MeterController, openflow.MeterAll),
		Flags: pick[uint16](g, openflow.MeterKbps, openflow.MeterPktps, openflow.MeterKbps|openflow.MeterBurst, openflow.MeterPktps|openflow.MeterStatsFlag, 0, 3, 16),
	}}
	for range pick(g, 0, 1, 1, 2, 9) {
		m.Meter.Bands = append(m.Meter.Bands, openflow.MeterBand{Type: pick[uint16](g, openflow.BandDrop, openflow.BandDrop, openflow.BandDSCPRemark),
			Rate: pick[uint32](g, 1, 1000, 0), Burst: 5})
	}
	return m
}

// packets are an Ethernet frame, one of ARP, one of TCP, and a stub.
var packets = []string{
	"50540000000150540000000212340000000000000000000000000000000000000000",
	"ffffffffffff50540000000108060001080006040001505400000001c0a80001000000000000c0a80002",
	"50540000000250540000000108004500002c00000000400666c80a0000010a000002138900500000000000000000500000004ba10000000000000000",
	"505400000001505400000002",
}

func (g *generator) packetOut() openflow.Message {
	from, actions := pick(g, "1", "2", "controller", "local", "none", "9"), pick(g, g.actions(), "output:1", "controller", "group:1")
	if g.n(3) == 0 {
		from, actions = pick(g, "1", "2", "local"), "table" // from others, the original drops what matches no flow
	}
	s := fmt.Sprintf("in_port=%s,packet=%s,actions=%s", from, pick(g, packets...), actions)
	if m, _, err := openflow.ParsePacketOut(s, openflow.ParseOptions{}); err == nil {
		return m
	}
	return nil
}

func (g *generator) port() openflow.PortNo {
	return pick(g, openflow.PortNo(1), 2, 3, 9, openflow.PortLocal, openflow.PortNone, openflow.PortController, openflow.PortAll, openflow.PortMax)
}

func (g *generator) portMod() openflow.Message {
	bits := func() openflow.PortConfig {
		return pick(g, 0, openflow.PortDown, openflow.PortNoRecv, openflow.PortNoFlood, openflow.PortNoFwd, openflow.PortNoPacketIn, 0x7f)
	}
	return &openflow.PortMod{PortNo: g.port(), Config: bits(), Mask: bits(), Advertise: pick[openflow.PortFeatures](g, 0, 0, openflow.Feature1GbFD)}
}

func (g *generator) tableMod() openflow.Message {
	return &openflow.TableMod{TableID: pick[uint8](g, 0, 1, 2, 253, 254, 255), Miss: pick(g, openflow.MissDefault, openflow.MissContinue, openflow.MissDrop, openflow.MissController),
		Eviction: int8(g.n(3) - 1), EvictionFlags: ^uint32(0), Vacancy: int8(g.n(3) - 1), VacancyDown: pick[uint8](g, 10, 50, 101), VacancyUp: pick[uint8](g, 20, 60, 100)}
}

func (g *generator) request() openflow.Message {
	group := pick[uint32](g, 1, 2, 3, openflow.GroupAll)
	var tables openflow.Message = &openflow.TableStatsRequest{}
	if g.v == openflow.V11 {
		tables = &openflow.EchoRequest{} // of which the original reads its own settings wrongly
	}
	meter := pick[uint32](g, 1, 2, openflow.MeterAll, openflow.MeterController)
	return pick[openflow.Message](g, g.flowRequest(false), g.flowRequest(false), g.flowRequest(true), &openflow.DescRequest{}, tables, &openflow.TableDescRequest{},
		&openflow.PortDescRequest{Port: g.port()}, &openflow.PortStatsRequest{Port: g.port()}, &openflow.QueueStatsRequest{Port: g.port(), Queue: pick[uint32](g, 0, 1, openflow.QueueAll)},
		&openflow.QueueConfigRequest{Port: g.port(), Queue: pick[uint32](g, 0, openflow.QueueAll)}, &openflow.GroupStatsRequest{ID: group}, &openflow.GroupDescRequest{ID: group},
		&openflow.GroupFeaturesRequest{}, &openflow.MeterStatsRequest{ID: meter}, &openflow.MeterConfigRequest{ID: meter}, &openflow.MeterFeaturesRequest{},
		&openflow.GetConfigRequest{}, &openflow.GetAsyncRequest{}, &openflow.FeaturesRequest{}, &openflow.TLVTableRequest{}, &openflow.IPFIXBridgeStatsRequest{}, &openflow.IPFIXFlowStatsRequest{},
		&openflow.EchoReply{}, &openflow.EchoRequest{Data: []byte("x")}, &openflow.FlowMonitorCancel{ID: uint32(g.n(4))})
}

func (g *generator) flowRequest(aggregate bool) openflow.Message {
	s := strings.TrimSuffix(g.match()+pick(g, "", ",table=0", ",table=1", ",out_port=1", ",out_group=1", ",cookie=1/-1"), ",")
	m, _, err := openflow.ParseFlowRequest(strings.TrimPrefix(s, ","), aggregate, openflow.ParseOptions{})
	if err != nil {
		return nil
	}
	return m
}

// setting changes what the session is told, and as whom.
func (g *generator) setting() openflow.Message {
	async := &openflow.SetAsync{NX2: g.n(2) == 0}
	for i := range openflow.NumAsync {
		if g.n(2) == 0 {
			async.Set |= 1<<i | 1<<(16+i)
			async.Config.Primary[i], async.Config.Secondary[i] = uint32(g.n(64)), uint32(g.n(64))
		}
	}
	return pick[openflow.Message](g, async, async, &openflow.RoleRequest{NX: g.n(2) == 0, Role: openflow.Role(g.n(4)), HaveGeneration: true, GenerationID: uint64(g.n(4))},
		&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{Frags: openflow.FragHandling(g.n(4)), MissSendLen: pick[uint16](g, 0xffff, 20)}},
		&openflow.SetPacketInFormat{Format: openflow.PacketInFormat(g.n(3))}, &openflow.SetControllerID{ID: uint16(3 * g.n(2))},
		&openflow.FlowModTableID{Set: g.n(2) == 0}, &openflow.FlowAge{}, &openflow.CTFlushZone{Zone: uint16(g.n(3))})
}

func (g *generator) monitor() openflow.Message {
	m := &openflow.FlowMonitorRequest{}
	but := openflow.MonitorNoAbbrev // which the original refuses
	if g.v == openflow.V11 {
		but |= openflow.MonitorInstructions // of which it tells nonsense in this version
	}
	many := g.n(2)
	for range 1 + many {
		w, _, err := openflow.ParseFlowMonitor(strings.TrimPrefix(g.match(), ","), uint32(g.n(4)), openflow.ParseOptions{})
		if err != nil {
			return nil
		}
		w.Flags, w.Command = openflow.FlowMonitorFlags(g.n(128))&^but, openflow.FlowMonitorCommand(g.n(3))
		if many > 0 {
			w.Command = openflow.MonitorCmdAdd // of a refused request, the original undoes more than it did
		}
		w.TableID, w.OutPort, w.OutGroup = pick[uint8](g, 0, 1, openflow.TableAny), pick(g, openflow.PortNone, 1), pick[uint32](g, openflow.GroupAny, 1)
		m.Monitors = append(m.Monitors, *w)
	}
	return m
}

// bundle opens, fills, and ends one of a few bundles.
func (g *generator) bundle() openflow.Message {
	id, flags := uint32(g.n(2)), pick[uint16](g, openflow.BundleAtomic, openflow.BundleAtomic, openflow.BundleAtomic|openflow.BundleOrdered, 0)
	if g.n(3) > 0 {
		raw := pick(g, g.flowMod, g.flowMod, g.groupMod, g.packetOut, g.portMod, g.request)()
		if raw == nil {
			return nil
		}
		b, err := openflow.Encode(g.v.Protocol(), pick[uint32](g, 0, 5), raw)
		if err != nil {
			return nil
		}
		return &openflow.BundleAdd{ID: id, Flags: flags, Raw: b}
	}
	return &openflow.BundleControl{ID: id, Flags: flags, Type: pick(g, openflow.BundleOpenRequest, openflow.BundleOpenRequest, openflow.BundleCommitRequest, openflow.BundleCommitRequest,
		openflow.BundleCloseRequest, openflow.BundleDiscardRequest, openflow.BundleOpenReply)}
}

func (g *generator) tlvMod() openflow.Message {
	m, err := openflow.ParseTLVMaps(pick(g, "{class=0xffff,type=0,len=4}->tun_metadata0", "{class=0xffff,type=1,len=8}->tun_metadata1,{class=1,type=2,len=124}->tun_metadata2", "{class=0xffff,type=0,len=4}->tun_metadata5"),
		openflow.TLVCommand(g.n(3)))
	if err != nil {
		return nil
	}
	return m
}

package openflow

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"weir/internal/flow"
)

// ParsePacketOut reads "in_port=PORT, packet=HEX, actions=ACTIONS" with
// metadata fields (ovs-ofctl(8), "packet-out").
func ParsePacketOut(s string, opt ParseOptions) (*PacketOut, Protocol, error) {
	po := &PacketOut{BufferID: NoBuffer}
	po.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(uint64(PortController)))
	head, actions := s, ""
	if strings.Contains(s, "action") { // else the packet is dropped
		var err error
		if head, actions, err = splitActions(s); err != nil {
			return nil, 0, err
		}
	}
	usable := PAny
	for _, kv := range SplitKeyValues(head) {
		u, err := po.setting(kv, opt)
		if err != nil {
			return nil, 0, err
		}
		usable &= u
	}
	if po.Data == nil {
		return nil, 0, fmt.Errorf("must specify packet")
	}
	as, u, err := ParseActions(actions, opt.Names)
	if err != nil {
		return nil, 0, err
	}
	var k flow.Key
	flow.Extract(po.Data, &k)
	m := Match{Key: k, Mask: k.MaskExact()}
	got, err := CheckActions(as, &m, ActionCheck{MaxPorts: PortMax, TableID: 0, NTables: 255, Usable: u, Log: opt.Log})
	if err != nil {
		return nil, 0, fmt.Errorf("actions are invalid with specified match (%s)", CodeOf(err))
	}
	po.Actions = as
	return po, usable & got, nil
}

// setting reads the packet or a field of its metadata, and returns which protocols can
// say it.
func (po *PacketOut) setting(kv KeyValue, opt ParseOptions) (Protocol, error) {
	if kv.Key == "packet" {
		b, err := hex.DecodeString(strings.Join(strings.Fields(kv.Value), ""))
		if err != nil {
			return 0, errors.New("packet: Trailing garbage in packet data")
		}
		if len(b) < 14 {
			return 0, errors.New("packet: Packet data too short for Ethernet")
		}
		po.Data = b
		return PAny, nil
	}
	f := fieldByAnyName(kv.Key)
	switch {
	case f == nil:
		return 0, fmt.Errorf("unknown keyword %s", kv.Key)
	case !pipelineField(f):
		return 0, fmt.Errorf("%s is not a valid pipeline field for PACKET_OUT", kv.Key)
	}
	if err := po.Metadata.ParseSetting(f.Name, kv.Value, opt.Names.ports()); err != nil {
		return 0, err
	}
	if f.ID != flow.FieldInPort && f.ID != flow.FieldInPortOXM {
		return P15, nil
	}
	return PAny, nil
}

// monitorOff are the words that take something away from what a monitor shows.
var monitorOff = map[string]FlowMonitorFlags{
	"!initial": MonitorInitial, "!add": MonitorAdd, "!delete": MonitorRemoved, "!modify": MonitorModify,
	"!actions": MonitorInstructions, "!own": MonitorOnlyOwn,
}

// ParseFlowMonitor reads the argument of "monitor watch:" (ovs-ofctl(8)).
func ParseFlowMonitor(s string, id uint32, opt ParseOptions) (*FlowMonitor, Protocol, error) {
	m := &FlowMonitor{
		ID: id, OutPort: PortNone, OutGroup: GroupAny, TableID: TableAny,
		Flags: MonitorInitial | MonitorAdd | MonitorRemoved | MonitorModify | MonitorOnlyOwn | MonitorInstructions,
	}
	p := &flowParser{m: &FlowMod{}, opt: opt, usable: PAny}
	for _, kv := range SplitKeyValues(s) {
		if f, ok := monitorOff[kv.Key]; ok {
			m.Flags &^= f
			continue
		}
		switch kv.Key {
		case "table":
			t, err := p.table(kv.Value)
			if err != nil {
				return nil, 0, err
			}
			m.TableID = t
			continue
		case "out_port":
			n, ok := flow.ParsePort(kv.Value, opt.Names.ports())
			if !ok {
				return nil, 0, fmt.Errorf("%s is not a valid OpenFlow port", kv.Value)
			}
			m.OutPort = PortNo(n)
			continue
		case "out_group":
			v, err := parseUint(kv.Value, 32, "out_group")
			if err != nil {
				return nil, 0, err
			}
			m.OutGroup = uint32(v)
			p.usable &= P14 | P15
			continue
		}
		if err := p.matchSetting(&m.Match, kv); err != nil {
			if err == flow.ErrUnknownField {
				err = fmt.Errorf("%s: unknown keyword %s", s, kv.Key)
			}
			return nil, 0, err
		}
	}
	return m, p.usable & MatchProtocols(&m.Match), nil
}

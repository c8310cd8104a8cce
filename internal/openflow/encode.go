package openflow

import "fmt"

// encode writes m: the one place that knows which Go type is which message.
func (e *encoder) encode(m Message) {
	if e.encodeBasic(m) || e.encodeFlows(m) || e.encodePorts(m) || e.encodeGroups(m) || e.encodeControl(m) {
		return
	}
	e.fail(fmt.Errorf("openflow: no encoder for %T", m))
}

func (e *encoder) encodeBasic(m Message) bool {
	switch m := m.(type) {
	case *Hello:
		e.encodeHello(m)
	case *Error:
		e.encodeError(m)
	case *EchoRequest:
		e.start("OFPT_ECHO_REQUEST")
		e.bytes(m.Data)
	case *EchoReply:
		e.start("OFPT_ECHO_REPLY")
		e.bytes(m.Data)
	case *FeaturesRequest:
		e.start("OFPT_FEATURES_REQUEST")
	case *FeaturesReply:
		e.encodeFeatures(m)
	case *GetConfigRequest:
		e.start("OFPT_GET_CONFIG_REQUEST")
	case *GetConfigReply:
		e.switchConfig("OFPT_GET_CONFIG_REPLY", m.SwitchConfig)
	case *SetConfig:
		e.switchConfig("OFPT_SET_CONFIG", m.SwitchConfig)
	case *BarrierRequest:
		e.start("OFPT_BARRIER_REQUEST")
	case *BarrierReply:
		e.start("OFPT_BARRIER_REPLY")
	case *DescRequest:
		e.start("OFPST_DESC_REQUEST")
	case *DescReply:
		e.encodeDesc(m)
	default:
		return false
	}
	return true
}

func (e *encoder) encodeFlows(m Message) bool {
	switch m := m.(type) {
	case *FlowMod:
		e.encodeFlowMod(m)
	case *PacketIn:
		e.encodePacketIn(m)
	case *PacketOut:
		e.encodePacketOut(m)
	case *Resume:
		e.start("NXT_RESUME")
		e.packetIn2(&m.PacketIn)
	case *FlowRemoved:
		e.encodeFlowRemoved(m)
	case *FlowStatsRequest:
		e.encodeFlowRequest(m)
	case *FlowStatsReply:
		e.startFlowStats()
		for i := range m.Stats {
			e.flowStats(&m.Stats[i])
		}
	case *AggregateStatsReply:
		e.encodeAggregate(m)
	case *FlowMonitorRequest:
		e.encodeFlowMonitor(m)
	case *FlowMonitorReply:
		e.encodeFlowUpdates(m)
	case *FlowMonitorCancel:
		e.start(monitorName(min(e.v, V13), "T_FLOW_MONITOR_CANCEL"))
		e.u32(m.ID)
	case *FlowMonitorPaused:
		e.start(monitorName(min(e.v, V13), "T_FLOW_MONITOR_PAUSED"))
	case *FlowMonitorResumed:
		e.start(monitorName(min(e.v, V13), "T_FLOW_MONITOR_RESUMED"))
	default:
		return false
	}
	return true
}

func (e *encoder) encodePorts(m Message) bool {
	switch m := m.(type) {
	case *PortStatus:
		e.encodePortStatus(m)
	case *PortMod:
		e.encodePortMod(m)
	case *PortDescRequest:
		e.start("OFPST_PORT_DESC_REQUEST")
		if e.v >= V15 {
			e.port(m.Port)
			e.pad(4)
		}
	case *PortDescReply:
		e.start("OFPST_PORT_DESC_REPLY")
		for i := range m.Ports {
			e.portDesc(&m.Ports[i])
			e.endEntry()
		}
	case *PortStatsRequest:
		e.start("OFPST_PORT_REQUEST")
		e.port(m.Port)
		e.pad(4 + 2*b2i(e.v == V10))
	case *PortStatsReply:
		e.start("OFPST_PORT_REPLY")
		for i := range m.Stats {
			e.portStats(&m.Stats[i])
			e.endEntry()
		}
	case *QueueStatsRequest:
		e.encodeQueueStatsRequest(m)
	case *QueueStatsReply:
		e.start("OFPST_QUEUE_REPLY")
		for i := range m.Stats {
			e.queueStats(&m.Stats[i])
			e.endEntry()
		}
	case *QueueConfigRequest:
		e.encodeQueueConfigRequest(m)
	case *QueueConfigReply:
		e.encodeQueueConfigReply(m)
	default:
		return e.encodeTables(m)
	}
	return true
}

func (e *encoder) encodeTables(m Message) bool {
	switch m := m.(type) {
	case *TableStatsRequest:
		e.start("OFPST_TABLE_REQUEST")
	case *TableStatsReply:
		e.encodeTableStats(m)
	case *TableDescRequest:
		e.start("OFPST_TABLE_DESC_REQUEST")
	case *TableDescReply:
		e.start("OFPST_TABLE_DESC_REPLY")
		for i := range m.Tables {
			e.tableDesc(&m.Tables[i])
			e.endEntry()
		}
	case *TableMod:
		e.encodeTableMod(m)
	case *TableStatus:
		e.encodeTableStatus(m)
	case *TableFeaturesRequest:
		e.encodeTableFeatures("OFPST_TABLE_FEATURES_REQUEST", m.Tables)
	case *TableFeaturesReply:
		e.encodeTableFeatures("OFPST_TABLE_FEATURES_REPLY", m.Tables)
	default:
		return false
	}
	return true
}

func (e *encoder) encodeGroups(m Message) bool {
	switch m := m.(type) {
	case *GroupMod:
		e.encodeGroupMod(m)
	case *GroupStatsRequest:
		e.start(e.nxName("GROUP_REQUEST"))
		e.u32(m.ID)
		e.pad(4)
	case *GroupStatsReply:
		e.encodeGroupStats(m)
	case *GroupDescRequest:
		e.start(e.nxName("GROUP_DESC_REQUEST"))
		if group15(e.v) {
			e.u32(m.ID)
			e.pad(4)
		}
	case *GroupDescReply:
		e.encodeGroupDesc(m)
	case *GroupFeaturesRequest:
		if e.v < V12 {
			e.start("NXST_GROUP_FEATURES_REQUEST")
		} else {
			e.start("OFPST_GROUP_FEATURES_REQUEST")
		}
	case *GroupFeaturesReply:
		e.encodeGroupFeatures(m)
	case *MeterMod:
		e.encodeMeterMod(m)
	case *MeterStatsRequest:
		e.encodeMeterRequest("OFPST_METER_REQUEST", m.ID)
	case *MeterStatsReply:
		e.encodeMeterStats(m)
	case *MeterConfigRequest:
		e.encodeMeterRequest("OFPST_METER_CONFIG_REQUEST", m.ID)
	case *MeterConfigReply:
		e.encodeMeterConfig(m)
	case *MeterFeaturesRequest:
		e.start("OFPST_METER_FEATURES_REQUEST")
	case *MeterFeaturesReply:
		e.encodeMeterFeatures(m)
	default:
		return false
	}
	return true
}

func (e *encoder) encodeControl(m Message) bool {
	switch m := m.(type) {
	case *RoleRequest:
		e.encodeRole(m.NX, "REQUEST", m.Role, m.HaveGeneration, m.GenerationID)
	case *RoleReply:
		e.encodeRole(m.NX, "REPLY", m.Role, m.HaveGeneration, m.GenerationID)
	case *RoleStatus:
		e.encodeRoleStatus(m)
	case *GetAsyncRequest:
		e.start("OFPT_GET_ASYNC_REQUEST")
	case *GetAsyncReply:
		e.encodeAsync("OFPT_GET_ASYNC_REPLY", &m.Config, ^uint32(0))
	case *SetAsync:
		e.encodeSetAsync(m)
	case *BundleControl:
		e.encodeBundleControl(m)
	case *BundleAdd:
		e.encodeBundleAdd(m)
	case *RequestForward:
		e.encodeRequestForward(m)
	case *FlowModTableID, *SetFlowFormat, *SetPacketInFormat, *SetControllerID, *CTFlushZone:
		e.encodeSwitches(m)
	case *FlowAge:
		e.start("NXT_FLOW_AGE")
	case *TLVTableMod:
		e.encodeTLVMod(m)
	case *TLVTableRequest:
		e.start("NXT_TLV_TABLE_REQUEST")
	case *TLVTableReply:
		e.encodeTLVReply(m)
	case *CTFlush:
		e.encodeCTFlush(m)
	case *IPFIXBridgeStatsRequest:
		e.start("NXST_IPFIX_BRIDGE_REQUEST")
	case *IPFIXFlowStatsRequest:
		e.start("NXST_IPFIX_FLOW_REQUEST")
	case *IPFIXStatsReply:
		e.encodeIPFIX(m)
	default:
		return false
	}
	return true
}

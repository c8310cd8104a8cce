package ofctl

import (
	"slices"

	"weir/internal/openflow"
)

// commands is the table of subcommands, in the order of list-commands. A
// function, since some refer back.
func commands() []command { return slices.Concat(helpCommands(), testCommands()) }

// helpCommands are those that --help tells of.
func helpCommands() []command {
	desc := request(&openflow.DescRequest{})
	return []command{
		{"show", "switch", "switch", "", "show OpenFlow information", 1, 1, show, false},
		{"monitor", "switch [misslen] [invalid_ttl] [watch:[...]]", "switch", "", "print packets received from SWITCH", 1, -1, monitorCmd, false},
		{"snoop", "switch", "switch", "", "snoop on SWITCH and its controller", 1, 1, snoop, false},
		{"dump-desc", "switch", "switch", "", "print switch description", 1, 1, statsCmd(desc), false},
		{"dump-tables", "switch", "switch", "", "print table stats", 1, 1, statsCmd(request(&openflow.TableStatsRequest{})), false},
		{"dump-table-features", "switch", "switch", "", "print table features", 1, 1, dumpTableFeatures, false},
		{"dump-table-desc", "switch", "switch", "", "print table description (OF1.4+)", 1, 1, statsCmd(tableDescRequest), false},
		{"dump-flows", "switch", "switch", "", "print all flow entries", 1, 2, dumpFlows, false},
		{"dump-aggregate", "switch", "switch", "", "print aggregate flow statistics", 1, 2, dumpAggregate, false},
		{"queue-stats", "switch [port [queue]]", "switch", "", "dump queue stats", 1, 3, statsCmd(queueStatsRequest), false},
		{"queue-get-config", "switch [port [queue]]", "switch", "", "print queue config for PORT", 1, 3, queueGetConfig, false},
		{"add-flow", "switch flow", "switch", "", "add flow described by FLOW", 2, 2, addFlow, true},
		{"add-flows", "switch file", "switch", "", "add flows from FILE", 2, 2, addFlows, true},
		{"mod-flows", "switch flow", "switch", "", "modify actions of matching FLOWs", 2, 2, modFlows, true},
		{"del-flows", "switch [flow]", "switch", "", "delete matching FLOWs", 1, 2, delFlows, true},
		{"replace-flows", "switch file", "switch", "", "replace flows with those in FILE", 2, 2, replaceFlows, true},
		{"diff-flows", "source1 source2", "switch", "", "compare flows from two sources", 2, 2, diffFlows, false},
		{"add-meter", "switch meter", "switch", "", "add meter described by METER", 2, 2, meterCmd(openflow.MeterAdd), true},
		{"mod-meter", "switch meter", "switch", "", "modify specific METER", 2, 2, meterCmd(openflow.MeterModify), true},
		{"del-meter", "switch meter", "switch", "", "delete METER", 1, 2, meterCmd(openflow.MeterDelete), true},
		{"del-meters", "switch", "switch", "", "delete all meters", 1, 2, meterCmd(openflow.MeterDelete), true},
		{"dump-meter", "switch meter", "switch", "", "print METER configuration", 1, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterConfigRequest{ID: id} }), false},
		{"dump-meters", "switch", "switch", "", "print all meter configuration", 1, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterConfigRequest{ID: id} }), false},
		{"meter-stats", "switch [meter]", "switch", "", "print meter statistics", 1, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterStatsRequest{ID: id} }), false},
		{"meter-features", "switch", "switch", "", "print meter features", 1, 1, meterRequest(func(uint32) openflow.Message { return &openflow.MeterFeaturesRequest{} }), false},
		{"packet-out", "switch \"in_port=<port> packet=<hex data> actions=...\"", "switch", "packet-out SWITCH IN_PORT ACTIONS PACKET...", "execute ACTIONS on PACKET", 2, -1, packetOut, true},
		{"dump-ports", "switch [port]", "switch", "", "print port statistics", 1, 2, statsCmd(portStatsRequest), false},
		{"dump-ports-desc", "switch [port]", "switch", "", "print port descriptions", 1, 2, statsCmd(portDescRequest), false},
		{"mod-port", "switch iface act", "switch", "", "modify port behavior", 3, 3, modPort, true},
		{"mod-table", "switch mod", "switch", "", "modify flow table behavior", 3, 3, modTable, true},
		{"get-frags", "switch", "switch", "", "print fragment handling behavior", 1, 1, getFrags, false},
		{"set-frags", "switch frag_mode", "switch", "", "set fragment handling behavior", 2, 2, setFrags, true},
		{"probe", "target", "both", "", "probe whether TARGET is up", 1, 1, probe, false},
		{"ping", "target [n]", "both", "", "latency of N-byte echos", 1, 2, ping, false},
		{"benchmark", "target n count", "both", "", "bandwidth of COUNT N-byte echos", 3, 3, benchmark, false},
		{"dump-ipfix-bridge", "switch", "switch", "", "print ipfix stats of bridge", 1, 1, statsCmd(request(&openflow.IPFIXBridgeStatsRequest{})), false},
		{"dump-ipfix-flow", "switch", "switch", "", "print flow ipfix stats of a bridge", 1, 1, statsCmd(request(&openflow.IPFIXFlowStatsRequest{})), false},
		{"ct-flush-zone", "switch zone", "switch", "", "flush conntrack entries in ZONE", 2, 2, ctFlushZone, true},
		{"ct-flush", "switch [zone=N] [mark=X[/M]] [labels=X[/M]] [ct-orig-tuple [ct-reply-tuple]]", "switch", "ct-flush SWITCH [ZONE] [CT_ORIG_TUPLE [CT_REPLY_TUPLE]]", "flush conntrack entries of a zone, mark, labels or tuples", 1, 6, ctFlush, true},
		{"ofp-parse", "file", "other", "", "print messages read from FILE", 1, 1, ofpParse, false},
		{"ofp-parse-pcap", "pcap", "other", "", "print OpenFlow read from PCAP", 1, -1, parsePcapOpenFlow, false},
		{"add-group", "switch group", "switch", "", "add group described by GROUP", 1, 2, groupCmd(openflow.GroupAdd), true},
		{"add-groups", "switch file", "switch", "", "add group from FILE", 2, 2, addGroups, true},
		{"mod-group", "switch group", "switch", "[--may-create] mod-group SWITCH GROUP", "modify specific group", 1, 2, groupCmd(openflow.GroupModify), true},
		{"del-groups", "switch [group]", "switch", "", "delete matching GROUPs", 1, 2, groupCmd(openflow.GroupDelete), true},
		{"insert-buckets", "switch [group]", "switch", "", "add buckets to GROUP", 2, 2, groupCmd(openflow.GroupInsertBucket), true},
		{"remove-buckets", "switch [group]", "switch", "", "remove buckets from GROUP", 2, 2, groupCmd(openflow.GroupRemoveBucket), true},
		{"dump-groups", "switch [group]", "switch", "", "print group description", 1, 2, dumpGroups, false},
		{"dump-group-stats", "switch [group]", "switch", "", "print group statistics", 1, 2, dumpGroupStats, false},
		{"dump-group-features", "switch", "switch", "", "print group features", 1, 1, statsCmd(request(&openflow.GroupFeaturesRequest{})), false},
		{"bundle", "switch file", "switch", "", "execute the changes in FILE as one transaction", 2, 2, bundleFile, true},
		{"add-tlv-map", "switch map", "switch", "", "add TLV option MAPpings", 2, 2, tlvCmd(openflow.TLVAdd), true},
		{"del-tlv-map", "switch [map]", "switch", "", "delete TLV option MAPpings", 1, 2, tlvCmd(openflow.TLVDelete), true},
		{"dump-tlv-map", "switch", "switch", "", "print TLV option mappings", 1, 1, dumpTLVMap, false},
	}
}

// testCommands are the others: most say how this program reads or writes something,
// for tests.
func testCommands() []command {
	return []command{
		{name: "help", max: -1, run: help},
		{name: "list-commands", run: listCommands},
		{name: "parse-flow", min: 1, max: 1, run: parseFlow},
		{name: "parse-flows", min: 1, max: 1, run: parseFlows},
		{name: "parse-group", min: 1, max: 1, run: parseGroup},
		{name: "parse-nx-match", run: parseNXMatch},
		{name: "parse-nxm", run: parseNXMatch},
		{name: "parse-oxm", min: 1, max: 1, run: parseOXM},
		{name: "parse-actions", min: 1, max: 1, run: parseActionsCmd},
		{name: "parse-instructions", min: 1, max: 1, run: parseInstructionsCmd},
		{name: "parse-ofp10-match", run: parseOFP10Match},
		{name: "parse-ofp11-match", run: parseOFP11Match},
		{name: "parse-pcap", min: 1, max: -1, run: parsePcap},
		{name: "check-vlan", min: 2, max: 2, run: checkVLAN},
		{name: "print-error", min: 1, max: 1, run: printErrorCmd},
		{name: "encode-error-reply", min: 2, max: 2, run: encodeErrorReply},
		{name: "ofp-print", min: 1, max: 2, run: ofpPrint},
		{name: "encode-hello", min: 1, max: 1, run: encodeHello},
		{name: "parse-key-value", min: 1, max: -1, run: parseKeyValue},
		{name: "compose-packet", min: 1, max: 2, run: composePacket},
		{name: "parse-packet", run: parsePacket},
	}
}

package ofctl

import (
	"fmt"
	"strings"

	"weir/internal/openflow"
)

// commands is the table of subcommands. A function, since some refer back.
func commands() []command {
	desc := request(&openflow.DescRequest{})
	return []command{
		{"show", "SWITCH                 show OpenFlow information", 1, 1, show, false},
		{"dump-desc", "SWITCH            print switch description", 1, 1, statsCmd(desc), false},
		{"dump-tables", "SWITCH          print table stats", 1, 1, statsCmd(request(&openflow.TableStatsRequest{})), false},
		{"dump-table-features", "SWITCH  print table features", 1, 1, statsCmd(request(&openflow.TableFeaturesRequest{})), false},
		{"dump-table-desc", "SWITCH      print table description (OF1.4+)", 1, 1, statsCmd(request(&openflow.TableDescRequest{})), false},
		{"mod-port", "SWITCH IFACE ACT   modify port behavior", 3, 3, modPort, true},
		{"get-frags", "SWITCH            print fragment handling behavior", 1, 1, getFrags, false},
		{"set-frags", "SWITCH FRAG_MODE  set fragment handling behavior", 2, 2, setFrags, true},
		{"dump-ports", "SWITCH [PORT]    print port statistics", 1, 2, statsCmd(portStatsRequest), false},
		{"dump-ports-desc", "SWITCH [PORT]  print port descriptions", 1, 2, statsCmd(portDescRequest), false},
		{"dump-flows", "SWITCH           print all flow entries", 1, 2, dumpFlows, false},
		{"dump-aggregate", "SWITCH       print aggregate flow statistics", 1, 2, dumpAggregate, false},
		{"queue-stats", "SWITCH [PORT [QUEUE]]  dump queue stats", 1, 3, statsCmd(queueStatsRequest), false},
		{"queue-get-config", "SWITCH [PORT]  print queue config for PORT", 1, 3, queueGetConfig, false},
		{"add-flow", "SWITCH FLOW        add flow described by FLOW", 2, 2, addFlow, true},
		{"add-flows", "SWITCH FILE       add flows from FILE", 2, 2, addFlows, true},
		{"mod-flows", "SWITCH FLOW       modify actions of matching FLOWs", 2, 2, modFlows, true},
		{"del-flows", "SWITCH [FLOW]     delete matching FLOWs", 1, 2, delFlows, true},
		{"replace-flows", "SWITCH FILE   replace flows with those in FILE", 2, 2, replaceFlows, true},
		{"diff-flows", "SOURCE1 SOURCE2  compare flows from two sources", 2, 2, diffFlows, false},
		{"add-group", "SWITCH GROUP      add group described by GROUP", 2, 2, groupCmd(openflow.GroupAdd), true},
		{"add-groups", "SWITCH FILE      add group from FILE", 2, 2, addGroups, true},
		{"mod-group", "SWITCH GROUP      modify specific group", 2, 2, groupCmd(openflow.GroupModify), true},
		{"del-groups", "SWITCH [GROUP]   delete matching GROUPs", 1, 2, groupCmd(openflow.GroupDelete), true},
		{"insert-buckets", "SWITCH [GROUP]  add buckets to GROUP", 2, 2, groupCmd(openflow.GroupInsertBucket), true},
		{"insert-bucket", "hidden", 2, 2, groupCmd(openflow.GroupInsertBucket), true},
		{"remove-buckets", "SWITCH [GROUP]  remove buckets from GROUP", 2, 2, groupCmd(openflow.GroupRemoveBucket), true},
		{"remove-bucket", "hidden", 2, 2, groupCmd(openflow.GroupRemoveBucket), true},
		{"dump-groups", "SWITCH [GROUP]  print group description", 1, 2, dumpGroups, false},
		{"dump-group-stats", "SWITCH [GROUP]  print group statistics", 1, 2, dumpGroupStats, false},
		{"dump-group-features", "SWITCH  print group features", 1, 1, statsCmd(request(&openflow.GroupFeaturesRequest{})), false},
		{"add-meter", "SWITCH METER      add meter described by METER", 2, 2, meterCmd(openflow.MeterAdd), true},
		{"mod-meter", "SWITCH METER      modify specific METER", 2, 2, meterCmd(openflow.MeterModify), true},
		{"del-meter", "SWITCH METER      delete METER", 2, 2, meterCmd(openflow.MeterDelete), true},
		{"del-meters", "SWITCH           delete all meters", 1, 2, meterCmd(openflow.MeterDelete), true},
		{"dump-meter", "SWITCH METER     print METER configuration", 2, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterConfigRequest{ID: id} }), false},
		{"dump-meters", "SWITCH          print all meter configuration", 1, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterConfigRequest{ID: id} }), false},
		{"meter-stats", "SWITCH [METER]  print meter statistics", 1, 2, meterRequest(func(id uint32) openflow.Message { return &openflow.MeterStatsRequest{ID: id} }), false},
		{"meter-features", "SWITCH       print meter features", 1, 1, meterRequest(func(uint32) openflow.Message { return &openflow.MeterFeaturesRequest{} }), false},
		{"mod-table", "SWITCH MOD        modify flow table behavior", 3, 3, modTable, true},
		{"add-tlv-map", "SWITCH MAP      add TLV option MAPpings", 2, 2, tlvCmd(openflow.TLVAdd), true},
		{"del-tlv-map", "SWITCH [MAP]    delete TLV option MAPpings", 1, 2, tlvCmd(openflow.TLVDelete), true},
		{"dump-tlv-map", "SWITCH         print TLV option mappings", 1, 1, dumpTLVMap, false},
		{"dump-ipfix-bridge", "SWITCH    print ipfix stats of bridge", 1, 1, statsCmd(request(&openflow.IPFIXBridgeStatsRequest{})), false},
		{"dump-ipfix-flow", "SWITCH      print flow ipfix stats of a bridge", 1, 1, statsCmd(request(&openflow.IPFIXFlowStatsRequest{})), false},
		{"packet-out", "SWITCH IN_PORT ACTIONS PACKET...  execute ACTIONS on PACKET", 2, -1, packetOut, true},
		{"monitor", "SWITCH [MISSLEN] [invalid_ttl] [watch:[...]]  print packets received from SWITCH", 1, -1, monitorCmd, false},
		{"snoop", "SWITCH                snoop on SWITCH and its controller", 1, 1, snoop, false},
		{"ct-flush-zone", "SWITCH ZONE  flush conntrack entries in ZONE", 2, 2, ctFlushZone, true},
		{"probe", "TARGET                probe whether TARGET is up", 1, 1, probe, false},
		{"ping", "TARGET [N]             latency of N-byte echos", 1, 2, ping, false},
		{"list-commands", "hidden", 0, 0, listCommands, false},
		{"ofp-print", "hidden", 1, 2, ofpPrint, false},
		{"encode-hello", "hidden", 1, 1, encodeHello, false},
		{"parse-key-value", "hidden", 1, -1, parseKeyValue, false},
		{"print-error", "hidden", 1, 1, printErrorCmd, false},
		{"encode-error-reply", "hidden", 2, 2, encodeErrorReply, false},
		{"parse-flow", "hidden", 1, 1, parseFlow, false},
		{"parse-flows", "hidden", 1, 1, parseFlows, false},
		{"parse-nx-match", "hidden", 0, 0, parseNXMatch, false},
		{"parse-nxm", "hidden", 0, 0, parseNXMatch, false},
		{"parse-oxm", "hidden", 1, 1, parseOXM, false},
		{"parse-ofp11-match", "hidden", 0, 0, parseOFP11Match, false},
		{"ofp-parse", "FILE              print messages read from FILE", 1, 1, ofpParse, false},
		{"parse-pcap", "hidden", 1, -1, parsePcap, false},
		{"parse-actions", "hidden", 1, 1, parseActionsCmd, false},
		{"parse-instructions", "hidden", 1, 1, parseInstructionsCmd, false},
	}
}

// listCommands prints the commands and their arguments as shell completion reads
// them.
func listCommands(t *tool, _ []string) error {
	fmt.Fprintln(t.out, "The available commands are:")
	for _, c := range commands() {
		if c.usage == "hidden" {
			continue
		}
		arguments, _, _ := strings.Cut(c.usage, "  ")
		fmt.Fprintf(t.out, "  %-23s %s\n", c.name, strings.ToLower(arguments))
	}
	return nil
}

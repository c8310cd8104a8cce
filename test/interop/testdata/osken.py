"""A controller on os-ken: it asks for everything that its OpenFlow version has, prints COVERED and how many kinds
of replies came, and is a learning switch then. VERSION is in the environment, as "1.3"."""

import os
import traceback

from os_ken.app.ofctl import api
from os_ken.app.ofctl.exception import OFError
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3, ofproto_v1_4, ofproto_v1_5

PROTOCOLS = {"1.0": ofproto_v1_0, "1.3": ofproto_v1_3, "1.4": ofproto_v1_4, "1.5": ofproto_v1_5}


class Interop(app_manager.OSKenApp):
    OFP_VERSIONS = [PROTOCOLS[os.environ["VERSION"]].OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, ev):
        hub.spawn(self.work, ev.msg.datapath)

    def work(self, dp):
        try:
            while api.get_datapath(self, dp.id) is None:  # until the handshake is over
                hub.sleep(0.05)
            print("COVERED", self.cover(dp), flush=True)
            self.become_switch(dp)
            print("SWITCHING", flush=True)
        except Exception:  # pylint: disable=broad-except
            print("FAILED", traceback.format_exc(), flush=True)

    def ask(self, msg, reply, multi=False):
        got = api.send_msg(self, msg, reply_cls=reply, reply_multi=multi)
        if got is None:
            raise RuntimeError("no reply to %r" % msg)
        return got

    def cover(self, dp):
        ofp, p = dp.ofproto, dp.ofproto_parser
        kinds = set()

        def ask(msg, reply, multi=False):
            kinds.add(type(msg).__name__)
            return self.ask(msg, reply, multi)

        ask(p.OFPGetConfigRequest(dp), p.OFPGetConfigReply)
        ask(p.OFPBarrierRequest(dp), p.OFPBarrierReply)
        ask(p.OFPEchoRequest(dp, b"hello"), p.OFPEchoReply)
        ask(p.OFPDescStatsRequest(dp, 0), p.OFPDescStatsReply, True)
        if ofp.OFP_VERSION == ofproto_v1_0.OFP_VERSION:
            match = p.OFPMatch()
            ask(p.OFPFlowStatsRequest(dp, 0, match, 0xff, ofp.OFPP_NONE), p.OFPFlowStatsReply, True)
            ask(p.OFPAggregateStatsRequest(dp, 0, match, 0xff, ofp.OFPP_NONE), p.OFPAggregateStatsReply, True)
            ask(p.OFPTableStatsRequest(dp, 0), p.OFPTableStatsReply, True)
            ask(p.OFPPortStatsRequest(dp, 0, ofp.OFPP_NONE), p.OFPPortStatsReply, True)
            ask(p.OFPQueueStatsRequest(dp, 0, ofp.OFPP_ALL, ofp.OFPQ_ALL), p.OFPQueueStatsReply, True)
            ask(p.OFPQueueGetConfigRequest(dp, 1), p.OFPQueueGetConfigReply)
            return len(kinds)
        self.state(dp)
        match = p.OFPMatch()
        rest = (0, ofp.OFPTT_ALL, ofp.OFPP_ANY, ofp.OFPG_ANY, 0, 0, match)
        if ofp.OFP_VERSION < 6:
            flows = ask(p.OFPFlowStatsRequest(dp, *rest), p.OFPFlowStatsReply, True)
        else:
            flows = ask(p.OFPFlowDescStatsRequest(dp, *rest), p.OFPFlowDescStatsReply, True)
        found = [f for m in flows for f in m.body if f.cookie == 0x1234]
        if len(found) != 1 or found[0].priority != 7 or found[0].match["tcp_dst"] != 80:
            raise RuntimeError("flows are %r" % [f for m in flows for f in m.body])
        ask(p.OFPAggregateStatsRequest(dp, *rest), p.OFPAggregateStatsReply, True)
        ask(p.OFPTableStatsRequest(dp, 0), p.OFPTableStatsReply, True)
        ask(p.OFPTableFeaturesStatsRequest(dp, 0, []), p.OFPTableFeaturesStatsReply, True)
        ask(p.OFPPortStatsRequest(dp, 0, ofp.OFPP_ANY), p.OFPPortStatsReply, True)
        desc = p.OFPPortDescStatsRequest(dp, 0) if ofp.OFP_VERSION < 6 else p.OFPPortDescStatsRequest(dp, 0, ofp.OFPP_ANY)
        ports = ask(desc, p.OFPPortDescStatsReply, True)
        names = sorted(q.name.decode() if isinstance(q.name, bytes) else q.name for m in ports for q in m.body)
        if names != ["br0", "p1", "p2"]:
            raise RuntimeError("ports are %r" % names)
        ask(p.OFPQueueStatsRequest(dp, 0, ofp.OFPP_ANY, ofp.OFPQ_ALL), p.OFPQueueStatsReply, True)
        ask(p.OFPGroupStatsRequest(dp, 0, ofp.OFPG_ALL), p.OFPGroupStatsReply, True)
        desc = p.OFPGroupDescStatsRequest(dp, 0) if ofp.OFP_VERSION < 6 else p.OFPGroupDescStatsRequest(dp, 0, ofp.OFPG_ALL)
        groups = ask(desc, p.OFPGroupDescStatsReply, True)
        if [g.group_id for m in groups for g in m.body] != [1]:
            raise RuntimeError("groups are %r" % groups)
        ask(p.OFPGroupFeaturesStatsRequest(dp, 0), p.OFPGroupFeaturesStatsReply, True)
        ask(p.OFPMeterStatsRequest(dp, 0, ofp.OFPM_ALL), p.OFPMeterStatsReply, True)
        if ofp.OFP_VERSION < 6:
            ask(p.OFPMeterConfigStatsRequest(dp, 0, ofp.OFPM_ALL), p.OFPMeterConfigStatsReply, True)
        else:
            ask(p.OFPMeterDescStatsRequest(dp, 0, ofp.OFPM_ALL), p.OFPMeterDescStatsReply, True)
        ask(p.OFPMeterFeaturesStatsRequest(dp, 0), p.OFPMeterFeaturesStatsReply, True)
        role = (dp, ofp.OFPCR_ROLE_EQUAL, 0) if ofp.OFP_VERSION < 6 else (dp, ofp.OFPCR_ROLE_EQUAL, 0, 0)
        ask(p.OFPRoleRequest(*role), p.OFPRoleReply)
        ask(p.OFPGetAsyncRequest(dp), p.OFPGetAsyncReply)
        if ofp.OFP_VERSION < 5:
            ask(p.OFPQueueGetConfigRequest(dp, ofp.OFPP_ANY), p.OFPQueueGetConfigReply)
        else:
            ask(p.OFPTableDescStatsRequest(dp, 0), p.OFPTableDescStatsReply, True)
            ask(p.OFPQueueDescStatsRequest(dp, 0, ofp.OFPP_ANY, ofp.OFPQ_ALL), p.OFPQueueDescStatsReply, True)
            self.bundle(dp, ask)
        self.refused(dp)
        return len(kinds)

    def state(self, dp):
        """Makes a meter, a group and a flow for the requests to tell of."""
        ofp, p = dp.ofproto, dp.ofproto_parser
        dp.send_msg(p.OFPMeterMod(dp, ofp.OFPMC_ADD, ofp.OFPMF_KBPS, 1, [p.OFPMeterBandDrop(1000, 100)]))
        actions = [p.OFPActionOutput(2)]
        if ofp.OFP_VERSION < 6:
            dp.send_msg(p.OFPGroupMod(dp, ofp.OFPGC_ADD, ofp.OFPGT_ALL, 1, [p.OFPBucket(actions=actions)]))
        else:
            dp.send_msg(p.OFPGroupMod(dp, ofp.OFPGC_ADD, ofp.OFPGT_ALL, 1, ofp.OFPG_BUCKET_ALL, [p.OFPBucket(bucket_id=0, actions=actions)]))
        dp.send_msg(self.flow(dp, 7, 0x1234, p.OFPMatch(eth_type=0x800, ip_proto=6, tcp_dst=80), [
            p.OFPActionSetField(ipv4_dst="10.0.0.9"), p.OFPActionDecNwTtl(), p.OFPActionGroup(1)]))
        self.ask(p.OFPBarrierRequest(dp), p.OFPBarrierReply)

    @staticmethod
    def flow(dp, priority, cookie, match, actions):
        ofp, p = dp.ofproto, dp.ofproto_parser
        return p.OFPFlowMod(dp, cookie=cookie, priority=priority, match=match, instructions=[
            p.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)])

    def bundle(self, dp, ask):
        """Adds a flow in a bundle."""
        ofp, p = dp.ofproto, dp.ofproto_parser
        flags = ofp.OFPBF_ATOMIC
        ask(p.OFPBundleCtrlMsg(dp, 1, ofp.OFPBCT_OPEN_REQUEST, flags, []), p.OFPBundleCtrlMsg)
        inner = self.flow(dp, 8, 0x5678, p.OFPMatch(in_port=1), [p.OFPActionOutput(2)])
        inner.xid = 77
        add = p.OFPBundleAddMsg(dp, 1, flags, inner, [])
        add.xid = 77
        dp.send_msg(add)
        ask(p.OFPBundleCtrlMsg(dp, 1, ofp.OFPBCT_COMMIT_REQUEST, flags, []), p.OFPBundleCtrlMsg)
        dp.send_msg(p.OFPFlowMod(dp, command=ofp.OFPFC_DELETE, table_id=ofp.OFPTT_ALL, cookie=0x5678, cookie_mask=2**64 - 1,
                                 out_port=ofp.OFPP_ANY, out_group=ofp.OFPG_ANY))

    def refused(self, dp):
        """Asks for what can't be, and expects an error that os-ken can read."""
        ofp, p = dp.ofproto, dp.ofproto_parser
        rest = () if ofp.OFP_VERSION < 6 else (ofp.OFPG_BUCKET_ALL,)
        try:
            api.send_msg(self, p.OFPGroupMod(dp, ofp.OFPGC_MODIFY, ofp.OFPGT_ALL, 99, *rest, []))
        except OFError as e:
            if e.result[0].type != ofp.OFPET_GROUP_MOD_FAILED or e.result[0].code != ofp.OFPGMFC_UNKNOWN_GROUP:
                raise
            return
        raise RuntimeError("a group that isn't there was modified")

    def become_switch(self, dp):
        ofp, p = dp.ofproto, dp.ofproto_parser
        if ofp.OFP_VERSION > 1:
            dp.send_msg(p.OFPFlowMod(dp, command=ofp.OFPFC_DELETE, table_id=ofp.OFPTT_ALL, out_port=ofp.OFPP_ANY, out_group=ofp.OFPG_ANY))
            dp.send_msg(self.flow(dp, 0, 0, p.OFPMatch(), [p.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)]))
        self.ask(p.OFPBarrierRequest(dp), p.OFPBarrierReply)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        ofp, p = dp.ofproto, dp.ofproto_parser
        in_port = msg.in_port if ofp.OFP_VERSION == 1 else msg.match["in_port"]
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        self.ports[eth.src] = in_port
        out = self.ports.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [p.OFPActionOutput(out)]
        if out != ofp.OFPP_FLOOD:
            if ofp.OFP_VERSION == 1:
                dp.send_msg(p.OFPFlowMod(dp, match=p.OFPMatch(in_port=in_port, dl_dst=eth.dst), priority=1, actions=actions))
            else:
                dp.send_msg(self.flow(dp, 1, 0, p.OFPMatch(in_port=in_port, eth_dst=eth.dst), actions))
        if ofp.OFP_VERSION < 6:
            dp.send_msg(p.OFPPacketOut(dp, ofp.OFP_NO_BUFFER, in_port, actions, data=msg.data))
        else:
            dp.send_msg(p.OFPPacketOut(dp, ofp.OFP_NO_BUFFER, p.OFPMatch(in_port=in_port), actions, data=msg.data))
        print("FORWARDED", eth.src, eth.dst, flush=True)

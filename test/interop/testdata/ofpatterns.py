"""Writes test patterns for os-ken's switch tester (os_ken.tests.switch.tester).

ofpatterns.py DIR VERSION [whole]: one file a kind of test, for OpenFlow VERSION (1.0, 1.3
or 1.4), and prints how many tests that are. With "whole" these are also the tests that
take a second or more each: packets that miss every match, and meters.
Packets are made by os-ken's packet library, before and after what the target does to
them, so that what is expected comes from a program that is no switch.
"""
import json
import os
import sys

from os_ken.ofproto import ofproto_parser, ofproto_protocol, ofproto_v1_0, ofproto_v1_3, ofproto_v1_4

VERSIONS = {'1.0': ofproto_v1_0, '1.3': ofproto_v1_3, '1.4': ofproto_v1_4}
SRC, DST, NEW = '12:11:11:11:11:11', '22:22:22:22:22:22', '32:33:33:33:33:33'
IN, OUT1, OUT2 = 1, 2, 3  # the target's ports


class Datapath(ofproto_protocol.ProtocolDesc):
    def set_xid(self, _):
        pass


# Packets: lists of (class, arguments), by name.
def ether(kind, **kw):
    return ('ethernet', dict(dst=DST, src=SRC, ethertype=kind) | kw)


def ipv4(proto, **kw):
    return ('ipv4', dict(proto=proto, src='192.168.10.10', dst='192.168.20.20', tos=32, ttl=64) | kw)


def ipv6(proto, **kw):
    return ('ipv6', dict(nxt=proto, src='10::10', dst='20::20', traffic_class=32, flow_label=100, hop_limit=64) | kw)


class Text(str):
    """Stands as it is in the tester's expression."""
    __repr__ = str.__str__


CHUNK = Text("chunk_data(begin=1, end=1, tsn=5, payload_data=b'abcdefgh')")
PORTS = dict(src_port=11111, dst_port=2222)
TCP, UDP, SCTP = ('tcp', PORTS | {'bits': 2}), ('udp', PORTS), ('sctp', PORTS | {'chunks': [CHUNK]})
ND = ('icmpv6', dict(type_=135, code=0, data=('nd_neighbor', dict(dst='10::20', option=('nd_option_sla', dict(hw_src=SRC))))))
NA = ('icmpv6', dict(type_=136, code=0, data=('nd_neighbor', dict(dst='10::20', option=('nd_option_tla', dict(hw_src=SRC))))))
PACKETS = {
    'ipv4-tcp': [ether(0x800), ipv4(6), TCP],
    'ipv4-udp': [ether(0x800), ipv4(17), UDP],
    'ipv4-sctp': [ether(0x800), ipv4(132), SCTP],
    'ipv4-icmp': [ether(0x800), ipv4(1), ('icmp', dict(type_=8, code=0, data=('echo', dict(id_=1, seq=2, data=b'abcdefgh'))))],
    'ipv6-tcp': [ether(0x86dd), ipv6(6), TCP],
    'ipv6-udp': [ether(0x86dd), ipv6(17), UDP],
    'ipv6-sctp': [ether(0x86dd), ipv6(132), SCTP],
    'ipv6-icmp': [ether(0x86dd), ipv6(58), ('icmpv6', dict(type_=128, code=0, data=('icmpv6echo', dict(id_=1, seq=2, data=b'abcdefgh'))))],
    'ipv6-ns': [ether(0x86dd), ipv6(58, hop_limit=255), ND],
    'ipv6-na': [ether(0x86dd), ipv6(58, hop_limit=255), NA],
    'arp': [ether(0x806), ('arp', dict(opcode=1, src_mac=SRC, src_ip='192.168.10.10', dst_mac=DST, dst_ip='192.168.20.20'))],
    'vlan-ipv4-tcp': [ether(0x8100), ('vlan', dict(pcp=3, cfi=0, vid=100, ethertype=0x800)), ipv4(6), TCP],
    'vlan-ipv6-udp': [ether(0x8100), ('vlan', dict(pcp=3, cfi=0, vid=100, ethertype=0x86dd)), ipv6(17), UDP],
    'vlan-arp': [ether(0x8100), ('vlan', dict(pcp=3, cfi=0, vid=100, ethertype=0x806)),
                 ('arp', dict(opcode=1, src_mac=SRC, src_ip='192.168.10.10', dst_mac=DST, dst_ip='192.168.20.20'))],
    'qinq-ipv4-tcp': [ether(0x88a8), ('svlan', dict(pcp=5, cfi=0, vid=200, ethertype=0x8100)),
                      ('vlan', dict(pcp=3, cfi=0, vid=100, ethertype=0x800)), ipv4(6), TCP],
    'mpls-ipv4-tcp': [ether(0x8847), ('mpls', dict(label=100, exp=3, bsb=1, ttl=64)), ipv4(6), TCP],
    'mpls2-ipv4-tcp': [ether(0x8847), ('mpls', dict(label=100, exp=3, bsb=0, ttl=64)),
                       ('mpls', dict(label=50, exp=1, bsb=1, ttl=32)), ipv4(6), TCP],
    'mpls-ipv6-tcp': [ether(0x8847), ('mpls', dict(label=100, exp=3, bsb=1, ttl=64)), ipv6(6), TCP],
    'mplsmc-ipv4-udp': [ether(0x8848), ('mpls', dict(label=100, exp=3, bsb=1, ttl=64)), ipv4(17), UDP],
}
PAYLOAD = "'\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x09\\x0a\\x0b\\x0c\\x0d\\x0e\\x0f\\x10\\x11\\x12\\x13\\x14\\x15\\x16'"


def text(layer):
    name, args = layer
    return '%s(%s)' % (name, ', '.join('%s=%s' % (k, text(v) if isinstance(v, tuple) else repr(v)) for k, v in args.items()))


def lines(packet):
    """The packet as the tester reads it, with a payload where a layer has none in itself."""
    out = [text(layer) for layer in packet]
    return out + ([] if packet[-1][0] in ('icmp', 'icmpv6', 'sctp') else ["b" + PAYLOAD])


def changed(packet, layer, **kw):
    """The packet with arguments of its first such layer changed."""
    out, done = [], False
    for name, args in packet:
        if name == layer and not done:
            args, done = args | kw, True
        out.append((name, args))
    assert done, (layer, packet)
    return out


# What a match on a field says: the field, its value, a value that the packet
# hasn't, a mask (None: the field has none), by kind of packet.
ETH = [('eth_dst', DST, NEW, 'ff:ff:ff:00:00:00'), ('eth_src', SRC, NEW, 'ff:ff:ff:00:00:00')]
IP = [('ip_dscp', 8, 9, None), ('ip_ecn', 0, 1, None)]
V4 = IP + [('ipv4_src', '192.168.10.10', '192.168.10.11', '255.255.255.0'), ('ipv4_dst', '192.168.20.20', '192.168.20.21', '255.255.255.0')]
V6 = IP + [('ipv6_src', '10::10', '10::11', 'ffff:ffff:ffff:ffff::'), ('ipv6_dst', '20::20', '20::21', 'ffff:ffff:ffff:ffff::'),
           ('ipv6_flabel', 100, 101, 0xfff0f)]
ARP = [('arp_op', 1, 2, None), ('arp_spa', '192.168.10.10', '192.168.10.11', '255.255.255.0'),
       ('arp_tpa', '192.168.20.20', '192.168.20.21', '255.255.255.0'),
       ('arp_sha', SRC, NEW, 'ff:ff:ff:00:00:00'), ('arp_tha', DST, NEW, 'ff:ff:ff:00:00:00')]


def ports(proto):
    return [(proto + '_src', 11111, 11112, None), (proto + '_dst', 2222, 2223, None)]


VLAN = [('vlan_vid', 0x1064, 0x1165, 0x1ff0), ('vlan_pcp', 3, 4, None)]
MPLS = [('mpls_label', 100, 101, None), ('mpls_tc', 3, 4, None), ('mpls_bos', 1, 0, None)]
# For each packet: what the fields need, and the fields.
FIELDS = {
    'ipv4-tcp': ({'eth_type': 0x800, 'ip_proto': 6}, V4 + ports('tcp')),
    'ipv4-udp': ({'eth_type': 0x800, 'ip_proto': 17}, ports('udp')),
    'ipv4-sctp': ({'eth_type': 0x800, 'ip_proto': 132}, ports('sctp')),
    'ipv4-icmp': ({'eth_type': 0x800, 'ip_proto': 1}, [('icmpv4_type', 8, 0, None), ('icmpv4_code', 0, 1, None)]),
    'ipv6-tcp': ({'eth_type': 0x86dd, 'ip_proto': 6}, V6 + ports('tcp')),
    'ipv6-udp': ({'eth_type': 0x86dd, 'ip_proto': 17}, ports('udp')),
    'ipv6-sctp': ({'eth_type': 0x86dd, 'ip_proto': 132}, ports('sctp')),
    'ipv6-icmp': ({'eth_type': 0x86dd, 'ip_proto': 58}, [('icmpv6_type', 128, 129, None), ('icmpv6_code', 0, 1, None)]),
    'ipv6-ns': ({'eth_type': 0x86dd, 'ip_proto': 58, 'icmpv6_type': 135},
                [('ipv6_nd_target', '10::20', '10::21', None), ('ipv6_nd_sll', SRC, NEW, None)]),
    'ipv6-na': ({'eth_type': 0x86dd, 'ip_proto': 58, 'icmpv6_type': 136},
                [('ipv6_nd_target', '10::20', '10::21', None), ('ipv6_nd_tll', SRC, NEW, None)]),
    'arp': ({'eth_type': 0x806}, ARP),
    'vlan-ipv4-tcp': ({'vlan_vid': 0x1064, 'eth_type': 0x800, 'ip_proto': 6}, V4 + ports('tcp')),
    'vlan-ipv6-udp': ({'vlan_vid': 0x1064, 'eth_type': 0x86dd, 'ip_proto': 17}, V6 + ports('udp')),
    'vlan-arp': ({'vlan_vid': 0x1064, 'eth_type': 0x806}, ARP),
    'mpls-ipv4-tcp': ({'eth_type': 0x8847}, MPLS),
    'mpls2-ipv4-tcp': ({'eth_type': 0x8847}, [('mpls_label', 100, 50, None), ('mpls_bos', 0, 1, None)]),
    'mpls-ipv6-tcp': ({'eth_type': 0x8847}, MPLS),
    'mplsmc-ipv4-udp': ({'eth_type': 0x8848}, MPLS),
}
# Without a requirement, for a few packets; 1.3 and later know no masks of pipeline fields that differ here.
PLAIN = ETH + [('in_port', IN, OUT1, None), ('metadata', 0, 1, 1), ('tunnel_id', 0, 1, 1), ('eth_type', None, 0x1234, None)]

# What set-field changes: layer and argument, and the new value there. Not SCTP's
# ports, since os-ken's checksum is not that of RFC 9260.
SETS = {
    'eth_dst': ('ethernet', 'dst', NEW), 'eth_src': ('ethernet', 'src', NEW),
    'vlan_vid': ('vlan', 'vid', 203), 'vlan_pcp': ('vlan', 'pcp', 6),
    'ipv4_src': ('ipv4', 'src', '10.0.0.33'), 'ipv4_dst': ('ipv4', 'dst', '10.0.0.44'),
    'ipv6_src': ('ipv6', 'src', '33::33'), 'ipv6_dst': ('ipv6', 'dst', '44::44'), 'ipv6_flabel': ('ipv6', 'flow_label', 203),
    'tcp_src': ('tcp', 'src_port', 33333), 'tcp_dst': ('tcp', 'dst_port', 4444),
    'udp_src': ('udp', 'src_port', 33333), 'udp_dst': ('udp', 'dst_port', 4444),
    'icmpv4_type': ('icmp', 'type_', 0), 'icmpv4_code': ('icmp', 'code', 7),
    'icmpv6_type': ('icmpv6', 'type_', 129), 'icmpv6_code': ('icmpv6', 'code', 7),
    'arp_op': ('arp', 'opcode', 2), 'arp_spa': ('arp', 'src_ip', '10.0.0.33'), 'arp_tpa': ('arp', 'dst_ip', '10.0.0.44'),
    'arp_sha': ('arp', 'src_mac', NEW), 'arp_tha': ('arp', 'dst_mac', NEW),
    'mpls_label': ('mpls', 'label', 203), 'mpls_tc': ('mpls', 'exp', 6),
}


class Patterns:
    """The test files of one version."""

    def __init__(self, version, whole):
        self.of = VERSIONS[version]
        self.dp = Datapath(self.of.OFP_VERSION)
        self.p = self.dp.ofproto_parser
        self.old = version == '1.0'
        self.whole = whole
        self.missed = []  # kinds of packets that a test had miss already
        self.files = {}

    def message(self, msg):
        try:
            msg.serialize()
        except Exception as e:
            raise ValueError('%s: %s' % (msg, e))
        return ofproto_parser.ofp_msg_from_jsondict(self.dp, msg.to_jsondict()).to_jsondict()

    def flow(self, match, actions=None, instructions=(), **kw):
        args = dict(match=match, command=self.of.OFPFC_ADD, priority=100, cookie=0) | kw
        if actions is None:
            actions = [self.p.OFPActionOutput(OUT1)]
        if self.old:
            return self.message(self.p.OFPFlowMod(self.dp, actions=actions, **args))
        instructions = list(instructions)
        if actions:
            instructions.append(self.p.OFPInstructionActions(self.of.OFPIT_APPLY_ACTIONS, actions))
        return self.message(self.p.OFPFlowMod(self.dp, instructions=instructions, **args))

    def match(self, **fields):
        return self.p.OFPMatch(**fields)

    def add(self, name, title, prerequisite, *tests):
        self.files.setdefault(name, []).append(
            {'description': title, 'prerequisite': prerequisite, 'tests': list(tests)})

    def write(self, dir):
        for name, tests in self.files.items():
            with open(os.path.join(dir, name + '.json'), 'w') as f:
                json.dump([name] + tests, f)

    # One kind of test each.
    def meets(self, name, title, packet, fields, wrong):
        """A packet that meets the match goes out, one that doesn't misses the table, and one goes to the controller."""
        p = self.p
        good, bad = self.match(**fields), self.match(**wrong)
        self.add(name, title, [self.flow(good)], {'ingress': lines(packet), 'egress': lines(packet)})
        self.add(name, title + ' to controller', [self.flow(good, [p.OFPActionOutput(self.of.OFPP_CONTROLLER, self.octets())])],
                 {'ingress': lines(packet), 'PACKET_IN': lines(packet)})
        if self.whole or not any(name.startswith(kind + '-') for kind in self.missed):
            self.missed.append(name.rpartition('-')[0])
            self.add(name, title + ' unmatched', [self.flow(bad)], {'ingress': lines(packet), 'table-miss': [0]})

    def octets(self):
        return 65535 if self.old else self.of.OFPCML_NO_BUFFER

    def matches(self):
        for kind, (whole, fields) in FIELDS.items():
            for field, value, other, mask in fields:
                need = {k: v for k, v in whole.items() if k != 'ip_proto' or not field.startswith('ip')}
                if field.startswith('ipv6_nd'):
                    need = whole
                name = 'match-%s-%s' % (kind, field)
                self.meets(name, '%s==%s' % (field, value), PACKETS[kind], need | {field: value}, need | {field: other})
                if mask is not None:
                    self.meets(name, '%s==%s/%s' % (field, value, mask), PACKETS[kind],
                               need | {field: (value, mask)}, need | {field: (other if '.' not in str(other) else '172.16.1.1', mask)}
                               if field not in ('ipv6_src', 'ipv6_dst') else need | {field: ('99::', mask)})
        for kind in 'ipv4-tcp', 'ipv6-udp', 'arp', 'vlan-ipv4-tcp', 'mpls-ipv4-tcp':
            packet = PACKETS[kind]
            real = next((a['ethertype'] for n, a in reversed(packet) if 'ethertype' in a))
            for field, value, other, mask in PLAIN + (VLAN if 'vlan' in kind else []):
                value = real if value is None else value
                extra = {'vlan_vid': 0x1064} if field == 'vlan_pcp' else {}
                name = 'match-%s-%s' % (kind, field)
                self.meets(name, '%s==%s' % (field, value), packet, extra | {field: value}, extra | {field: other})
                if mask is not None:
                    self.meets(name, '%s==%s/%s' % (field, value, mask), packet, extra | {field: (value, mask)}, extra | {field: (other, mask)})

    def outgoing(self, name, title, packet, actions, after, match=None, **kw):
        match = match or self.match()
        self.add(name, title, [self.flow(match, actions + [self.p.OFPActionOutput(OUT1)], **kw)],
                 {'ingress': lines(packet), 'egress': lines(after)})
        self.add(name, title + ' to controller', [self.flow(match, actions + [self.p.OFPActionOutput(self.of.OFPP_CONTROLLER, self.octets())], **kw)],
                 {'ingress': lines(packet), 'PACKET_IN': lines(after)})

    def set_fields(self):
        for kind, (need, fields) in FIELDS.items():
            packet = PACKETS[kind]
            have = [f for f, *_ in ETH + (VLAN if 'vlan' in kind else []) + fields]
            for field in have:
                name = 'set-%s-%s' % (kind, field)
                if field in ('ip_dscp', 'ip_ecn'):
                    v6 = 'ipv6' in kind
                    after = changed(packet, 'ipv6' if v6 else 'ipv4', **{'traffic_class' if v6 else 'tos': 0x68 if field == 'ip_dscp' else 0x22})
                    value = 0x1a if field == 'ip_dscp' else 2
                elif field in SETS:
                    layer, arg, value = SETS[field]
                    after = changed(packet, layer, **{arg: value})
                    if field == 'vlan_vid':
                        value |= 0x1000
                else:
                    continue
                self.outgoing(name, '%s->%s' % (field, value), packet, [self.p.OFPActionSetField(**{field: value})], after, self.match(**need))

    def headers(self):
        p, of = self.p, self.of
        for kind, need in (('ipv4-tcp', 0x800), ('ipv6-udp', 0x86dd), ('arp', 0x806), ('mpls-ipv4-tcp', 0x8847), ('vlan-ipv4-tcp', 0x800)):
            packet = PACKETS[kind]
            match = self.match(eth_type=need)
            for tpid, layer in ((0x8100, 'vlan'), (0x88a8, 'svlan')):
                after = [(n, a | {'ethertype': tpid}) if i == 0 else (n, a) for i, (n, a) in enumerate(packet)]
                after.insert(1, (layer, dict(pcp=0, cfi=0, vid=0, ethertype=packet[0][1]['ethertype'])))
                self.outgoing('push-vlan-' + kind, 'push_vlan %#x' % tpid, packet, [p.OFPActionPushVlan(tpid)], after, match)
                after2 = after[:1] + [(layer, after[1][1] | {'vid': 77})] + after[2:]
                self.outgoing('push-vlan-' + kind, 'push_vlan %#x and vlan_vid' % tpid, packet,
                              [p.OFPActionPushVlan(tpid), p.OFPActionSetField(vlan_vid=0x1000 | 77)], after2, match)
            if kind.startswith('vlan'):
                continue
            for tpid in 0x8847, 0x8848:
                ttl = next((a.get('ttl', a.get('hop_limit')) for n, a in packet if n in ('mpls', 'ipv4', 'ipv6')), 64)
                top = next((a for n, a in packet if n == 'mpls'), dict(label=0, exp=0))
                if kind == 'ipv6-udp':
                    top = dict(label=2, exp=0)  # RFC 3032: explicit null of IPv6
                after = [(n, a | {'ethertype': tpid}) if i == 0 else (n, a) for i, (n, a) in enumerate(packet)]
                after.insert(1, ('mpls', dict(label=top['label'], exp=top['exp'], bsb=0 if 'mpls' in kind else 1, ttl=ttl)))
                self.outgoing('push-mpls-' + kind, 'push_mpls %#x' % tpid, packet, [p.OFPActionPushMpls(tpid)], after, match)
                after2 = after[:1] + [('mpls', after[1][1] | {'label': 99, 'exp': 5})] + after[2:]
                self.outgoing('push-mpls-' + kind, 'push_mpls %#x and label, tc' % tpid, packet,
                              [p.OFPActionPushMpls(tpid), p.OFPActionSetField(mpls_label=99), p.OFPActionSetField(mpls_tc=5)], after2, match)
        for kind in 'vlan-ipv4-tcp', 'vlan-ipv6-udp', 'vlan-arp', 'qinq-ipv4-tcp':
            packet = PACKETS[kind]
            after = [(n, a | {'ethertype': packet[1][1]['ethertype']}) if i == 0 else (n, a) for i, (n, a) in enumerate(packet) if i != 1]
            self.outgoing('pop-vlan-' + kind, 'pop_vlan', packet, [p.OFPActionPopVlan()], after, self.match(vlan_vid=(0x1000, 0x1000)))
        for kind, inner in (('mpls-ipv4-tcp', 0x800), ('mpls2-ipv4-tcp', 0x8847), ('mpls-ipv6-tcp', 0x86dd), ('mplsmc-ipv4-udp', 0x800)):
            packet = PACKETS[kind]
            match = self.match(eth_type=packet[0][1]['ethertype'])
            after = [(n, a | {'ethertype': inner}) if i == 0 else (n, a) for i, (n, a) in enumerate(packet) if i != 1]
            self.outgoing('pop-mpls-' + kind, 'pop_mpls %#x' % inner, packet, [p.OFPActionPopMpls(inner)], after, match)
            self.outgoing('mpls-ttl-' + kind, 'dec_mpls_ttl', packet, [p.OFPActionDecMplsTtl()], changed(packet, 'mpls', ttl=63), match)
            self.outgoing('mpls-ttl-' + kind, 'set_mpls_ttl', packet, [p.OFPActionSetMplsTtl(17)], changed(packet, 'mpls', ttl=17), match)
        for kind in 'ipv4-tcp', 'ipv4-udp', 'ipv6-tcp', 'vlan-ipv4-tcp', 'vlan-ipv6-udp':
            packet = PACKETS[kind]
            v6 = 'ipv6' in kind
            layer, arg = ('ipv6', 'hop_limit') if v6 else ('ipv4', 'ttl')
            match = self.match(eth_type=0x86dd if v6 else 0x800)
            self.outgoing('nw-ttl-' + kind, 'dec_nw_ttl', packet, [p.OFPActionDecNwTtl()], changed(packet, layer, **{arg: 63}), match)
            self.outgoing('nw-ttl-' + kind, 'set_nw_ttl', packet, [p.OFPActionSetNwTtl(17)], changed(packet, layer, **{arg: 17}), match)
        self.outgoing('queue', 'set_queue', PACKETS['ipv4-tcp'], [p.OFPActionSetQueue(1)], PACKETS['ipv4-tcp'])

    def groups(self):
        p, of = self.p, self.of
        packet = PACKETS['ipv4-tcp']
        after = changed(packet, 'ethernet', dst=NEW)

        def bucket(actions, weight=0, watch=None):
            return p.OFPBucket(weight=weight, actions=actions, watch_port=of.OFPP_ANY if watch is None else watch, watch_group=of.OFPG_ANY)

        def group(kind, *buckets):
            return self.message(p.OFPGroupMod(self.dp, command=of.OFPGC_ADD, type_=kind, group_id=1, buckets=list(buckets)))
        out, rewrite = p.OFPActionOutput(OUT1), p.OFPActionSetField(eth_dst=NEW)
        use = [p.OFPActionGroup(1)]
        for title, mod, want in (
                ('all', group(of.OFPGT_ALL, bucket([out]), bucket([p.OFPActionOutput(OUT2)])), packet),
                ('all, one rewrites', group(of.OFPGT_ALL, bucket([rewrite, out]), bucket([p.OFPActionOutput(OUT2)])), after),
                ('indirect', group(of.OFPGT_INDIRECT, bucket([rewrite, out])), after),
                ('select', group(of.OFPGT_SELECT, bucket([rewrite, out], weight=1), bucket([rewrite, out], weight=1)), after),
                ('fast failover', group(of.OFPGT_FF, bucket([rewrite, out], watch=OUT1), bucket([p.OFPActionOutput(OUT2)], watch=OUT2)), after)):
            self.add('group', title, [mod, self.flow(self.match(), use)], {'ingress': lines(packet), 'egress': lines(want)})

    def tables(self):
        p, of = self.p, self.of
        packet = PACKETS['ipv4-tcp']
        after = changed(packet, 'ethernet', dst=NEW)
        goto = p.OFPInstructionGotoTable(1)
        self.add('table', 'goto_table', [self.flow(self.match(), [], [goto]), self.flow(self.match(), table_id=1)],
                 {'ingress': lines(packet), 'egress': lines(packet)})
        self.add('table', 'metadata', [self.flow(self.match(), [], [p.OFPInstructionWriteMetadata(0x5a, 0xff), goto]),
                                       self.flow(self.match(metadata=0x5a), table_id=1)], {'ingress': lines(packet), 'egress': lines(packet)})
        self.add('table', 'metadata unmatched', [self.flow(self.match(), [], [p.OFPInstructionWriteMetadata(0x5a, 0x0f), goto]),
                                                 self.flow(self.match(metadata=0x5a), table_id=1)], {'ingress': lines(packet), 'table-miss': [1]})
        write = p.OFPInstructionActions(of.OFPIT_WRITE_ACTIONS, [p.OFPActionOutput(OUT1), p.OFPActionSetField(eth_dst=NEW)])
        self.add('table', 'write_actions', [self.flow(self.match(), [], [write, goto]), self.flow(self.match(), [], table_id=1)],
                 {'ingress': lines(packet), 'egress': lines(after)})
        clear = p.OFPInstructionActions(of.OFPIT_CLEAR_ACTIONS, [])
        again = p.OFPInstructionActions(of.OFPIT_WRITE_ACTIONS, [p.OFPActionOutput(OUT1)])
        self.add('table', 'clear_actions', [self.flow(self.match(), [], [write, goto]), self.flow(self.match(), [], [clear, again], table_id=1)],
                 {'ingress': lines(packet), 'egress': lines(packet)})
        self.add('table', 'priority', [self.flow(self.match(), [p.OFPActionSetField(eth_src=NEW), p.OFPActionOutput(OUT1)], priority=1),
                                       self.flow(self.match(eth_type=0x800), [p.OFPActionSetField(eth_dst=NEW), p.OFPActionOutput(OUT1)], priority=2)],
                 {'ingress': lines(packet), 'egress': lines(after)})

    def meters(self):
        p, of = self.p, self.of
        packet = PACKETS['ipv4-udp']
        # 1,000 octets of frame, so that the rates in kbps mean something.
        data = [text(layer) for layer in packet] + ["b'\\x55' * 958"]
        tester = self.p.OFPMatch(in_port=2)
        tester.serialize(bytearray(), 0)
        match = tester.to_jsondict()['OFPMatch']
        for unit, rate in (('pktps', 200), ('kbps', 1600)):
            flags = of.OFPMF_PKTPS if unit == 'pktps' else of.OFPMF_KBPS
            mod = self.message(p.OFPMeterMod(self.dp, command=of.OFPMC_ADD, flags=flags, meter_id=1,
                                             bands=[p.OFPMeterBandDrop(rate=rate, burst_size=rate // 10)]))
            flow = self.flow(self.match(), None, [p.OFPInstructionMeter(1, of.OFPIT_METER)])
            self.add('meter', 'drop %d %s' % (rate, unit), [mod, flow],
                     {'ingress': {'packets': {'data': data, 'pktps': 500, 'duration_time': 5}},
                      'egress': {'throughput': [{'OFPMatch': match, unit: rate}]}})

    def old_actions(self):
        """OpenFlow 1.0: matches and actions of its own."""
        p, of = self.p, self.of
        fields = dict(in_port=(IN, OUT1), dl_src=(SRC, NEW), dl_dst=(DST, NEW), dl_type=(0x800, 0x806))
        ip = fields | dict(nw_src=('192.168.10.10', '1.1.1.1'), nw_dst=('192.168.20.20', '1.1.1.1'), nw_proto=(6, 17), nw_tos=(32, 64),
                           tp_src=(11111, 1), tp_dst=(2222, 1))
        vlan = ip | dict(dl_vlan=(100, 101), dl_vlan_pcp=(3, 4))
        arp = fields | dict(dl_type=(0x806, 0x800), nw_src=('192.168.10.10', '1.1.1.1'), nw_dst=('192.168.20.20', '1.1.1.1'), nw_proto=(1, 2))
        for kind, have in (('ipv4-tcp', ip), ('vlan-ipv4-tcp', vlan), ('arp', arp), ('ipv4-icmp', fields | dict(nw_proto=(1, 2), tp_src=(8, 0), tp_dst=(0, 1)))):
            for field, (value, other) in have.items():
                need = {}
                if field.startswith(('nw_', 'tp_')):
                    need['dl_type'] = have['dl_type'][0]
                if field.startswith('tp_'):
                    need['nw_proto'] = have['nw_proto'][0]
                if field == 'dl_vlan_pcp':
                    need['dl_vlan'] = 100
                self.meets('match-%s-%s' % (kind, field), '%s==%s' % (field, value), PACKETS[kind], need | {field: value}, need | {field: other})
        for kind in 'ipv4-tcp', 'ipv4-udp', 'vlan-ipv4-tcp':
            packet = PACKETS[kind]
            l4 = packet[-1][0]
            actions = [('set_dl_src', p.OFPActionSetDlSrc(NEW), changed(packet, 'ethernet', src=NEW)),
                       ('set_dl_dst', p.OFPActionSetDlDst(NEW), changed(packet, 'ethernet', dst=NEW)),
                       ('set_nw_src', p.OFPActionSetNwSrc('10.0.0.33'), changed(packet, 'ipv4', src='10.0.0.33')),
                       ('set_nw_dst', p.OFPActionSetNwDst('10.0.0.44'), changed(packet, 'ipv4', dst='10.0.0.44')),
                       ('set_nw_tos', p.OFPActionSetNwTos(0x68), changed(packet, 'ipv4', tos=0x68)),
                       ('set_tp_src', p.OFPActionSetTpSrc(33333), changed(packet, l4, src_port=33333)),
                       ('set_tp_dst', p.OFPActionSetTpDst(4444), changed(packet, l4, dst_port=4444)),
                       ('enqueue', None, packet)]
            if kind.startswith('vlan'):
                actions += [('set_vlan_vid', p.OFPActionVlanVid(203), changed(packet, 'vlan', vid=203)),
                            ('set_vlan_pcp', p.OFPActionVlanPcp(6), changed(packet, 'vlan', pcp=6)),
                            ('strip_vlan', p.OFPActionStripVlan(), [ether(0x800)] + packet[2:])]
            else:
                actions += [('set_vlan_vid', p.OFPActionVlanVid(203), [ether(0x8100), ('vlan', dict(pcp=0, cfi=0, vid=203, ethertype=0x800))] + packet[1:]),
                            ('set_vlan_pcp', p.OFPActionVlanPcp(6), [ether(0x8100), ('vlan', dict(pcp=6, cfi=0, vid=0, ethertype=0x800))] + packet[1:])]
            for title, action, after in actions:
                if action is None:
                    self.add('set-' + kind, title, [self.flow(self.match(), [p.OFPActionEnqueue(OUT1, 1)])],
                             {'ingress': lines(packet), 'egress': lines(after)})
                    continue
                self.outgoing('set-' + kind, title, packet, [action], after, self.match(dl_type=0x800))


def main():
    dir, version = sys.argv[1:3]
    t = Patterns(version, 'whole' in sys.argv[3:])
    for part in [t.old_actions] if t.old else [t.matches, t.set_fields, t.headers, t.groups, t.tables]:
        part()
    if t.whole and not t.old:
        t.meters()
    t.write(dir)
    print(sum(len(tests) for tests in t.files.values()))


main()

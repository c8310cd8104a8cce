# The hooks of ifupdown, called as ifup(8) calls them by interfaces(5). The switch is
# started where it doesn't run.
ifup() { # DEVICE OPTION=VALUE...
    device=$1
    shift
    env MODE=start PHASE=pre-up IFACE="$device" METHOD=manual ADDRFAM=inet "$@" /etc/network/if-pre-up.d/openvswitch
}
ifdown() {
    device=$1
    shift
    env MODE=stop PHASE=post-down IFACE="$device" METHOD=manual ADDRFAM=inet "$@" /etc/network/if-post-down.d/openvswitch
}
fails() { if "$@"; then return 1; fi; }
# What the hooks call for the ports of a bridge.
cat >/run/stanzas <<'SCRIPT'
#!/bin/sh
echo "${0##*/} $*" >>/run/called
SCRIPT
chmod +x /run/stanzas
mkdir /run/bin
ln -s /run/stanzas /run/bin/ifup
ln -s /run/stanzas /run/bin/ifdown
PATH=/run/bin:$PATH

ifup lo
[ ! -e /var/run/openvswitch/ovsdb-server.pid ]
echo 'OVS_CTL_OPTS=--no-mlockall' >/etc/default/openvswitch-switch
ifup br0 IF_OVS_TYPE=OVSBridge IF_OVS_PORTS='eth7 vlan100' IF_OVS_OPTIONS=fail_mode=secure \
    IF_OVS_EXTRA='set Bridge ${IFACE} external_ids:by="$(echo a b)" -- br-set-external-id br0 more yes'
[ "$(cat /run/called)" = 'ifup --allow=br0 eth7 vlan100' ]
ovs-ctl status
[ "$(ovs-vsctl get-fail-mode br0)" = secure ]
[ "$(ovs-vsctl br-get-external-id br0 by)" = 'a b' ]
[ "$(ovs-vsctl br-get-external-id br0 more)" = yes ]

ip link add eth7 type veth peer name far7
ifup eth7 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=br0 IF_OVS_OPTIONS='tag=100 vlan_mode=access'
[ "$(ovs-vsctl get Port eth7 tag)" = 100 ]
ip link show eth7 | grep -w UP
ifup vlan100 IF_OVS_TYPE=OVSIntPort IF_OVS_BRIDGE=br0 IF_OVS_OPTIONS=tag=100
[ "$(ovs-vsctl get Interface vlan100 type)" = internal ]
ip link show vlan100 | grep -w UP
ifup patch0 IF_OVS_TYPE=OVSPatchPort IF_OVS_BRIDGE=br0 IF_OVS_PATCH_PEER=patch1
ifup br1 IF_OVS_TYPE=OVSBridge
ifup patch1 IF_OVS_TYPE=OVSPatchPort IF_OVS_BRIDGE=br1 IF_OVS_PATCH_PEER=patch0
[ "$(ovs-vsctl get Interface patch1 options:peer)" = patch0 ]
ifup vx0 IF_OVS_TYPE=OVSTunnel IF_OVS_BRIDGE=br1 IF_OVS_TUNNEL_TYPE=vxlan \
    IF_OVS_TUNNEL_OPTIONS='options:remote_ip=192.0.2.1 options:key=7'
[ "$(ovs-vsctl get Interface vx0 options:key)" = '"7"' ]
ip link add eth8 type veth peer name far8
ip link add eth9 type veth peer name far9
ifup bond0 IF_OVS_TYPE=OVSBond IF_OVS_BRIDGE=br1 IF_OVS_BONDS='eth8 eth9' IF_OVS_OPTIONS='bond_mode=active-backup'
[ "$(ovs-vsctl list-ifaces br1 | grep -c 'eth[89]')" = 2 ]

# A device that isn't there yet is one for later; twice is as good as once.
fails ifup eth99 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=br0 # there is no link to set up
[ "$(ovs-vsctl port-to-br eth99)" = br0 ]
ifup eth7 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=br0 IF_OVS_OPTIONS=tag=100

# Stanzas that can't be meant.
fails ifup eth7 IF_OVS_TYPE=OVSPort
fails ifup eth7 IF_OVS_TYPE=OVSNonesuch IF_OVS_BRIDGE=br0
fails ifup p IF_OVS_TYPE=OVSPatchPort IF_OVS_BRIDGE=br0
fails ifup eth7 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=nonesuch

ifdown eth7 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=br0
fails ovs-vsctl port-to-br eth7
ifdown br0 IF_OVS_TYPE=OVSBridge IF_OVS_PORTS='eth7 vlan100'
[ "$(tail -n 1 /run/called)" = 'ifdown --allow=br0 eth7 vlan100' ]
ifdown br0 IF_OVS_TYPE=OVSBridge
ifdown br1 IF_OVS_TYPE=OVSBridge
[ -z "$(ovs-vsctl list-br)" ]
ovs-ctl stop

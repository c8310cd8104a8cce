# The init script: start, status, restart that keeps flows and addresses, stop.
init=/etc/init.d/openvswitch-switch
status() {
    want=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" = "$want" ]
}
status 3 $init status
status 2 $init nonesuch
echo 'OVS_CTL_OPTS="--no-mlockall --external-id=\"rack=a b\""' >/etc/default/openvswitch-switch
$init start
$init status
[ -S /var/run/openvswitch/db.sock ]
[ -s /var/log/openvswitch/ovs-vswitchd.log ]
[ "$(ovs-vsctl get Open_vSwitch . external_ids:rack)" = '"a b"' ]
[ "$(ovsdb-tool db-version)" = "$(ovsdb-tool schema-version /usr/share/openvswitch/vswitch.ovsschema)" ]
ovs-vsctl add-br br0
ovs-ofctl -O OpenFlow15 add-group br0 group_id=5,type=all,bucket=output:LOCAL
ovs-ofctl -O OpenFlow15 add-flow br0 priority=9,udp,actions=group:5
before=$(cat /var/run/openvswitch/ovs-vswitchd.pid)
$init restart
[ "$(cat /var/run/openvswitch/ovs-vswitchd.pid)" != "$before" ]
ovs-ofctl --no-stats dump-flows br0 | grep 'priority=9,udp actions=group:5'
$init force-reload
$init try-restart
ovs-ofctl --no-stats dump-flows br0 | grep 'priority=9,udp actions=group:5'
$init force-reload-kmod
$init load-kmod

# logrotate(8) moves a log away and has the daemon make a new one.
mv /var/log/openvswitch/ovs-vswitchd.log /var/log/openvswitch/ovs-vswitchd.log.1
rotate=$(sed -n '/postrotate/,/endscript/p' /etc/logrotate.d/openvswitch-switch | sed '1d;$d')
sh -euc "$rotate"
[ -e /var/log/openvswitch/ovs-vswitchd.log ]

$init stop
status 3 $init status
$init try-restart
status 3 $init status

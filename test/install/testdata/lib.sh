# The functions of ovs-lib, in dash and in bash, on daemons that they start.
cat >/run/lib-test <<'SCRIPT'
set -eu
. /usr/share/openvswitch/scripts/ovs-lib
fails() { if "$@"; then echo "succeeds: $*"; exit 1; fi; }
prints() { want=$1; shift; got=$("$@") || :; [ "$got" = "$want" ] || { echo "prints $got, not $want: $*"; exit 1; }; }

prints 'Doing it.' action 'Doing it' true
prints 'Doing it ... failed!' action 'Doing it' false
fails action 'Doing it' false
version_geq 3.1 3.0; version_geq 2.10 2.9; version_geq 3.1 3.1; version_geq 3.1 3.1.0
fails version_geq 2.9 2.10
fails version_geq 3 3.1
prints 'nonesuch is not running' daemon_status nonesuch
fails daemon_status nonesuch
fails pid_exists 999999999
pid_exists $$
fails pid_comm_check nonesuch $$
echo 999999999 >"/run/openvswitch/gone.pid"
prints 'gone is not running.' stop_daemon gone

db=/run/lib/test.db
upgrade_db $db /usr/share/openvswitch/vtep.ovsschema
prints hardware_vtep ovsdb-tool db-name $db
rm /run/lib/*
create_db $db /usr/share/openvswitch/vswitch.ovsschema
sed 's/"version": "[0-9.]*"/"version": "99.0.0"/' /usr/share/openvswitch/vswitch.ovsschema >/run/lib/new.ovsschema
upgrade_db $db /run/lib/new.ovsschema
prints 99.0.0 ovsdb-tool db-version $db
[ "$(ls $db.backup8.* | wc -l)" = 1 ]
upgrade_db $db /run/lib/new.ovsschema
[ "$(ls $db.backup* | wc -l)" = 1 ]
fails create_db $db /usr/share/openvswitch/vswitch.ovsschema

MONITOR=no start_daemon 3 '' ovsdb-server --remote=punix:/run/openvswitch/db.sock --remote=ptcp:0:127.0.0.1 $db
daemon_is_running ovsdb-server
pid=$(cat /run/openvswitch/ovsdb-server.pid)
prints "ovsdb-server is running with pid $pid" daemon_status ovsdb-server
prints 3 ps -o nice= -p "$pid" | tr -d ' '
[ "$(readlink /proc/$pid/cwd)" = / ]
MONITOR=no start_daemon '' nonesuch ovs-vswitchd | grep 'unknown wrapper nonesuch'
ovs_vsctl init
ovs-vsctl add-br br0
prints br0 internal_interfaces
ovs-ofctl add-flow br0 'priority=7,ip,actions=normal'
ip link set br0 up
ip address add 192.0.2.1/24 dev br0
ip address add 2001:db8::1/64 dev br0
ip route add 198.51.100.0/24 via 192.0.2.9 dev br0

init_restore_scripts
save_flows_if_required
save_interfaces
ovs-ofctl del-flows br0
ip address flush dev br0
ip link set br0 down
flow_restore_wait
prints '"true"' ovs-vsctl get Open_vSwitch . other_config:flow-restore-wait
restore_flows
flow_restore_complete
prints '' ovs-vsctl --if-exists get Open_vSwitch . other_config:flow-restore-wait
restore_interfaces
ovs-ofctl --no-stats dump-flows br0 | grep 'priority=7,ip actions=NORMAL'
ip address show br0 | grep 'inet 192.0.2.1/24'
ip address show br0 | grep 'inet6 2001:db8::1/64'
ip route | grep '198.51.100.0/24 via 192.0.2.9 dev br0'
save_interfaces # and what is there already is no error
restore_interfaces

ip link add other type dummy 2>/dev/null || ip link add other type veth
ip link set other up
move_ip_routes br0 other || :
move_ip_address br0 other
ip address show other | grep 'inet 192.0.2.1/24'
fails sh -c 'ip address show br0 | grep "inet 192"'
ip link del other

fails ovs_ctl nonesuch
grep 'unknown command "nonesuch"' /var/log/openvswitch/ovs-ctl.log
ovs_ctl status
grep "ovs-vswitchd is running" /var/log/openvswitch/ovs-ctl.log
ovs_kmod_ctl insert

stop_daemon ovs-vswitchd '' --cleanup
stop_daemon ovsdb-server
fails daemon_is_running ovs-vswitchd

# As another user, whose files they are.
OVS_USER=nobody:nogroup
rm -rf /run/lib /var/log/openvswitch
upgrade_db $db /usr/share/openvswitch/vswitch.ovsschema
prints nobody:nogroup stat -c %U:%G $db
create_cluster /run/lib/cluster.db /usr/share/openvswitch/vtep.ovsschema tcp:127.0.0.1:6644
prints nobody:nogroup stat -c %U:%G /run/lib/cluster.db
SCRIPT
for shell in dash bash; do
    rm -rf /run/lib /run/openvswitch /var/log/openvswitch
    mkdir -p /run/lib /run/openvswitch
    $shell -x /run/lib-test
done

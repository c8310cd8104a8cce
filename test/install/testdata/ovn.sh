# OVN's own ovn-ctl, which sources ovs-lib, with our database servers.
export OVN_RUNDIR=/run/ovn OVN_LOGDIR=/run/ovn OVN_DBDIR=/run/ovn
mkdir /run/ovn
ctl=/usr/share/ovn/scripts/ovn-ctl
/usr/share/openvswitch/scripts/ovs-ctl --no-mlockall --system-id=random start
$ctl start_northd
$ctl status_northd
ovn-nbctl ls-add net
ovn-nbctl --wait=sb sync
ovn-sbctl list Datapath_Binding | grep name=net
ps -e -o args= | grep '^ovsdb-server.*ovnnb_db' # which is ours:
ovs-appctl -t /run/ovn/ovnnb_db.ctl version | grep '(Open vSwitch) 4.0.0'
ovs-vsctl set Open_vSwitch . external_ids:ovn-remote=unix:/run/ovn/ovnsb_db.sock \
    external_ids:ovn-encap-type=vxlan external_ids:ovn-encap-ip=127.0.0.1
$ctl start_controller
for _ in $(seq 300); do
    ovn-sbctl --bare --columns=name list Chassis >/run/chassis
    [ ! -s /run/chassis ] || break
    sleep 0.2
done
[ -s /run/chassis ]
$ctl restart_northd
ovn-nbctl ls-list | grep net
$ctl stop_controller
$ctl stop_northd
! pgrep ovn-northd

# Completion, as readline(3) has bash do it.
ovs-ctl --no-mlockall --system-id=random start
ovs-vsctl add-br br-one -- add-br br-two -- add-port br-one p1 -- set Interface p1 type=internal
complete() { :; }
. /usr/share/bash-completion/completions/ovs-vsctl
unset -f complete
compopt() { :; }
offers() { # WORD... : prints what is offered for the last one
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _weir "$1"
    echo "${COMPREPLY[*]}"
}
[ "$(offers ovs-vsctl add-b)" = 'add-br add-bond add-bond-iface' ]
[ "$(offers ovs-vsctl del-br br-t)" = br-two ]
[ "$(offers ovs-vsctl --if-exists del-port br-one p)" = p1 ]
[ "$(offers ovs-vsctl add-br x -- set Br)" = Bridge ]
[ "$(offers ovs-vsctl set Bridge br-o)" = br-one ]
[ "$(offers ovs-vsctl set Bridge br-one stp)" = stp_enable ]
[ "$(offers ovs-vsctl set Bridge br-one stp_enable=true fail)" = fail_mode ]
[ "$(offers ovs-vsctl --no-w)" = --no-wait ]
[ "$(offers ovs-vsctl --db)" = --db= ]
[ "$(offers ovs-appctl fdb/sh)" = fdb/show ]
[ "$(offers ovs-appctl -t ovsdb-server ovsdb-server/add-d)" = ovsdb-server/add-db ]
[ "$(offers ovs-appctl -t ovsdb)" = ovsdb-server ]
[ "$(offers ovs-ofctl dump-tables)" = dump-tables ]
[ "$(offers ovs-ofctl dump-flows br-t)" = br-two ]
[ "$(offers ovsdb-tool comp)" = 'compact compare-versions' ]
[ "$(offers ovs-ctl sta)" = 'start status' ]
ovs-ctl stop

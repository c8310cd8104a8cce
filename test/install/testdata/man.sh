# The manual pages: man(1) has nothing against them, and each tells of all options and
# commands that its program has.
export MANPATH=$TREE/usr/share/man MANWIDTH=200 PAGER=cat

# What pages leave out: options for shell completion, for tests of the original's, and
# those that are accepted or refused without being there.
hidden=' --option --options --commands --record --replay --dpdk --hw-rawio-access --execute -e --pcap --raw '
hidden="$hidden --disable-file-no-data-conversion "
cd /run

for program in $(weir --programs) weir weir-up weir-down weir-demo; do
    man --warnings=w "$program" >page 2>said
    [ ! -s said ]
    grep -q "^NAME" page
    grep -q "^ *$program - [a-zA-Z]" page
    "$program" --option >options 2>/dev/null || continue
    for option in $(sed 's/^\[//; s/[=[ ].*//' options); do
        case $hidden in
        *" $option "*) ;;
        *) grep -qF -- "$option" page ;;
        esac
    done
done
man ovs-vsctl >page
for word in $(ovs-vsctl --commands | cut -d, -f1,2 | tr -s '[],= ' '\n'); do
    grep -qF -- "$word" page
done
man ovs-ofctl >page
for command in $(ovs-ofctl list-commands | sed -n 's/^  \([^ ]*\)  *[a-z].*/\1/p'); do
    grep -qF -- " $command " page
done

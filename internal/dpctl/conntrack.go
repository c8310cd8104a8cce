package dpctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// conntrackTable lists the commands on tracked connections (ovs-dpctl(8),
// "Connection tracking").  No data path tracks connections yet: what asks for
// them is told that there are none, what would set the tracker up is refused.
func conntrackTable() []command {
	refused := func(name, usage string) command {
		return command{name, usage, 0, -1, func(*call) error {
			return errors.New("no data path tracks connections yet: there is nothing that " + name + " could show or change")
		}}
	}
	return []command{
		{"dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 2, func(l *call) error {
			l.doc = []string{}
			return l.connections()
		}},
		{"flush-conntrack", "[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]", 0, 6, (*call).connections},
		{"ct-stats-show", "[dp] [zone=N]", 0, 3, func(l *call) error { return l.count("Connections Stats:\n    Total: %d\n") }},
		{"ct-get-nconns", "[dp]", 0, 1, func(l *call) error { return l.count("%d\n") }},
		refused("dump-conntrack-exp", "[dp] [zone=N]"),
		refused("ct-get-sweep-interval", "[dp]"),
		refused("ct-set-sweep-interval", "[dp] ms"),
		refused("ct-bkts", "[dp] [gt=N]"),
		refused("ct-set-maxconns", "[dp] maxconns"),
		refused("ct-get-maxconns", "[dp]"),
		refused("ct-enable-tcp-seq-chk", "[dp]"),
		refused("ct-disable-tcp-seq-chk", "[dp]"),
		refused("ct-get-tcp-seq-chk", "[dp]"),
		refused("ct-set-limits", "[dp] [default=L] [zone=N,limit=L]..."),
		refused("ct-del-limits", "[dp] zone=N1[,N2]..."),
		refused("ct-get-limits", "[dp] [zone=N1[,N2]...]"),
		refused("ipf-set-enabled", "[dp] v4|v6"),
		refused("ipf-set-disabled", "[dp] v4|v6"),
		refused("ipf-set-min-frag", "[dp] v4|v6 minfragment"),
		refused("ipf-set-max-nfrags", "[dp] maxfrags"),
		refused("ipf-get-status", "[-m] [dp]"),
	}
}

// connections checks the arguments [dp] [zone=N] [tuple...].
func (l *call) connections() error {
	args := len(l.args)
	for args > 0 && strings.Contains(l.args[len(l.args)-args], "=") {
		args--
	}
	if args > 0 && l.find(l.args[0]) == nil {
		return failedInvalid("datapath not found")
	}
	if _, err := l.first(len(l.args)); err != nil {
		return err
	}
	for _, a := range l.args {
		if zone, ok := strings.CutPrefix(a, "zone="); ok {
			if _, err := strconv.ParseUint(zone, 10, 16); err != nil {
				return failedInvalid("invalid zone " + zone)
			}
		} else if !strings.Contains(a, "=") {
			return failedInvalid(fmt.Sprintf("field %s missing value", a))
		}
	}
	return nil
}

// count prints how many connections there are.
func (l *call) count(format string) error {
	if err := l.connections(); err != nil {
		return err
	}
	fmt.Fprintf(&l.out, format, 0)
	l.doc = map[string]int{"connections": 0}
	return nil
}

func failedInvalid(text string) error { return errors.New(text + " (Invalid argument)") }

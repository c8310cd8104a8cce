package vswitchd

import (
	"net/netip"
	"strings"
	"testing"

	"weir/internal/tunnel/route"
	"weir/internal/unixctl"
)

// routeHandlers are the commands about routes of a table with one device.
func routeHandlers() map[string]func(*unixctl.Request) (string, error) {
	t := route.NewTable()
	t.SetAddresses("br0", []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("2001:db8::1/32")})
	c := routeCommands{t}
	return map[string]func(*unixctl.Request) (string, error){
		"add": c.add, "del": c.del, "lookup": c.lookup, "show": c.show, "rule/add": c.ruleAdd, "rule/del": c.ruleDel, "rule/show": c.ruleShow,
	}
}

// FuzzRouteCommands: no words make a command panic; what is added is shown, found
// by its text, and can be deleted.
func FuzzRouteCommands(f *testing.F) {
	for _, line := range []string{
		"add 10.1.0.0/16 br0 10.0.0.9 pkt_mark=7 table=9", "add 2001:db8:1::/48 br0 2001:db8::9 src=2001:db8::1", "add 10.1.0.0 br0",
		"add ::ffff:10.0.0.1/99 br0", "add fe80::1%eth0 br0", "lookup 10.0.0.1 src=10.0.0.1 pkt_mark=0x7", "show table=all", "show table=main",
		"rule/add not from=10.0.0.0/8 prio=5 table=local", "rule/add from=all table=7", "rule/del from=all table=7", "add 0.0.0.0/0 br0 10.0.0.254",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		if len(words) < 3 {
			return
		}
		handlers := routeHandlers()
		run := func(name string, args ...string) (string, error) {
			r := &unixctl.Request{Name: name, Args: args}
			text, err := handlers[name](r)
			r.JSON = true
			if strings.HasSuffix(name, "show") || name == "lookup" {
				if _, jsonErr := handlers[name](r); (jsonErr == nil) != (err == nil) {
					t.Errorf("%s %v: as text %v, as JSON %v", name, args, err, jsonErr)
				}
			}
			return text, err
		}
		name, args := words[0], words[1:]
		if handlers[name] == nil || len(args) > 6 {
			return
		}
		before, _ := run("show", "table=all")
		if _, err := run(name, args...); name != "add" || err != nil {
			return
		}
		after, _ := run("show", "table=all")
		if before == after {
			t.Fatalf("%s was added and isn't shown:\n%s", line, after)
		}
		del := []string{args[0]}
		for _, a := range args[2:] {
			if strings.HasPrefix(a, "pkt_mark=") || strings.HasPrefix(a, "table=") {
				del = append(del, a)
			}
		}
		if _, err := run("del", del...); err != nil {
			t.Fatalf("del %v after %s: %v", del, line, err)
		}
		if left, _ := run("show", "table=all"); left != before {
			t.Fatalf("%s left:\n%s", line, left)
		}
	})
}

package vswitchd

import (
	"errors"
	"strconv"

	"weir/internal/packet"
	"weir/internal/unixctl"
)

// registerNoBonds adds the commands that change bonds, of which this version
// has none.
func (s *Switch) registerNoBonds(srv *unixctl.Server) {
	for _, c := range []struct {
		name, usage string
		min, max    int
	}{
		{"bond/migrate", "port hash member", 3, 3},
		{"bond/set-active-member", "port member", 2, 2},
		{"bond/enable-member", "port member", 2, 2},
		{"bond/disable-member", "port member", 2, 2},
	} {
		srv.Register(c.name, c.usage, c.min, c.max, func(*unixctl.Request) (string, error) {
			return "", errors.New("no such bond")
		})
	}
	srv.Register("bond/hash", "mac [vlan] [basis]", 1, 3, func(r *unixctl.Request) (string, error) {
		for i, what := range []string{"vlan", "basis"} {
			if len(r.Args) > i+1 {
				if _, err := strconv.ParseUint(r.Args[i+1], 10, 32); err != nil {
					return "", errors.New("invalid " + what)
				}
			}
		}
		if _, ok := packet.ParseMAC(r.Args[0]); !ok {
			return "", errors.New("invalid mac")
		}
		return "", errors.New("bonds are not supported yet: there is no hash that picks their members")
	})
	srv.Register("bfd/set-forwarding", "[interface] normal|false|true", 1, 2, func(r *unixctl.Request) (string, error) {
		if len(r.Args) > 1 {
			if err := s.knowsInterface(r.Args[0]); err != nil {
				return "", err
			}
		}
		return "", errors.New("BFD is not supported yet: no interface has a session")
	})
}

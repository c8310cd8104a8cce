package vswitchd

import (
	"errors"
	"strconv"

	"weir/internal/datapath"
	"weir/internal/ofproto"
	"weir/internal/unixctl"
)

// registerRenumber adds the command that plays a data path whose ports somebody
// else renumbers, for the dummy one.
func (s *Switch) registerRenumber(srv *unixctl.Server) {
	srv.Register("dpif-dummy/change-port-number", "dp port new-number", 3, 3, func(r *unixctl.Request) (string, error) {
		var err error
		s.loop.Call(func() { err = s.renumber(r.Args[0], r.Args[1], r.Args[2]) })
		return "", err
	})
}

// renumber gives a port of a dummy data path another number. The texts of errors
// are the original's.
func (s *Switch) renumber(dp, name, number string) error {
	p := s.dummyPath(dp)
	if p == nil {
		return errors.New("unknown datapath or not a dummy")
	}
	no, err := strconv.ParseUint(number, 10, 32)
	if err != nil || no == 0 || datapath.PortNo(no) == datapath.PortNone {
		return errors.New("bad port number")
	}
	found := false
	for _, port := range p.dp.Ports() {
		found = found || port.Name == name
	}
	if !found {
		return errors.New("unknown port")
	}
	err = p.RenumberPort(name, datapath.PortNo(no))
	if errors.Is(err, ofproto.ErrPortNoInUse) {
		return ofproto.ErrPortNoInUse
	}
	return err
}

// dummyPath finds a dummy data path by name, nil without one.
func (s *Switch) dummyPath(name string) *provider {
	for _, p := range s.providersNow() {
		if p.local != nil && p.dp.Name() == name {
			return p
		}
	}
	return nil
}

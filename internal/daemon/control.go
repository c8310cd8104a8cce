package daemon

import "weir/internal/unixctl"

// Control opens the daemon's control socket at what --unixctl says: the default
// name for "", none for "none", where commands can be registered all the same and
// nobody comes to call them. The command `exit` ends the daemon in order; another
// may take its place. The socket goes with the process; serving it is the caller's,
// once its own commands are registered.
func (p *Process) Control(program, option string) (*unixctl.Server, error) {
	control := new(unixctl.Server)
	if option != "none" {
		var err error
		if control, err = unixctl.NewServer(unixctl.SocketPath(program, option)); err != nil {
			return nil, err
		}
		p.AtExit(control.Close)
	}
	control.SetProgram(program)
	control.Register("exit", "", 0, 0, func(*unixctl.Request) (string, error) { p.Stop(); return "", nil })
	return control, nil
}

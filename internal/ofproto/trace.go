package ofproto

import (
	"weir/internal/datapath"
	"weir/internal/trace"
)

// Trace answers ofproto/trace with the arguments of the command; see
// [trace.Run]. It changes nothing but for what a packet given as such teaches
// the bridge: MAC addresses and flows of learn actions.
func (be *Backend) Trace(args []string) (string, error) {
	n := datapath.PortNamer(be.dp.Ports())
	env := &trace.Env{
		Config: be.Snapshot(),
		Datapaths: map[string]*datapath.Namer{
			be.dp.Name():                      n,
			be.dp.Type() + "@" + be.dp.Name(): n,
		},
		Now: be.clock.Now(),
	}
	return trace.Run(env, args)
}

package ofproto

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

// Punt sends controllers what a traced packet, with its OpenFlow port in its key,
// sends them by the actions that it was translated to. Nothing else becomes of it
// (ovs-vswitchd(8), "OpenFlow switch management commands"): it is not output,
// looked up again, metered or tracked.
func (be *Backend) Punt(b *xlate.Bridge, frame []byte, key *flow.Key, actions []datapath.Action) {
	acts, any := puntable(actions, len(frame))
	if !any {
		return
	}
	k := *key
	k.InPort = uint32(datapath.PortNone)
	if p := b.Ports[openflow.PortNo(key.InPort)]; p != nil && !p.Patch {
		k.InPort = uint32(p.DP)
	}
	if err := be.dp.Execute(makePacket(frame), &k, acts); err != nil {
		log.Dbg("bridge %s: sending a traced packet to controllers: %s", b.Name, err)
	}
}

// puntable takes from actions those that send packets to controllers and those
// that change packets; any says that there are some of the first.
func puntable(actions []datapath.Action, length int) (out []datapath.Action, any bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case *datapath.Userspace:
			if a.Cookie.Kind != datapath.CookieController {
				continue
			}
			any = true
		case *datapath.Clone:
			inner, some := puntable(a.Actions, length)
			if !some {
				continue
			}
			out, any = append(out, &datapath.Clone{Actions: inner}), true
			continue
		case *datapath.CheckPktLen:
			branch := a.LessEqual
			if length > int(a.Size) {
				branch = a.Greater
			}
			inner, some := puntable(branch, length)
			out, any = append(out, inner...), any || some
			continue
		case *datapath.Output, *datapath.LBOutput, *datapath.Recirc, *datapath.Hash, *datapath.Trunc, *datapath.Sample, *datapath.Meter,
			*datapath.TunnelPush, *datapath.TunnelPop, *datapath.CT, *datapath.CTClear, *datapath.Drop:
			continue
		}
		out = append(out, a)
	}
	return out, any
}

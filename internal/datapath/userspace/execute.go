package userspace

import (
	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
	"weir/internal/vlog"
)

const ethLen = packet.EthLen

// dropReasons count the packets that a Drop action ends, by its reason.
var dropReasons = []*coverage.Counter{
	coverage.New("drop_action_of_pipeline"),
	coverage.New("drop_action_bridge_not_found"),
	coverage.New("drop_action_recursion_too_deep"),
	coverage.New("drop_action_too_many_resubmit"),
	coverage.New("drop_action_stack_too_deep"),
	coverage.New("drop_action_no_recirculation_context"),
	coverage.New("drop_action_recirculation_conflict"),
	coverage.New("drop_action_too_many_mpls_labels"),
	coverage.New("drop_action_invalid_tunnel_metadata"),
	coverage.New("drop_action_unsupported_packet_type"),
	coverage.New("drop_action_congestion"),
	coverage.New("drop_action_forwarding_disabled"),
}

// modifies says whether an action changes the packet's bytes, or may leave it
// to others that do.
func modifies(a datapath.Action) bool {
	switch a.(type) {
	case *datapath.Output, *datapath.Userspace, *datapath.Hash, *datapath.Trunc, *datapath.Drop,
		*datapath.SetPriority, *datapath.SetMark, *datapath.SetTunnel, *datapath.Meter, *datapath.CTClear:
		return false
	}
	return true
}

// execute runs an action list. A packet that it leaves without output is dropped.
func (w *worker) execute(st *state, prog *program) {
	last := len(prog.actions) - 1
	if last < 0 {
		dropReasons[0].Inc()
		return
	}
	for i, a := range prog.actions {
		switch a := a.(type) {
		case *datapath.Output:
			w.output(st, a.Port, i < prog.lastModifier)
		case *datapath.Userspace:
			w.userspace(st, a, prog.actions)
		case *datapath.Recirc:
			w.recirculate(st, a.ID, i == last)
			if i == last {
				return
			}
		case *datapath.Clone:
			w.nested(st, a.Actions, i, prog)
		case *datapath.Sample:
			if w.random() <= a.Probability && a.Probability != 0 {
				w.nested(st, a.Actions, i, prog)
			}
		case *datapath.CheckPktLen:
			branch := a.LessEqual
			if st.pkt.Len > int(a.Size) {
				branch = a.Greater
			}
			w.nested(st, branch, i, prog)
		case *datapath.TunnelPush:
			if !w.pushTunnel(st, prog, i) {
				return
			}
		case *datapath.TunnelPop:
			w.popTunnel(st, a.Port, i < last)
			if i == last {
				return
			}
		case *datapath.Drop:
			dropReasons[min(int(a.Reason), len(dropReasons)-1)].Inc()
			return
		default:
			if !w.transform(st, a) {
				return
			}
		}
	}
}

// nested runs the actions inside action i of outer: on the packet itself when
// nothing follows them, or neither they nor what follows changes it, else on a
// copy.
func (w *worker) nested(st *state, actions []datapath.Action, i int, outer *program) {
	if len(actions) == 0 {
		return
	}
	if st.depth >= maxDepth {
		dropRecirc.Inc()
		return
	}
	prog := &program{actions, lastModifier(actions)}
	in := &w.sts[st.depth+1]
	key := &w.keys[st.depth+1]
	*key = *st.key
	*in = *st
	in.key, in.depth = key, st.depth+1
	if i < len(outer.actions)-1 && (prog.lastModifier >= 0 || i < outer.lastModifier) {
		in.pkt = w.copyPacket(st.pkt, st.pkt.Len)
	}
	w.execute(in, prog)
}

// recirculate looks the packet up again under a recirculation id.
func (w *worker) recirculate(st *state, id uint32, last bool) {
	if st.depth >= maxDepth {
		dropRecirc.Inc()
		return
	}
	w.recirc.Add(1)
	pkt := st.pkt
	if !last {
		pkt = w.copyPacket(pkt, pkt.Len)
	}
	k := &w.keys[st.depth+1]
	*k = *st.key
	k.RecircID = id
	w.process(pkt, st.depth+1)
}

// userspace hands the packet to the switch.
func (w *worker) userspace(st *state, a *datapath.Userspace, actions []datapath.Action) {
	if a.Cookie.Kind == datapath.CookieWatch {
		w.refresh(st)
		w.sight(st.pkt, st.key, datapath.UFID(a.Cookie.Bridge))
		return
	}
	box := w.dp.handler.Load()
	if box == nil {
		dropUserAction.Inc()
		return
	}
	w.settle()
	u := &w.ups[st.depth]
	w.refresh(st)
	if log.Enabled(vlog.Dbg) {
		w.dp.logUpcall("action", st.key)
	}
	*u = datapath.Upcall{Kind: datapath.UpcallAction, Packet: st.pkt, Key: st.key, Cookie: a.Cookie}
	if a.WithActions {
		u.UserActions = actions
	}
	box.h.HandleUpcall(u)
	u.Packet, u.Key, u.UserActions = nil, nil, nil
}

// refresh extracts the headers again if actions changed them.
func (w *worker) refresh(st *state) {
	if !st.stale && !st.changed {
		return
	}
	if st.key.PacketType == 0 {
		st.offs = flow.ExtractOffsets(st.pkt.Data(), st.key)
	} else {
		st.offs = flow.ExtractL3(st.pkt.Data(), st.key)
	}
	st.stale, st.changed = false, false
}

// random is a step of xorshift64*.
func (w *worker) random() uint32 {
	w.rng ^= w.rng >> 12
	w.rng ^= w.rng << 25
	w.rng ^= w.rng >> 27
	return uint32((w.rng * 2685821657736338717) >> 32)
}

// transform runs an action that changes the packet or its metadata; false
// ends the packet.
func (w *worker) transform(st *state, a datapath.Action) bool {
	switch a := a.(type) {
	case *datapath.PushVLAN:
		pushVLAN(st, a.TPID, a.TCI&^flow.VLANPresent)
	case *datapath.PopVLAN:
		popVLAN(st)
	case *datapath.PushMPLS:
		w.headers(st)
		pushMPLS(st, a.LSE, a.EthType)
	case *datapath.PopMPLS:
		w.headers(st)
		popMPLS(st, a.EthType)
	case *datapath.PushEthernet:
		pushEthernet(st, a)
	case *datapath.PopEthernet:
		w.headers(st)
		popEthernet(st)
	case *datapath.PushNSH:
		pushNSH(st, a)
	case *datapath.PopNSH:
		w.headers(st)
		return popNSH(st)
	case *datapath.AddMPLS:
		addMPLS(st, a)
	case *datapath.Hash:
		w.refresh(st)
		st.key.DPHash = packetHash(st.key, a)
	case *datapath.Trunc:
		st.cut = a.MaxLen
	case *datapath.SetPriority:
		st.key.SkbPriority = st.key.SkbPriority&^a.Mask | a.Priority&a.Mask
		st.pkt.Prio = st.key.SkbPriority
	case *datapath.SetMark:
		st.key.PktMark = st.key.PktMark&^a.Mask | a.Mark&a.Mask
		st.pkt.Mark = st.key.PktMark
	case *datapath.SetTunnel:
		st.key.Tunnel, st.options = a.Tunnel, a.Options
	case *datapath.CTClear:
		k := st.key
		k.CTState, k.CTZone, k.CTMark, k.CTLabel, k.CTNwProto = 0, 0, 0, [16]byte{}, 0
		k.CTIPSrc, k.CTIPDst, k.CTTpSrc, k.CTTpDst = 0, 0, 0, 0
		k.CTIPv6Src, k.CTIPv6Dst = [16]byte{}, [16]byte{}
	case *datapath.Meter:
		return w.metered(st, a.ID)
	case *datapath.CT:
		dropCT.Inc()
		return false
	case *datapath.LBOutput:
		dropBond.Inc()
		return false
	default:
		w.headers(st)
		return setField(st, a)
	}
	return true
}

// headers makes the offsets right.
func (w *worker) headers(st *state) {
	if st.stale {
		w.refresh(st)
	}
}

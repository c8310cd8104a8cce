package xlate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"weir/internal/classifier"
	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
)

// Limits of one translation (ovs-actions(7), "resubmit").
const (
	MaxDepth     = 64
	MaxResubmits = 64 * MaxDepth
	// maxActions and maxStack bound what one packet may cause.
	maxActions = 65535 / 8
	maxStack   = 65536
)

// Translator translates packets one after another and reuses its memory.
// Each goroutine has its own.
type Translator struct {
	in  *Input
	cfg *Config
	res Result

	// flow is the packet as the actions have made it, base as the data path
	// actions given so far have: commit makes base follow flow.
	flow, base flow.Key
	wc         *flow.Mask

	bridge  *Bridge
	version classifier.Version
	table   uint8
	rule    *pipeline.Rule // whose actions run; nil: none
	cookie  uint64

	depth, resubmits int
	extra            uint32 // bytes of outer headers that the packet has got
	exit             bool
	stop             bool // ends the list of actions that runs now
	inGroup          bool
	inActionSet      bool
	wasMPLS          bool
	conntracked      bool
	mirrored         MirrorSet // of this bridge, those that have had the packet
	asCame           bool      // the options of a tunnel are those that the packet came with, but for what actions set

	denied DropReason // why the packet goes nowhere, as far as is known

	// outer is what commit has to do first; irreversible counts the actions
	// given that setting fields can't undo.
	outer        outerChange
	irreversible int

	stack     []flow.Value
	actionSet []openflow.Action
	setDone   []openflow.Action // scratch: the action set in its order of execution

	// Freezing: the rest of the actions runs after recirculation.
	freezing   bool
	frozen     []openflow.Action    // what is left
	frozenAt   place                // where it began
	pause      *openflow.Controller // that stops here until it is resumed; nil: recirculate
	recircHash *datapath.Hash

	origPriority uint32

	scratch classifier.Scratch[*pipeline.Rule]
	seat    uint8 // in the pipelines that are read
	lookKey flow.Key
	trace   *Trace
}

// place is where in the tables a translation stands.
type place struct {
	table  uint8
	cookie uint64
}

// NewTranslator makes a translator.
func NewTranslator() *Translator { return &Translator{seat: uint8(rand.N(pipeline.Seats))} }

var (
	coverActions  = coverage.New("xlate_actions")
	coverOversize = coverage.New("xlate_actions_oversize")
)

// Translate translates a packet. The result is valid until the next call.
func (x *Translator) Translate(in *Input) *Result {
	coverActions.Inc()
	p := in.Bridge.Pipeline
	p.Enter(x.seat)
	x.reset(in)
	x.traceBridge(in.Bridge.Name)
	x.start()
	x.noteDrop()
	x.traceBack(0)
	x.finish()
	p.Leave(x.seat)
	return &x.res
}

// Release gives up the references that the last result holds.
func (x *Translator) Release() {
	for _, id := range x.res.Recircs {
		x.cfg.Recircs.Unref(id)
	}
	x.res.Recircs = x.res.Recircs[:0]
}

func (x *Translator) reset(in *Input) {
	r := &x.res
	x.Release()
	*r = Result{Actions: r.Actions[:0], Effects: r.Effects[:0], Recircs: r.Recircs[:0], Solicits: r.Solicits[:0]}
	x.in, x.cfg, x.trace = in, in.Config, in.Trace
	x.flow, x.base = *in.Key, *in.Key
	x.forgetTunnel() // that of a received packet isn't sent on
	x.wc = &r.Mask
	x.bridge, x.version = in.Bridge, in.Version
	if x.version == 0 {
		x.version = in.Bridge.Pipeline.Version()
	}
	x.table, x.rule, x.cookie = 0, nil, ^uint64(0)
	x.depth, x.resubmits, x.extra = 0, 0, 0
	x.exit, x.stop, x.inGroup, x.inActionSet, x.wasMPLS, x.conntracked = false, false, false, false, false, false
	x.stack, x.actionSet = x.stack[:0], x.actionSet[:0]
	x.outer, x.irreversible, x.denied = outerChange{}, 0, DropReason{}
	x.freezing, x.frozen, x.recircHash, x.pause = false, nil, nil, nil
	x.mirrored, x.asCame = 0, in.Actions == nil // of a packet-out, the controller set them
	x.origPriority = in.Key.SkbPriority
	x.initMask()
}

// initMask marks what every translation looks at.
func (x *Translator) initMask() {
	w := x.wc
	w.InPort = ^uint32(0)
	w.PacketType = ^uint32(0)
	w.EthType = 0xffff
	w.RecircID = ^uint32(0)
	if isIP(x.flow.L3Type()) {
		w.NwFrag = flow.FragAny | flow.FragLater
	}
	if !x.flow.Tunnel.IsZero() {
		x.markTunnel()
	}
}

// start chooses the first actions and runs them all.
func (x *Translator) start() {
	in := x.in
	inPort := x.bridge.Ports[openflow.PortNo(x.flow.InPort)]
	if in.Frozen != nil {
		x.thaw()
		return
	}
	x.flow.ActsetOutput = uint32(openflow.PortUnset)
	switch {
	case x.flow.RecircID != 0:
		x.fail(ErrNoRecirc, "Recirculation context not found for ID %x", x.flow.RecircID)
		return
	case in.Actions != nil:
		x.mirrorIn(inPort)
		x.run(in.Actions, true)
	case inPort != nil && !x.mayReceive(inPort):
		x.detail("packet dropped: port %s does not receive", inPort.Name)
		x.denyPort(DropPortNoReceive, inPort.No)
		return
	case inPort != nil && inPort.Tunnel != nil && !x.decapsulated(inPort):
		return
	default:
		x.mirrorIn(inPort)
		x.first(func(r *pipeline.Rule) {
			x.runRule(r, false, !x.bridge.InBand)
			x.cookie = r.Cookie // the action set is the first rule's
		})
		x.deliverDHCP()
	}
	x.finishActions()
	if inPort != nil && inPort.NoForward && x.res.Err == ErrNone {
		// NORMAL and learn have seen the packet; nothing may leave.
		x.res.Actions = x.res.Actions[:0]
	}
}

// finishActions runs the action set, unless the rest waits for recirculation.
func (x *Translator) finishActions() {
	if x.res.Err != ErrNone {
		return
	}
	if !x.freezing {
		x.runActionSet()
	}
	if x.freezing {
		x.finishFreezing()
	}
}

func (x *Translator) mayReceive(p *Port) bool {
	return p.Config&PortNoRecv == 0 && (!p.NoForward || !p.NoLearn)
}

// finish makes the result complete.
func (x *Translator) finish() {
	r := &x.res
	r.Key = x.flow
	if r.Err != ErrNone {
		r.Actions = r.Actions[:0]
	}
	x.unwrapLast()
	if len(r.Actions) > maxActions {
		r.Slow |= datapath.SlowAction
		coverOversize.Inc()
	}
	x.finishMask()
}

// finishMask takes out of the mask what no data path can match on, and
// completes what it must.
func (x *Translator) finishMask() {
	w, k := x.wc, x.in.Key
	words := w.Words()
	if x.res.Err == ErrNone || x.trace == nil { // whoever looks for the error sees all that was looked at
		for i := range flow.FirstOptionWord {
			words[i] = 0
		}
	}
	// ICMP type and code have eight bits.
	if isICMP(k) {
		w.TpSrc &= 0xff
		w.TpDst &= 0xff
	}
	for i := range w.VLANs {
		if w.VLANs[i].TCI != 0 {
			// A tag that counts is told from one of the other TPID, with which
			// it would leave.
			w.VLANs[i].TCI |= flow.VLANPresent
			w.VLANs[i].TPID = 0xffff
		}
	}
	if k.PacketType != 0 {
		w.EthSrc, w.EthDst, w.VLANs = packet.MAC{}, packet.MAC{}, [flow.MaxVLANs]flow.VLAN{}
	}
	if k.L3Type() != packet.EtherTypeNSH {
		w.NSH = flow.NSH{} // of one that was pushed
	}
	if !isMPLS(k.L3Type()) {
		w.MPLS = [flow.MaxMPLSLabels]uint32{}
	}
	if k.Tunnel.IsZero() {
		// The input port says that there was none.
		w.Tunnel = flow.Tunnel{}
		w.TunMetaPresent, w.TunMeta = 0, [flow.TunMetaBytes]byte{}
	}
	// A later fragment has no transport header; it matches as if zero.
	if k.NwFrag&flow.FragLater != 0 {
		w.TpSrc, w.TpDst = 0, 0
		w.TCPFlags = 0
	}
}

// What a lookup that found nothing leads to.
type miss uint8

const (
	missDrop miss = iota
	missController
	missFrags
)

// find looks tables up, from *table on. A packet that no flow matches is
// credited to its fate.
func (x *Translator) find(table *uint8, mayController, honorMiss bool) (*pipeline.Rule, miss) {
	rule, missed := x.lookup(table, mayController, honorMiss)
	if rule != nil {
		return rule, missed
	}
	fate := x.bridge.Fates.Drop
	switch missed {
	case missController:
		fate = x.bridge.Fates.ToController
	case missFrags:
		fate = x.bridge.Fates.Fragment
	}
	if fate != nil {
		x.effect(Effect{Kind: EffectRule, Rule: fate})
	}
	return nil, missed
}

func (x *Translator) lookup(table *uint8, mayController, honorMiss bool) (*pipeline.Rule, miss) {
	key := &x.flow
	if key.NwFrag&flow.FragAny != 0 && isIP(key.L3Type()) {
		switch x.bridge.Frags {
		case openflow.FragNormal:
			// Fragments must match alike, so no one has transport ports.
			x.lookKey = *key
			x.lookKey.TpSrc, x.lookKey.TpDst = 0, 0
			key = &x.lookKey
		case openflow.FragDrop:
			return nil, missFrags
		}
	}
	p := x.bridge.Pipeline
	for ; ; *table++ {
		t := p.Table(*table)
		if t == nil {
			return nil, missDrop
		}
		rule := t.Lookup(x.version, key, x.wc, &x.scratch)
		for v := p.Version(); v > x.version && !p.Keeps(x.version); v = p.Version() {
			// So many commits overtook the translation that its version is not whole
			// any more. The flow that comes of it will be looked at again.
			x.version = v
			rule = t.Lookup(v, key, x.wc, &x.scratch)
		}
		x.countLookup(t, rule != nil)
		if rule != nil {
			return rule, missDrop
		}
		if !honorMiss {
			return nil, missDrop
		}
		m := t.Conf().Miss
		if m == openflow.MissDefault {
			m = x.bridge.Miss
		}
		if m == openflow.MissContinue {
			if *table < pipeline.TableInternal-1 {
				continue
			}
			m = openflow.MissController // there is no table to continue with (OpenFlow 1.1, 4.1.1)
		}
		if m == openflow.MissController && mayController && x.packetInAllowed() {
			return nil, missController
		}
		return nil, missDrop
	}
}

func (x *Translator) packetInAllowed() bool {
	port := x.bridge.Ports[openflow.PortNo(x.flow.InPort)]
	return port == nil || port.Config&PortNoPktIn == 0
}

func (x *Translator) countLookup(t *pipeline.Table, hit bool) {
	kind := EffectMissed
	if hit {
		kind = EffectMatched
	}
	x.effect(Effect{Kind: kind, Table: t})
}

// effect records an effect, and makes it happen where the input says so.
func (x *Translator) effect(e Effect) {
	e.extra = x.extra
	x.res.Effects = append(x.res.Effects, e)
	if x.in.Credit {
		x.res.Effects[len(x.res.Effects)-1].push(Traffic{Packets: 1, Bytes: x.in.Bytes, Used: x.in.Now, TCPFlags: x.in.TCPFlag}, x.in.Now)
	}
}

// runRule runs a rule's actions; deeper counts against the depth of recursion.
func (x *Translator) runRule(r *pipeline.Rule, deeper, last bool) {
	oldRule, oldCookie := x.rule, x.cookie
	x.effect(Effect{Kind: EffectRule, Rule: r})
	if deeper {
		x.depth++
	}
	x.rule, x.cookie = r, r.Cookie
	if x.trace != nil && len(r.Actions()) == 0 {
		x.trace.add(NodeAction, "drop")
	}
	x.run(r.Actions(), last)
	x.rule, x.cookie = oldRule, oldCookie
	if deeper {
		x.depth--
	}
}

// missToController sends a packet that matched nothing to the controllers.
func (x *Translator) missToController() {
	c := openflow.Controller{MaxLen: 0xffff, Reason: uint8(openflow.ReasonImplicit)}
	if x.trace != nil {
		x.trace.add(NodeAction, "%s", actionText(&openflow.Controller{MaxLen: 0xffff, Reason: uint8(openflow.ReasonNoMatch)}, nil))
	}
	if x.bridge.MissSendLen != 0 {
		c.MaxLen = x.bridge.MissSendLen
	}
	cookie := x.cookie
	x.cookie = 0 // that of the rule which every table ends with
	x.controller(&c)
	x.cookie = cookie
}

// again is another table lookup of the same packet, as if it came in on
// inPort. honorMiss follows the tables' configuration for packets that match
// nothing; mayController lets such packets go to the controller. last says
// that no action follows.
func (x *Translator) again(inPort openflow.PortNo, table uint8, mayController, honorMiss, last bool) {
	if !x.mayGoOn() {
		return
	}
	x.resubmits++
	oldTable, oldPort := x.table, x.flow.InPort
	wasInGroup, wasInSet := x.inGroup, x.inActionSet
	x.inGroup, x.inActionSet = false, false
	x.flow.InPort = uint32(inPort)
	rule, missed := x.find(&table, mayController, honorMiss)
	// Actions see the port on which the packet came, not that of the lookup.
	x.flow.InPort = oldPort
	x.table = table
	x.followed(rule, missed, table)
	trace := x.traceTable(rule, missed, table)
	switch {
	case rule != nil:
		x.runRule(rule, table <= oldTable, last)
	case missed == missController:
		x.missToController()
	}
	x.traceBack(trace)
	x.table = oldTable
	x.inGroup, x.inActionSet = wasInGroup, wasInSet
}

// first looks the packet up in table 0, which it has just entered. The trace
// stays with what it finds: the action set's place is there.
func (x *Translator) first(run func(r *pipeline.Rule)) {
	table := uint8(0)
	rule, missed := x.find(&table, true, true)
	x.table = table
	x.followed(rule, missed, table)
	x.traceTable(rule, missed, table)
	switch {
	case rule != nil:
		run(rule)
	case missed == missController:
		x.missToController()
	}
}

// mayGoOn checks the limits of recursion.
func (x *Translator) mayGoOn() bool {
	switch {
	case x.depth >= MaxDepth:
		x.fail(ErrDepth, "over max translation depth %d", MaxDepth)
	case x.resubmits >= MaxResubmits:
		x.fail(ErrResubmits, "over %d resubmit actions", MaxResubmits)
	case len(x.res.Actions) > maxActions:
		// What there is goes the slow way, which has no limit; no more is added.
		x.complain("resubmits yielded over 64 kB of actions")
		x.exit = true
	case len(x.stack)*16 >= maxStack:
		x.fail(ErrStack, "resubmits yielded over 64 kB of stack")
	default:
		return true
	}
	return false
}

// fail ends translation with an error.
func (x *Translator) fail(e Err, format string, args ...any) {
	x.res.Err = e
	x.complain(format, args...)
}

// complain notes an error of the flow tables in the trace, or else where the
// log gets it from.
func (x *Translator) complain(format string, args ...any) {
	if x.trace != nil {
		x.trace.add(NodeError, format, args...)
		return
	}
	x.res.Complaints = append(x.res.Complaints, fmt.Sprintf(format+" on bridge %s while processing %s", append(args, x.bridge.Name, &x.base)...))
}

// detail notes a consequence of the last action in the trace.
func (x *Translator) detail(format string, args ...any) {
	if x.trace != nil {
		x.trace.add(NodeDetail, format, args...)
	}
}

// warn notes in the trace something that is likely not what was wanted.
func (x *Translator) warn(format string, args ...any) {
	if x.trace != nil {
		x.trace.add(NodeWarn, format, args...)
	}
}

// emit appends a data path action.
func (x *Translator) emit(a datapath.Action) { x.res.Actions = append(x.res.Actions, a) }

func isIP(ethType uint16) bool {
	return ethType == packet.EtherTypeIPv4 || ethType == packet.EtherTypeIPv6
}

// IP protocol numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

func isICMP(k *flow.Key) bool {
	return k.L3Type() == packet.EtherTypeIPv4 && k.NwProto == protoICMP ||
		k.L3Type() == packet.EtherTypeIPv6 && k.NwProto == protoICMPv6
}

func hasPorts(k *flow.Key) bool {
	return isIP(k.L3Type()) && (k.NwProto == protoTCP || k.NwProto == protoUDP || k.NwProto == protoSCTP)
}

// now is the input's time, for the zero time too.
func (x *Translator) now() time.Time { return x.in.Now }

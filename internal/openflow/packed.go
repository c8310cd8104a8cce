package openflow

import (
	"slices"

	"weir/internal/flow"
)

// PackedFlowMod is a FlowMod in little memory: a file may hold millions.
type PackedFlowMod struct {
	Match flow.PackedMatch
	tlv   *flow.TLVTable

	Actions                       []Action
	cookie, cookieMask, newCookie uint64
	bufferID, outGroup            uint32
	outPort                       PortNo
	Priority                      uint16
	idle, hard, importance        uint16
	origin                        uint16
	flags                         FlowFlags
	command                       FlowModCommand
	TableID                       uint8
	modifyCookie                  bool
}

// Pack gives the packed form of a flow mod; they share the actions.
func (m *FlowMod) Pack() PackedFlowMod {
	var room [512]byte
	p := m.packed()
	p.Match = flow.PackedMatch(m.Match.AppendPacked(room[:0]))
	return p
}

// packed is the packed form without the match.
func (m *FlowMod) packed() PackedFlowMod {
	return PackedFlowMod{
		tlv: m.Match.TLV, Actions: m.Actions,
		cookie: m.Cookie, cookieMask: m.CookieMask, newCookie: m.NewCookie, modifyCookie: m.ModifyCookie,
		bufferID: m.BufferID, outPort: m.OutPort, outGroup: m.OutGroup,
		idle: m.IdleTimeout, hard: m.HardTimeout, Priority: m.Priority, importance: m.Importance,
		flags: m.Flags, command: m.Command, TableID: m.TableID, origin: m.Origin,
	}
}

// Packer packs many flow mods, whose matches then share memory. Its zero value
// is ready to use.
type Packer struct {
	mods    []PackedFlowMod
	matches []byte
	ends    []uint32 // where in matches each match ends
}

// Add packs a flow mod.
func (x *Packer) Add(m *FlowMod) {
	x.mods = append(x.mods, m.packed())
	x.matches = m.Match.AppendPacked(x.matches)
	x.ends = append(x.ends, uint32(len(x.matches)))
}

// Grow makes room for n more flow mods.
func (x *Packer) Grow(n int) {
	const usual = 128 // bytes of a match
	x.mods, x.ends, x.matches = slices.Grow(x.mods, n), slices.Grow(x.ends, n), slices.Grow(x.matches, n*usual)
}

// Take gives what was added since the last Take.
func (x *Packer) Take() []PackedFlowMod {
	all := flow.PackedMatch(x.matches)
	from := uint32(0)
	for i, end := range x.ends {
		x.mods[i].Match = all[from:end]
		from = end
	}
	mods := x.mods
	x.mods, x.matches, x.ends = nil, x.matches[:0], x.ends[:0]
	return mods
}

// Unpack writes all of the flow mod to m.
func (p *PackedFlowMod) Unpack(m *FlowMod) {
	p.Match.Unpack(&m.Match)
	m.Match.TLV, m.Actions = p.tlv, p.Actions
	m.Cookie, m.CookieMask, m.NewCookie, m.ModifyCookie = p.cookie, p.cookieMask, p.newCookie, p.modifyCookie
	m.BufferID, m.OutPort, m.OutGroup = p.bufferID, p.outPort, p.outGroup
	m.IdleTimeout, m.HardTimeout, m.Priority, m.Importance = p.idle, p.hard, p.Priority, p.importance
	m.Flags, m.Command, m.TableID, m.Origin = p.flags, p.command, p.TableID, p.origin
}

// SameEffect reports whether two flow mods add flows that differ at most in
// match and actions; without flags, these may differ too.
func (p *PackedFlowMod) SameEffect(o *PackedFlowMod, flags bool) bool {
	return p.newCookie == o.newCookie && p.idle == o.idle && p.hard == o.hard && p.importance == o.importance &&
		(!flags || p.flags == o.flags)
}

// Identity says which packets the flow is for, equal for flows that say it with
// their tunnel options in other places.
func (p *PackedFlowMod) Identity() flow.PackedMatch {
	if p.tlv == nil {
		return p.Match
	}
	m := flow.Match{TLV: p.tlv}
	p.Match.Unpack(&m)
	return m.Identity()
}

package pipeline

import (
	"errors"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// TLV is the table of the tunnel options that tun_metadata fields stand for.
func (p *Pipeline) TLV() *flow.TLVTable { return p.tlv.Load() }

// Match is what a rule matches, with what its tunnel options mean.
func (p *Pipeline) Match(r *Rule) (m flow.Match) {
	p.MatchInto(r, &m)
	return m
}

// MatchInto is Match into memory that may have held another match.
func (p *Pipeline) MatchInto(r *Rule, m *flow.Match) {
	r.cls.Expand(&m.Key, &m.Mask)
	m.TLV = nil
	if m.Mask.TunMetaPresent != 0 {
		m.TLV = p.TLV()
	}
}

// TLVMod changes the table of tunnel options, all or nothing; errors are
// *openflow.Error. A binding that a flow or a group uses stays.
func (p *Pipeline) TLVMod(m *openflow.TLVTableMod) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	table, err := p.changedTLV(m)
	if err != nil {
		return err
	}
	p.tlv.Store(table)
	if p.onChange != nil {
		p.onChange(p, nil)
	}
	return nil
}

func (p *Pipeline) changedTLV(m *openflow.TLVTableMod) (*flow.TLVTable, error) {
	table := p.TLV()
	maps := m.Maps
	switch m.Command {
	case openflow.TLVAdd:
		for _, t := range maps {
			var err error
			if table, err = table.Add(t); err != nil {
				return nil, tlvCode(err).Err()
			}
		}
		return table, nil
	case openflow.TLVClear:
		maps = table.Maps()
	}
	if len(maps) == 0 {
		return table, nil
	}
	used := p.usedOptions()
	for _, t := range maps {
		if used>>t.Index&1 != 0 {
			return nil, openflow.ErrNXTTMFCInvalidTLVDel.Err()
		}
		table = table.Delete(int(t.Index))
	}
	return table, nil
}

func tlvCode(err error) openflow.ErrCode {
	switch {
	case errors.Is(err, flow.ErrTLVMapped):
		return openflow.ErrNXTTMFCAlreadyMapped
	case errors.Is(err, flow.ErrTLVTwice):
		return openflow.ErrNXTTMFCDupEntry
	}
	return openflow.ErrNXTTMFCTableFull
}

// usedOptions are the tun_metadata fields that flows and groups name, a bit each.
func (p *Pipeline) usedOptions() (used uint64) {
	note := func(f *flow.Field) bool {
		if f.IsTunMetadata() {
			used |= 1 << (f.ID - flow.FieldTunMetadata0)
		}
		return true
	}
	v := p.Version()
	for _, t := range p.tables {
		for _, r := range t.Rules(v) {
			used |= r.Match().Mask.TunMetaPresent
			openflow.ActionFields(r.Actions(), note)
		}
	}
	for _, g := range p.Groups() {
		for _, b := range g.Buckets {
			openflow.ActionFields(b.Actions, note)
		}
	}
	return used
}

package openflow

import (
	"slices"

	"weir/internal/flow"
)

// Decoder decodes messages one after another and reuses its memory: a *FlowMod
// or *BundleAdd that it returns is valid until the next of its kind. Flow mods
// with the same bytes of actions share the list, which therefore nobody may
// change. A Decoder belongs to one goroutine; its zero value is ready to use.
type Decoder struct {
	d     decoder
	inner decoder // of a message within another
	mod   FlowMod
	add   BundleAdd
	stats FlowStats
	acts  actionCache
	plan  readPlan
}

// Decode is the function [Decode] but for the memory that it uses.
func (x *Decoder) Decode(b []byte, opt DecodeOptions) (MsgHeader, Message, error) {
	x.d.reuse = x
	return x.d.decode(b, opt)
}

// FlowStats decodes a FlowStatsReply and visits its entries; what it visits is
// valid until the next. It fails for any other message.
func (x *Decoder) FlowStats(b []byte, opt DecodeOptions, visit func(*FlowStats)) (MsgHeader, error) {
	d := &x.d
	d.reuse = x
	if err := d.begin(b, opt); err != nil {
		return d.MsgHeader, err
	}
	if !d.row.isFlowReply() {
		return d.MsgHeader, ErrBRCBadType.Err()
	}
	for d.left() > 0 && d.err == nil {
		x.stats = FlowStats{}
		if d.flowStats(&x.stats); d.err == nil {
			visit(&x.stats)
		}
	}
	return d.MsgHeader, d.err
}

// newFlowMod gives the memory for a flow mod.
func (d *decoder) newFlowMod() *FlowMod {
	if d.reuse == nil {
		return new(FlowMod)
	}
	d.reuse.mod = FlowMod{}
	return &d.reuse.mod
}

// newBundleAdd gives the memory for an addition to a bundle.
func (d *decoder) newBundleAdd() *BundleAdd {
	if d.reuse == nil {
		return new(BundleAdd)
	}
	d.reuse.add = BundleAdd{}
	return &d.reuse.add
}

// flowActions reads the rest of a flow mod: its actions or instructions.
func (d *decoder) flowActions() []Action {
	if d.reuse == nil || d.err != nil {
		return d.instructions(&d.cursor)
	}
	return d.reuse.acts.decode(d, &d.cursor)
}

// actionCache has lists of actions by their bytes, which are prefixed by the
// version.
type actionCache struct {
	lists map[string][]Action
	tlv   *flow.TLVTable // by which they were decoded
	key   []byte
}

// maxActionLists bounds a cache; when it is full, it starts anew.
const maxActionLists = 4096

// decode reads actions or instructions up to the end of in.
func (c *actionCache) decode(d *decoder, in *cursor) []Action {
	if c.tlv != d.opt.TLV {
		c.lists, c.tlv = nil, d.opt.TLV
	}
	raw := in.rest()
	c.key = append(append(c.key[:0], byte(d.Version)), raw...)
	if list, ok := c.lists[string(c.key)]; ok {
		return list
	}
	// Of its own bytes, for actions may share them and outlive the message.
	own := cursor{b: slices.Clone(raw), short: in.short}
	list := d.instructions(&own)
	d.failErr(own.err)
	if d.err == nil && shareable(list) {
		if c.lists == nil || len(c.lists) >= maxActionLists {
			c.lists = map[string][]Action{}
		}
		c.lists[string(c.key)] = list
	}
	return list
}

// shareable reports whether flows may share a list of actions: not where an
// action notes something of its flow.
func shareable(list []Action) bool {
	for _, a := range list {
		switch a := a.(type) {
		case *SetVLANVID, *SetVLANPCP, *SetL4SrcPort, *SetL4DstPort, *SetField, *CT, *NAT:
			return false
		case *WriteActions:
			if !shareable(a.Actions) {
				return false
			}
		case *Clone:
			if !shareable(a.Actions) {
				return false
			}
		}
	}
	return true
}

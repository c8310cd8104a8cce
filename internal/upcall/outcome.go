package upcall

import (
	"reflect"
	"slices"
	"unsafe"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/tunnel"
	"weir/internal/xlate"
)

// outcome is what a translation found, but for the mask: what the data path
// does and what packets cause besides. Flows that met the same rules and go
// the same way share it, as nearly all do. Its members up to hash never change.
type outcome struct {
	actions []datapath.Action // as installed
	effects xlate.Effects
	recircs []uint32
	normal  bool // NORMAL had a part in it
	wants   bool // a neighbour is missing
	// plain says that the packets looked the first table up as they came in.
	plain bool
	hash  uint64

	// Guarded by the index.
	deps  []dep       // what the translation met
	entry dep         // the table that it looked up first; nil: unknown
	flows []*megaflow // that share it
	next  *outcome    // of the same hash
}

// findings is an outcome in the memory of a translator.
type findings struct{ outcome }

// find takes what a translation found; the findings are good until the next one.
func (f *findings) find(in *xlate.Input, res *xlate.Result) {
	f.outcome = outcome{
		actions: installed(in, res), effects: res.Effects, recircs: res.Recircs, normal: res.HasNormal, wants: res.Wants,
		plain: in.Key.RecircID == 0 && in.Key.NwFrag == 0,
	}
	f.hash = f.sum()
}

// keep is the outcome in memory of its own.
func (f *findings) keep() *outcome {
	o := f.outcome
	o.actions = append([]datapath.Action(nil), o.actions...)
	o.effects = slices.Clone(o.effects)
	o.recircs = slices.Clone(o.recircs)
	o.deps, o.entry = o.met()
	return &o
}

// sum hashes what tells most outcomes apart.
func (o *outcome) sum() uint64 {
	h := uint64(len(o.actions))<<32 | uint64(len(o.effects))
	mix := func(v uint64) { h = (h ^ v) * 0x9e3779b97f4a7c15; h ^= h >> 29 }
	for i := range o.effects {
		e := &o.effects[i]
		mix(uint64(e.Kind) | uint64(e.VLAN)<<8)
		mix(uint64(uintptr(unsafe.Pointer(e.Rule))) ^ uint64(uintptr(unsafe.Pointer(e.Table)))<<1)
		mix(uint64(uintptr(unsafe.Pointer(e.Port))) ^ uint64(uintptr(unsafe.Pointer(e.Bucket)))<<1 ^ uint64(uintptr(unsafe.Pointer(e.FlowMod)))<<2)
		if e.Kind == xlate.EffectMAC {
			m := e.MAC
			mix(uint64(m[0]) | uint64(m[1])<<8 | uint64(m[2])<<16 | uint64(m[3])<<24 | uint64(m[4])<<32 | uint64(m[5])<<40)
		}
	}
	for _, a := range o.actions {
		if out, ok := a.(*datapath.Output); ok {
			mix(uint64(out.Port))
		} else {
			mix(1 << 63)
		}
	}
	for _, id := range o.recircs {
		mix(uint64(id))
	}
	return h
}

// is reports whether the outcomes are the same.
func (o *outcome) is(p *outcome) bool {
	return o.hash == p.hash && o.normal == p.normal && o.plain == p.plain && slices.Equal(o.effects, p.effects) &&
		slices.Equal(o.recircs, p.recircs) && sameActions(o.actions, p.actions)
}

func sameActions(a, b []datapath.Action) bool {
	return slices.EqualFunc(a, b, func(x, y datapath.Action) bool {
		if x == y {
			return true
		}
		if x, ok := x.(*datapath.Output); ok {
			y, ok := y.(*datapath.Output)
			return ok && *x == *y
		}
		return reflect.DeepEqual(x, y)
	})
}

// met lists what a translation met. entry is the table that it looked up with
// the key that packets come with, nil where that isn't certain.
func (o *outcome) met() (deps []dep, entry dep) {
	note := func(d dep) {
		if !slices.Contains(deps, d) {
			deps = append(deps, d)
		}
	}
	for i := range o.effects {
		e := &o.effects[i]
		switch e.Kind {
		case xlate.EffectRule:
			note(dep(e.Rule))
		case xlate.EffectMatched, xlate.EffectMissed:
			switch {
			case len(deps) == 0 && o.plain:
				entry = dep(e.Table)
			case dep(e.Table) == entry:
				entry = nil // again, perhaps of a changed packet
			}
			note(dep(e.Table))
		}
	}
	if o.normal {
		note(anyMAC)
	}
	return deps, entry
}

// maskOf completes the mask of a translation, which a packet came to in a bridge,
// to that of a flow of the data path.
func (e *Engine) maskOf(key *flow.Key, b *xlate.Bridge, res *xlate.Result) *flow.Mask {
	mask := &res.Mask
	tunnel.OptionsMask(mask, key, b.Pipeline.TLV())
	if e.noMegaflows.Load() {
		*mask = key.MaskExact()
		if !key.Tunnel.IsZero() {
			mask.TunMetaPresent = ^uint64(0)
			for i := range key.Options() {
				mask.TunMeta[i] = 0xff
			}
		}
	}
	// A flow of a data path either has a tag or it has none: that can't be
	// left open.
	if mask.VLANs[0].TCI == 0 {
		mask.VLANs[0] = flow.VLAN{TPID: 0xffff, TCI: vidMask | flow.VLANPresent}
	}
	mask.InPort, mask.RecircID = ^uint32(0), ^uint32(0)
	return mask
}

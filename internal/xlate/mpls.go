package xlate

import (
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// EtherTypes of MPLS.
const (
	ethMPLS      = 0x8847
	ethMPLSMcast = 0x8848
)

func isMPLS(ethType uint16) bool { return ethType == ethMPLS || ethType == ethMPLSMcast }

// Parts of a label stack entry (RFC 3032).
const (
	lseBOS        = 0x100
	lseTTLMask    = 0xff
	lseTCShift    = 9
	lseTCMask     = 7 << lseTCShift
	lseLabelShift = 12
	lseLabelMask  = 0xfffff << lseLabelShift
	explicitNull6 = 2 // label of IPv6 packets without one
)

// numLabels counts the label stack entries that a key holds. A stack that does
// not end within the key fills it, but for zeros at its end: those are of a flow's
// text, which needn't tell where the stack ends.
func numLabels(k *flow.Key) int {
	if !isMPLS(k.L3Type()) {
		return 0
	}
	for i, l := range k.MPLS {
		if l&lseBOS != 0 {
			return i + 1
		}
	}
	n := len(k.MPLS)
	for n > 0 && k.MPLS[n-1] == 0 {
		n--
	}
	return n
}

// markLabels marks what the number of labels depends on: where the bottom of the
// stack is, and what counts as none. That entries are not zero isn't marked, as in
// the original: a packet with a whole zero entry, which no router sends, may share
// the fate of those with too many labels.
func (x *Translator) markLabels() {
	w := &x.wc.MPLS
	for i, l := range x.flow.MPLS {
		w[i] |= lseBOS
		if l&lseBOS != 0 {
			return
		}
	}
	for i, l := range slices.Backward(x.flow.MPLS[:]) {
		if l != 0 {
			return
		}
		w[i] = ^uint32(0)
	}
}

// pushMPLS pushes a label. Onto the third a data path that keeps three can't
// push within one pass.
func (x *Translator) pushMPLS(ethType uint16) {
	f, w := &x.flow, x.wc
	n := numLabels(f)
	if n > 0 {
		x.markLabels()
	}
	if n == 0 {
		// The payload of the first label is what it was: set what OpenFlow can
		// still change about it now.
		x.commit()
	} else if x.tooManyLabels(n, "MPLS push action", false) {
		return
	}
	for i := range n {
		w.MPLS[i] = ^uint32(0)
	}
	lse := uint32(lseBOS | 64)
	switch {
	case n > 0:
		lse = f.MPLS[0] &^ lseBOS
	case isIP(f.L3Type()):
		w.NwTTL, w.NwTOS = 0xff, w.NwTOS|0xfc
		tc := uint32(f.NwTOS>>2) & 7
		lse = uint32(f.NwTTL) | tc<<lseTCShift | lseBOS
		if f.NwTTL == 0 {
			lse |= 64
		}
		if f.L3Type() == packet.EtherTypeIPv6 {
			lse |= explicitNull6 << lseLabelShift
		}
	}
	copy(f.MPLS[1:], f.MPLS[:])
	f.MPLS[0] = lse
	if n == 0 {
		x.clearL3()
	}
	f.EthType = ethType
}

// clearL3 takes out of the key what stands behind the first label.
func (x *Translator) clearL3() {
	fw := x.flow.Words()
	for i := flow.StageStart[2]; i < flow.NumWords; i++ {
		fw[i] = 0
	}
}

// popMPLS pops a label. What stands behind the last one must be parsed again.
func (x *Translator) popMPLS(ethType uint16) {
	f, w := &x.flow, x.wc
	n := numLabels(f)
	if n == 0 {
		return
	}
	x.markLabels()
	for i := 1; i < n; i++ {
		w.MPLS[i] = ^uint32(0)
	}
	if x.tooManyLabels(n, "MPLS pop action", true) {
		return
	}
	copy(f.MPLS[:], f.MPLS[1:])
	f.MPLS[len(f.MPLS)-1] = 0
	f.EthType = ethType
	if !isMPLS(ethType) {
		x.wasMPLS = true
	}
}

// tooManyLabels gives up on a packet with as many labels as a key holds, onto
// which no other can be pushed, or whose last but these a pop would bring up.
// The action is as the error names it.
func (x *Translator) tooManyLabels(n int, action string, pop bool) bool {
	if n < flow.MaxMPLSLabels || pop && x.flow.MPLS[n-1]&lseBOS != 0 {
		return false
	}
	has := "would have"
	if pop {
		has = "has"
	}
	x.fail(ErrTooManyMPLS, "dropping packet on which an %s can't be performed as it %s more MPLS LSEs than the %d supported.",
		action, has, flow.MaxMPLSLabels)
	return true
}

// setLSE changes a part of the outer label stack entry.
func (x *Translator) setLSE(mask, bits uint32) {
	if numLabels(&x.flow) == 0 {
		return
	}
	x.wc.MPLS[0] |= mask
	x.flow.MPLS[0] = x.flow.MPLS[0]&^mask | bits&mask
}

// decMPLSTTL decrements the TTL of the outer label.
func (x *Translator) decMPLSTTL() {
	if numLabels(&x.flow) == 0 {
		return
	}
	x.wc.MPLS[0] |= lseTTLMask
	if ttl := x.flow.MPLS[0] & lseTTLMask; ttl > 1 {
		x.setLSE(lseTTLMask, ttl-1)
		return
	}
	x.warn("MPLS decrement TTL exception")
	x.expired(nil)
}

// commitMPLS pops, pushes and sets label stack entries.
func (x *Translator) commitMPLS(f, b *flow.Key) {
	nf, nb := numLabels(f), numLabels(b)
	common := 0
	for common < nf && common < nb && f.MPLS[nf-1-common] == b.MPLS[nb-1-common] {
		common++
	}
	// One entry that differs in content is set in place.
	for nb > common && !(nb == nf && nb-common == 1) {
		ethType := f.EthType
		if nb > 1 {
			ethType = ethMPLS
			if isMPLS(f.EthType) {
				ethType = f.EthType
			}
		}
		x.emit(&datapath.PopMPLS{EthType: ethType})
		nb--
	}
	if nb == nf && nb-common == 1 {
		x.wc.MPLS[0] = ^uint32(0)
		x.emit(&datapath.SetMPLS{LSE: f.MPLS[0], Mask: ^uint32(0)})
	} else {
		for i := nf - nb; i > 0; i-- {
			x.emit(&datapath.PushMPLS{LSE: f.MPLS[i-1], EthType: f.EthType})
		}
	}
	if isMPLS(f.L3Type()) || isMPLS(b.L3Type()) {
		b.EthType, b.MPLS = f.EthType, f.MPLS
	}
}

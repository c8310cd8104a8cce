package vswitchd

import "weir/internal/vlog"

// followMTU keeps the internal devices of a bridge, but for those with an MTU
// of their own, at the least MTU of its other devices.
func (s *Switch) followMTU(i *iface) {
	b := i.port.bridge
	if i.conf.EffectiveType(b.conf.Name) != "internal" {
		if !b.countMTU(i, i.dev.MTU()) {
			return
		}
		b.lowerMTUs()
		return
	}
	b.lowerMTU(i)
}

// lowerMTUs follows a change of the least MTU.
func (b *bridge) lowerMTUs() {
	for _, i := range b.ofports {
		if i.dev != nil && i.conf.EffectiveType(b.conf.Name) == "internal" {
			b.lowerMTU(i)
		}
	}
}

func (b *bridge) lowerMTU(i *iface) {
	least := b.leastMTU()
	mtu := i.dev.MTU()
	if i.conf.MTURequest > 0 || mtu == least || mtu == 0 { // 0: it is in another network namespace
		return
	}
	if err := i.dev.SetMTU(least); err != nil {
		log.WarnRL(&addressRL, "interface %s: setting MTU %d failed (%s)", i.conf.Name, least, vlog.ErrText(err))
	}
}

// countMTU notes the MTU of a device, 0 for none, and reports whether the
// least one of the bridge changed.
func (b *bridge) countMTU(i *iface, mtu int) bool {
	if i.mtu == mtu {
		return false
	}
	was := b.leastMTU()
	if i.mtu != 0 {
		if b.mtus[i.mtu]--; b.mtus[i.mtu] == 0 {
			delete(b.mtus, i.mtu)
		}
	}
	i.mtu = mtu
	if mtu != 0 {
		b.mtus[mtu]++
	}
	return b.leastMTU() != was
}

// leastMTU is that of the devices that aren't internal, the usual one where
// there are none.
func (b *bridge) leastMTU() int {
	const usual = 1500
	if len(b.mtus) == 0 {
		return usual
	}
	least := 0
	for m := range b.mtus {
		if least == 0 || m < least {
			least = m
		}
	}
	return least
}

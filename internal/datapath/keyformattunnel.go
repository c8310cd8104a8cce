package datapath

import "weir/internal/flow"

// erspan prints what an ERSPAN header of either version says besides the session.
func (w *keyWriter) erspan(t, m *flow.Tunnel) {
	w.open("erspan")
	w.dec("ver", uint64(t.ERSPANVer), uint64(m.ERSPANVer), full8)
	if t.ERSPANVer == 1 {
		w.hex("idx", uint64(t.ERSPANIdx), uint64(m.ERSPANIdx), full32)
	} else {
		w.dec("dir", uint64(t.ERSPANDir), uint64(m.ERSPANDir), full8)
		w.hex("hwid", uint64(t.ERSPANHwid), uint64(m.ERSPANHwid), full8)
	}
	w.close()
}

// options prints the tunnel's options, if they count.
func (w *keyWriter) options() {
	k, m := w.k, w.m
	if m.TunMetaPresent == 0 || m == exactMask && k.TunMetaPresent == 0 {
		return
	}
	mask := m.TunMeta[:]
	if m == exactMask {
		mask = nil
	}
	w.member("", false)
	w.b = append(appendOptions(append(w.b, "geneve("...), k.Options(), mask), ')')
}

// tunnel prints the members of tunnel(...); of the key's, those that the outer
// header has. options prints those that it has.
func (w *keyWriter) tunnel(t, m *flow.Tunnel, options func()) {
	all := w.all
	w.all = false
	defer func() { w.all = all }()
	w.outer(t, m)
	w.extensions(t, m)
	options()
	flags := m.Flags
	if t.ID == 0 && m != &exactMask.Tunnel {
		flags &^= flow.TunnelKey &^ t.Flags // that there is no key goes without saying
	}
	if flags != 0 {
		w.member("", false)
		w.b = append(w.b, "flags("...)
		w.flags(uint32(t.Flags), uint32(flags), 0xf, tunFlagNames)
		w.b = append(w.b, ')')
	}
}

// outer prints the addresses and the key of the outer header.
func (w *keyWriter) outer(t, m *flow.Tunnel) {
	if t.ID != 0 || t.Flags&flow.TunnelKey != 0 {
		if t.ID == 0 && m.ID == ^uint64(0) {
			w.text("tun_id", "0x0")
		} else {
			w.hex("tun_id", t.ID, m.ID, ^uint64(0))
		}
	}
	if t.Src != 0 {
		w.ipv4("src", t.Src, m.Src)
	}
	if t.Dst != 0 {
		w.ipv4("dst", t.Dst, m.Dst)
	}
	if t.IPv6Src != [16]byte{} {
		w.ipv6("ipv6_src", t.IPv6Src, m.IPv6Src)
	}
	if t.IPv6Dst != [16]byte{} {
		w.ipv6("ipv6_dst", t.IPv6Dst, m.IPv6Dst)
	}
	if t.TOS != 0 {
		w.hex("tos", uint64(t.TOS), uint64(m.TOS), full8)
	}
	w.dec("ttl", uint64(t.TTL), uint64(m.TTL), full8)
	if t.TpSrc != 0 {
		w.dec("tp_src", uint64(t.TpSrc), uint64(m.TpSrc), full16)
	}
	if t.TpDst != 0 {
		w.dec("tp_dst", uint64(t.TpDst), uint64(m.TpDst), full16)
	}
}

// extensions prints what only some types of tunnels have in their headers.
func (w *keyWriter) extensions(t, m *flow.Tunnel) {
	if t.ERSPANVer != 0 && m.ERSPANVer != 0 {
		w.erspan(t, m)
	}
	if (t.GTPUFlags != 0 || t.GTPUMsg != 0) && (m.GTPUFlags != 0 || m.GTPUMsg != 0) {
		w.open("gtpu")
		w.hex("flags", uint64(t.GTPUFlags), uint64(m.GTPUFlags), full8)
		w.dec("msgtype", uint64(t.GTPUMsg), uint64(m.GTPUMsg), full8)
		w.close()
	}
	if (t.GBPID != 0 || t.GBPFlags != 0) && (m.GBPID != 0 || m.GBPFlags != 0) {
		w.member("", false)
		w.b = append(w.b, "vxlan(gbp("...)
		w.first = true
		w.dec("id", uint64(t.GBPID), uint64(m.GBPID), full16)
		w.hex("flags", uint64(t.GBPFlags), uint64(m.GBPFlags), full8)
		w.b = append(w.b, "))"...)
		w.first = false
	}
}

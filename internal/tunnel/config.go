package tunnel

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"weir/internal/packet"
)

// Config is what the options of a tunnel port ask for. It is immutable.
type Config struct {
	Kind *Kind
	// Remote and Local are the outer addresses; one that isn't valid is any
	// address, or, where RemoteFlow or LocalFlow says so, that of the packet's
	// metadata.
	Remote, Local         netip.Addr
	RemoteFlow, LocalFlow bool
	// InKey is the key of packets to receive, OutKey that of packets to send,
	// unless the metadata has it (InKeyFlow, OutKeyFlow). Without a key, 0 is
	// received as well as none.
	InKey, OutKey         uint64
	InKeyFlow, OutKeyFlow bool
	InKeySet, OutKeySet   bool // a key was given
	DstPort               uint16
	TOS, TTL              uint8 // of the outer header; TTL 0: 64
	TOSInherit            bool  // the inner packet's DSCP
	TTLInherit            bool
	DF, Csum              bool
	Mark                  uint32 // egress_pkt_mark
	MarkSet               bool
	Extensions            []string // sorted
	PacketType            string   // "legacy_l2", "legacy_l3", "ptap"
	Seq                   bool     // GRE packets are numbered
	ERSPAN                ERSPAN

	seq *atomic.Uint32 // the number of the next one

	options map[string]string // in effect, as dpif/show prints them
}

// ERSPAN is what an ERSPAN header says besides the session, which is the key.
// What is of the flow comes from the metadata.
type ERSPAN struct {
	Ver                                 uint8 // 1 or 2
	Idx                                 uint32
	Dir, HWID                           uint8
	VerFlow, IdxFlow, DirFlow, HWIDFlow bool
}

// Values of Config.PacketType.
const (
	legacyL2 = "legacy_l2"
	legacyL3 = "legacy_l3"
	ptap     = "ptap"
)

// DefaultTTL is that of outer headers.
const DefaultTTL = 64

// Has reports whether an extension of the protocol is asked for.
func (c *Config) Has(extension string) bool { return slices.Contains(c.Extensions, extension) }

// Plain reports whether packets are Ethernet frames without extensions of the
// protocol, which is what devices of the host carry.
func (c *Config) Plain() bool { return len(c.Extensions) == 0 && c.PacketType == legacyL2 }

// L2 and L3 say which packets the tunnel carries: Ethernet frames, packets
// without Ethernet header. ptap carries both, as their packet type says.
func (c *Config) L2() bool { return c.PacketType != legacyL3 }

// L3 is the other half of L2.
func (c *Config) L3() bool { return c.PacketType != legacyL2 }

// LegacyL3 reports whether packets have no Ethernet header in the tunnel, and
// one in the bridge.
func (c *Config) LegacyL3() bool { return c.PacketType == legacyL3 }

// Options are those in effect in their canonical form.
func (c *Config) Options() map[string]string { return maps.Clone(c.options) }

// DeviceName is the name of the data path's device that carries the tunnel.
func (c *Config) DeviceName() string {
	if c.Kind.Port == 0 {
		return c.Kind.Device
	}
	return c.Kind.Device + "_" + strconv.Itoa(int(c.DstPort))
}

// parser collects what is wrong with options, by the name of their port.
type parser struct {
	name     string
	c        *Config
	warnings []string
	errs     []string
}

// Parse reads the options of the tunnel port of that name. What it can't make
// sense of but can do without it returns as warnings, for the log.
func Parse(name, typ string, options map[string]string) (c *Config, warnings []string, err error) {
	kind := KindOf(typ)
	if kind == nil {
		return nil, nil, fmt.Errorf("%s: %q is no type of tunnel", name, typ)
	}
	p := &parser{name: name, c: &Config{
		Kind: kind, DstPort: kind.Port, DF: true, PacketType: legacyL2, options: map[string]string{},
	}}
	if kind.L3 {
		p.c.PacketType = legacyL3
	}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		p.option(key, options[key])
	}
	p.keys(options)
	if kind.ShimName() == ShimERSPAN {
		p.c.seq = new(atomic.Uint32)
		p.showERSPAN()
	}
	p.finish()
	if len(p.errs) > 0 {
		return nil, p.warnings, errors.New(strings.Join(p.errs, "\n"+name+": "))
	}
	return p.c, p.warnings, nil
}

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, p.name+": "+fmt.Sprintf(format, args...))
}

func (p *parser) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Sprintf(format, args...))
}

func (p *parser) option(key, value string) {
	c := p.c
	switch key {
	case "remote_ip":
		p.endpoint(key, value, &c.Remote, &c.RemoteFlow)
	case "local_ip":
		p.endpoint(key, value, &c.Local, &c.LocalFlow)
	case "key", "in_key", "out_key": // together, by keys
	case "dst_port":
		p.dstPort(value)
	case "tos":
		p.tos(value)
	case "ttl":
		p.ttl(value)
	case "df_default":
		if c.DF = value == "true"; !c.DF {
			c.options[key] = "false"
		}
	case "csum":
		if c.Csum = value == "true"; c.Csum {
			c.options[key] = "true"
		}
	case "egress_pkt_mark":
		n, err := strconv.ParseUint(value, 0, 32)
		if err != nil {
			p.warn("bad egress_pkt_mark '%s'", value)
			return
		}
		c.Mark, c.MarkSet = uint32(n), true
		c.options[key] = value
	case "exts":
		p.extensions(value)
	case "packet_type":
		p.packetType(value)
	case "seq":
		if c.Seq = value == "true"; c.Seq {
			c.seq = new(atomic.Uint32)
			c.options[key] = "true"
		}
	case "erspan_ver", "erspan_idx", "erspan_dir", "erspan_hwid":
		p.erspan(key, value)
	case "payload_type":
		c.options[key] = value
	case "psk", "remote_cert", "remote_name", "private_key", "use_ssl_cert":
		p.warn("'%s' is for an IPsec daemon to read: the switch itself does not encrypt", key)
	default:
		p.warn("unknown %s argument '%s'", c.Kind.Type, key)
	}
}

func (p *parser) endpoint(key, value string, addr *netip.Addr, flow *bool) {
	if value == "flow" {
		*flow = true
		p.c.options[key] = "flow"
		return
	}
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		p.fail("bad %s '%s'", p.c.Kind.Type, key)
		return
	}
	*addr = a.Unmap()
	if addr.IsMulticast() {
		p.fail("multicast %s=%s not allowed", key, value)
	}
	p.c.options[key] = value
}

func (p *parser) dstPort(value string) {
	if p.c.Kind.Port == 0 {
		p.warn("unknown %s argument 'dst_port'", p.c.Kind.Type)
		return
	}
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n == 0 {
		p.fail("bad dst_port '%s' (it takes 1 to 65535)", value)
		return
	}
	p.c.DstPort = uint16(n)
	if p.c.DstPort != p.c.Kind.Port {
		p.c.options["dst_port"] = value
	}
}

func (p *parser) tos(value string) {
	if value == "inherit" {
		p.c.TOSInherit = true
		p.c.options["tos"] = value
		return
	}
	n, err := strconv.ParseUint(value, 0, 8)
	if err != nil || n&3 != 0 { // the ECN bits are the switch's
		p.warn("invalid TOS %s", value)
		return
	}
	if p.c.TOS = uint8(n); n != 0 {
		p.c.options["tos"] = fmt.Sprintf("0x%x", n)
	}
}

func (p *parser) ttl(value string) {
	if value == "inherit" {
		p.c.TTLInherit = true
		p.c.options["ttl"] = value
		return
	}
	n, err := strconv.ParseUint(value, 0, 8)
	if err != nil {
		p.warn("invalid TTL %s", value)
		return
	}
	p.c.TTL = uint8(n)
	if n != 0 && n != DefaultTTL {
		p.c.options["ttl"] = strconv.Itoa(int(n))
	}
}

func (p *parser) extensions(value string) {
	for ext := range strings.SplitSeq(value, ",") {
		switch {
		case ext == "":
		case slices.Contains(p.c.Kind.extensions, ext):
			p.c.Extensions = append(p.c.Extensions, ext)
		default:
			p.warn("unknown extension '%s'", ext)
		}
	}
	slices.Sort(p.c.Extensions)
	p.c.Extensions = slices.Compact(p.c.Extensions)
	if p.c.Has("gbp") {
		p.c.options["exts"] = "gbp"
	}
}

func (p *parser) packetType(value string) {
	switch value {
	case legacyL2, legacyL3, ptap:
		if value != p.c.PacketType {
			p.c.options["packet_type"] = value
		}
		p.c.PacketType = value
	default:
		p.fail("unknown packet type '%s'", value)
	}
}

// erspan reads an option of ERSPAN; those are hexadecimal but for the version.
func (p *parser) erspan(key, value string) {
	e := &p.c.ERSPAN
	if value == "flow" {
		switch key {
		case "erspan_ver": // and with it all that a version has
			e.VerFlow, e.IdxFlow, e.DirFlow, e.HWIDFlow = true, true, true, true
		case "erspan_idx":
			e.IdxFlow = true
		case "erspan_dir":
			e.DirFlow = true
		case "erspan_hwid":
			e.HWIDFlow = true
		}
		return
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 32)
	o := erspanOptions[key]
	if err != nil || n > o.limit || key == "erspan_ver" && n == 0 {
		p.fail("invalid erspan %s: %s", o.name, value)
		return
	}
	switch key {
	case "erspan_ver":
		e.Ver = uint8(n)
	case "erspan_idx":
		e.Idx = uint32(n)
	case "erspan_dir":
		e.Dir = uint8(n)
	case "erspan_hwid":
		e.HWID = uint8(n)
	}
}

var erspanOptions = map[string]struct {
	name  string
	limit uint64
}{
	"erspan_ver": {"version", 2}, "erspan_idx": {"index", 0xfffff}, "erspan_dir": {"direction", 1}, "erspan_hwid": {"hardware ID", 0x3f},
}

// showERSPAN puts the options in effect where they are shown.
func (p *parser) showERSPAN() {
	e, o := &p.c.ERSPAN, p.c.options
	show := func(key string, flow bool, format string, v any) {
		if o[key] = fmt.Sprintf(format, v); flow {
			o[key] = "flow"
		}
	}
	show("erspan_ver", e.VerFlow, "%d", e.Ver)
	if e.VerFlow || e.Ver == 1 {
		show("erspan_idx", e.IdxFlow, "0x%x", e.Idx)
	}
	if e.VerFlow || e.Ver == 2 {
		show("erspan_dir", e.DirFlow, "%d", e.Dir)
		show("erspan_hwid", e.HWIDFlow, "0x%x", e.HWID)
	}
}

// keys reads the key of either direction; "key" stands for both.
func (p *parser) keys(options map[string]string) {
	read := func(name string) (key uint64, flow, set bool) {
		value, ok := options[name]
		if !ok {
			if value, ok = options["key"]; !ok {
				return 0, false, false
			}
		}
		if value == "flow" {
			return 0, true, true
		}
		key, _ = strconv.ParseUint(value, 0, 64) // what isn't a number is 0
		return key, false, true
	}
	c := p.c
	c.InKey, c.InKeyFlow, c.InKeySet = read("in_key")
	c.OutKey, c.OutKeyFlow, c.OutKeySet = read("out_key")
	in, out := keyOption(c.InKey, c.InKeyFlow), keyOption(c.OutKey, c.OutKeyFlow)
	if c.InKeySet && c.OutKeySet && in == out {
		c.options["key"] = in
		return
	}
	if c.InKeySet {
		c.options["in_key"] = in
	}
	if c.OutKeySet {
		c.options["out_key"] = out
	}
}

func keyOption(key uint64, flow bool) string {
	if flow {
		return "flow"
	}
	return strconv.FormatUint(key, 10)
}

// finish checks what options say together.
func (p *parser) finish() {
	c := p.c
	switch {
	case !c.Remote.IsValid() && !c.RemoteFlow:
		if len(p.errs) == 0 || strings.HasPrefix(p.errs[0], "bad") {
			p.fail("%s type requires valid 'remote_ip' argument", c.Kind.Type)
		}
	case c.LegacyL3() && !c.Kind.L3 && c.Kind.proto != packet.ProtoGRE && !c.Has("gpe"):
		what := c.Kind.Type
		if what == "vxlan" {
			what = "VXLAN (without GPE)"
		}
		p.fail("legacy_l3 configured on %s tunnel that cannot carry L3 traffic", what)
	case c.LocalFlow && !c.RemoteFlow:
		p.fail("%s type requires 'remote_ip=flow' with 'local_ip=flow'", c.Kind.Type)
	case c.Remote.IsValid() && c.Local.IsValid() && c.Remote.Is4() != c.Local.Is4():
		p.fail("remote_ip and local_ip are not of the same address family")
	}
}

// String describes the tunnel as messages and ofproto/list-tunnels do, up to
// the number of the data path's port.
func (c *Config) String() string {
	end := func(a netip.Addr, flow bool) string {
		switch {
		case flow:
			return "flow"
		case a.IsValid():
			return a.String()
		}
		return "::"
	}
	return fmt.Sprintf("%s->%s, key=%s, %s", end(c.Local, c.LocalFlow), end(c.Remote, c.RemoteFlow), keyText(c.InKey, c.InKeyFlow), c.PacketType)
}

// Outgoing describes what is set on packets to send, each part after a comma.
func (c *Config) Outgoing() string {
	var b strings.Builder
	if out := keyText(c.OutKey, c.OutKeyFlow); out != keyText(c.InKey, c.InKeyFlow) {
		b.WriteString(", out_key=" + out)
	}
	switch {
	case c.TTLInherit:
		b.WriteString(", ttl=inherit")
	case c.TTL == 0:
		fmt.Fprintf(&b, ", ttl=%d", DefaultTTL)
	default:
		fmt.Fprintf(&b, ", ttl=%d", c.TTL)
	}
	switch {
	case c.TOSInherit:
		b.WriteString(", tos=inherit")
	case c.TOS != 0:
		fmt.Fprintf(&b, ", tos=%#x", c.TOS)
	}
	if !c.DF {
		b.WriteString(", df=false")
	}
	if c.Csum {
		b.WriteString(", csum=true")
	}
	return b.String()
}

func keyText(key uint64, flow bool) string {
	switch {
	case flow:
		return "flow"
	case key == 0:
		return "0"
	}
	return fmt.Sprintf("0x%x", key)
}

package openflow

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// PrintOptions vary how messages are printed.
type PrintOptions struct {
	Names *Names
	// Verbosity: 0 shows no packets, 1 their headers, 2 and more their bytes;
	// 3 also the matches of flow mods as they are on the wire.
	Verbosity int
	// Log gets what decoding logs, see DecodeOptions.
	Log func(module, site string, warn bool, text string)
}

// printer prints one message.
type printer struct {
	text
	opt PrintOptions
	h   MsgHeader
	raw []byte
	row *msgRow
	// reuse is the memory for what there are many of.
	reuse *Decoder
	// ditto: the last line said that a table equals the one before.
	ditto bool
}

func (p *printer) f(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// FormatMessage prints the message in b as ovs-ofctl ofp-print does, ended by
// a newline. It never fails: what can't be decoded is dumped.
func FormatMessage(b []byte, opt PrintOptions) string {
	return string(new(Printer).Append(nil, b, opt))
}

// Printer prints messages one after another and reuses its memory. It belongs
// to one goroutine; its zero value is ready to use.
type Printer struct{ dec Decoder }

// Append appends to dst what [FormatMessage] prints.
func (x *Printer) Append(dst, b []byte, opt PrintOptions) []byte {
	if len(b) == 0 {
		return append(dst, "OpenFlow message is empty\n"...)
	}
	p := &printer{text: text{dst}, opt: opt, raw: b, reuse: &x.dec}
	if len(b) < HeaderLen {
		p.f("OpenFlow packet too short (only %d bytes):\n%s", len(b), HexDump(b, 0, true))
		return p.b
	}
	p.h, _ = DecodeHeader(b)
	switch {
	case p.h.Length > len(b):
		if d := p.peek(b); d != nil {
			p.title(d)
			p.WriteString("\n")
		}
		p.f("(***truncated to %d bytes from %d***)\n", len(b), p.h.Length)
		p.WriteString(HexDump(b, 0, true))
	case p.h.Length < len(b):
		p.f("(***only uses %d bytes out of %d***)\n", p.h.Length, len(b))
		p.WriteString(HexDump(b, 0, true))
	default:
		p.message(b)
	}
	return p.b
}

// peek identifies a message that may be cut short.
func (p *printer) peek(b []byte) *decoder {
	d := &decoder{MsgHeader: p.h, t: msgTable(), msg: b, cursor: cursor{b: b, off: HeaderLen}}
	if d.identify() != nil {
		return nil
	}
	return d
}

// title prints the name, version and transaction id.
func (p *printer) title(d *decoder) {
	p.row = d.row
	p.WriteString(d.row.title())
	switch v := p.h.Version; {
	case v == V10:
	case v >= V11 && v <= V15:
		p.f(" (OF%s)", v.Dotted())
	default:
		p.f(" (OF 0x%02x)", uint8(v))
	}
	p.f(" (xid=0x%x):", p.h.Xid)
}

func (p *printer) message(b []byte) {
	opt := DecodeOptions{TableID: true, Log: p.opt.Log}
	d, err := newDecoder(b, opt)
	if err != nil {
		p.decodeError(err)
		return
	}
	p.title(d)
	if d.row.isStats() {
		p.statsFlags(b)
	}
	body := len(p.b)
	var m Message
	if d.row.isFlowReply() {
		p.flowReply(d)
	} else {
		m = d.row.dec(d)
	}
	if d.err == nil && d.left() > 0 {
		d.fail(ErrBRCBadLen)
	}
	if d.err != nil {
		p.b = p.b[:body]
		p.WriteByte(' ')
		p.decodeError(d.err)
		return
	}
	p.h.More = d.More
	if m != nil {
		p.WriteString(p.body(m))
	}
	if p.b[len(p.b)-1] != '\n' {
		p.WriteByte('\n')
	}
}

// flowReply prints the entries of a reply with the statistics of flows as it
// decodes them.
func (p *printer) flowReply(d *decoder) {
	d.reuse = p.reuse
	s := &p.reuse.stats
	for d.left() > 0 && d.err == nil {
		*s = FlowStats{}
		if d.flowStats(s); d.err == nil {
			p.b = AppendFlowStats(append(p.b, "\n "...), s, true, p.opt.Names)
		}
	}
}

func (p *printer) decodeError(err error) {
	p.f("***decode error: %s***\n%s", CodeOf(err), HexDump(p.raw, 0, true))
}

// statsFlags prints the flags of a multipart message.
func (p *printer) statsFlags(b []byte) {
	if len(b) < 12 {
		return
	}
	flags := binary.BigEndian.Uint16(b[10:])
	if flags == 0 {
		return
	}
	p.WriteString(" flags=")
	if !p.row.isReply() {
		p.f("***unknown flags 0x%04x***", flags)
		return
	}
	if flags&1 != 0 {
		p.WriteString("[more]")
		flags &^= 1
	}
	if flags != 0 {
		p.f("[***unknown flags 0x%04x***]", flags)
	}
}

// body prints a decoded message after its title.
func (p *printer) body(m Message) string {
	q := &printer{opt: p.opt, h: p.h, raw: p.raw, row: p.row, reuse: p.reuse}
	if q.basic(m) || q.flows(m) || q.ports(m) || q.groups(m) || q.control(m) {
		return q.String()
	}
	return ""
}

func (p *printer) basic(m Message) bool {
	switch m := m.(type) {
	case *Hello:
		p.hello(m)
	case *Error:
		p.errorMsg(m)
	case *EchoRequest:
		p.echo(m.Data)
	case *EchoReply:
		p.echo(m.Data)
	case *FeaturesReply:
		p.features(m)
	case *GetConfigReply:
		p.config(m.SwitchConfig)
	case *SetConfig:
		p.config(m.SwitchConfig)
	case *DescReply:
		p.f("\nManufacturer: %s\nHardware: %s\nSoftware: %s\nSerial Num: %s\nDP Description: %s\n",
			m.Manufacturer, m.Hardware, m.Software, m.Serial, m.Datapath)
	default:
		return false
	}
	return true
}

func (p *printer) hello(m *Hello) {
	p.WriteString("\n version bitmap: ")
	first := true
	for v := range Version(32) {
		if m.Versions.Has(v) {
			if !first {
				p.WriteString(", ")
			}
			first = false
			p.f("0x%02x", uint8(v))
		}
	}
	if m.Unknown {
		p.WriteString("\n unknown data in hello:\n")
		p.WriteString(HexDump(p.raw, 0, true))
	}
}

func (p *printer) echo(b []byte) {
	p.f(" %d bytes of payload\n", len(b))
	if p.opt.Verbosity > 1 {
		p.WriteString(HexDump(b, 0, true))
	}
}

func (p *printer) errorMsg(m *Error) {
	if m.Code == 0 {
		p.WriteString(" ***decode error***\n")
		p.WriteString(HexDump(p.raw[HeaderLen:], 0, true))
		return
	}
	p.f(" %s\n", m.Code)
	if m.Code == ErrHFCIncompatible || m.Code == ErrHFCEPerm {
		p.WriteString(printable(m.Data))
		return
	}
	opt := p.opt
	opt.Verbosity = 1
	if len(m.Data) < HeaderLen {
		if len(m.Data) > 0 {
			p.WriteString(FormatMessage(m.Data, opt))
		} else {
			p.WriteString("(empty)\n")
		}
		return
	}
	p.WriteString(FormatMessage(m.Data, opt))
}

// printable prints bytes as text, with octal escapes.
func printable(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c < 32 || c >= 127 {
			fmt.Fprintf(&s, "\\%03o", c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}

var capabilityNames = []struct {
	c    Capabilities
	name string
}{
	{CapFlowStats, "FLOW_STATS"}, {CapTableStats, "TABLE_STATS"}, {CapPortStats, "PORT_STATS"},
	{CapGroupStats, "GROUP_STATS"}, {CapSTP, "STP"}, {CapIPReasm, "IP_REASM"}, {CapQueueStats, "QUEUE_STATS"}, {CapARPMatchIP, "ARP_MATCH_IP"},
	{CapPortBlocked, "PORT_BLOCKED"}, {CapBundles, "BUNDLES"}, {CapFlowMonitor, "FLOW_MONITORING"},
}

func (p *printer) features(m *FeaturesReply) {
	p.f(" dpid:%016x\nn_tables:%d, n_buffers:%d", m.DatapathID, m.NumTables, m.NumBuffers)
	if m.AuxiliaryID != 0 {
		p.f(", auxiliary_id:%d", m.AuxiliaryID)
	}
	p.WriteString("\ncapabilities: ")
	var names []string
	for _, c := range capabilityNames {
		if m.Capabilities&c.c != 0 {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 {
		names = []string{"0"}
	}
	p.WriteString(strings.Join(names, " ") + "\n")
	if p.h.Version == V10 {
		p.WriteString("actions: " + actionBitNames(decActionBits(m.Actions, V10)) + "\n")
	}
	if p.h.Version < V13 {
		p.portList(m.Ports)
	}
}

func actionBitNames(b uint64) string {
	var out []string
	for i, a := range actionBits {
		if b&(1<<i) != 0 {
			out = append(out, a.name)
		}
	}
	return strings.Join(out, " ")
}

var fragNames = []string{"normal", "drop", "reassemble", "nx-match"}

// String is the name that set-frags takes.
func (f FragHandling) String() string { return fragNames[f&3] }

func (p *printer) config(c SwitchConfig) {
	p.f(" frags=%s", c.Frags)
	if c.InvalidTTLToController {
		p.WriteString(" invalid_ttl_to_controller")
	}
	p.f(" miss_send_len=%d\n", c.MissSendLen)
}

// Duration prints seconds with the digits of the nanoseconds that count, at
// least three.
func Duration(sec, nsec uint32) string {
	var room [24]byte
	return string(appendDuration(room[:0], sec, nsec))
}

func appendDuration(b []byte, sec, nsec uint32) []byte {
	b = strconv.AppendUint(b, uint64(sec), 10)
	if nsec != 0 {
		at := len(b)
		b = strconv.AppendUint(b, 1e9+uint64(nsec), 10)
		b[at] = '.'
		for len(b) > at+4 && b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return append(b, 's')
}

// packet prints a packet as its flow and, at higher verbosity, its bytes.
func (p *printer) packet(data []byte, pt uint32) {
	if p.opt.Verbosity > 0 {
		p.WriteString(FormatPacket(data, pt))
	}
	if p.opt.Verbosity > 2 {
		p.WriteString(HexDump(data, 0, false))
	}
}

// FormatPacket prints the flow of a packet of a packet type and its checksum,
// ended by a newline.
func FormatPacket(data []byte, pt uint32) string {
	k := flow.Key{InPort: flow.PortNone}
	var off flow.Offsets
	if pt == 0 {
		off = flow.ExtractOffsets(data, &k)
	} else {
		k.PacketType = pt
		k.EthType = uint16(pt)
		off = flow.ExtractL3(data, &k)
	}
	s := k.String()
	if off.L4 > 0 && off.L4 < len(data) {
		l4 := data[off.L4:]
		sum := func(name string, at int) {
			if len(l4) >= at+2 {
				s += fmt.Sprintf(" %s:%x", name, binary.BigEndian.Uint16(l4[at:]))
			}
		}
		switch {
		case k.NwProto == 6 && len(l4) >= 20:
			sum("tcp_csum", 16)
		case k.NwProto == 17 && len(l4) >= 8:
			sum("udp_csum", 6)
		case k.NwProto == 132 && len(l4) >= 12:
			s += fmt.Sprintf(" sctp_csum:%x", binary.BigEndian.Uint32(l4[8:]))
		case k.NwProto == 1 && len(l4) >= 4:
			sum("icmp_csum", 2)
		case k.NwProto == 58 && len(l4) >= 4:
			sum("icmp6_csum", 2)
		}
	}
	return s + "\n"
}

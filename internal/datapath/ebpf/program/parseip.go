package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/flow"
	"weir/internal/packet"
)

// ipv4 reads the header at R1, offset R9, of which the frame has R5 bytes. At
// its end R3 is the protocol, R9 the offset of the layer-4 header and R5 the
// length from there on.
func (p *parser) ipv4() {
	p.label("ipv4")
	p.need(asm.R1, packet.IPv4Len)
	p.emit(
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Byte),
		asm.And.Imm(asm.R2, 0xf),
		asm.LSh.Imm(asm.R2, 2), // header's length
	)
	p.be(asm.R4, asm.R1, 2, asm.Half) // total length
	p.emit(
		asm.JLT.Imm(asm.R2, packet.IPv4Len, "parsed"),
		asm.JGT.Reg(asm.R2, asm.R4, "parsed"),
		asm.JGT.Reg(asm.R4, asm.R5, "parsed"),
		asm.Mov.Reg(asm.R5, asm.R4),
		asm.Sub.Reg(asm.R5, asm.R2),
		asm.Add.Reg(asm.R9, asm.R2),
	)
	p.addresses(12, 16)
	p.emit(asm.Mov.Imm(asm.R0, 0))
	p.be(asm.R2, asm.R1, 6, asm.Half)
	p.emit(
		asm.LoadMem(asm.R3, asm.R1, 9, asm.Byte),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.And.Imm(asm.R4, packet.IPv4MF|packet.IPv4OffMask),
		asm.JEq.Imm(asm.R4, 0, "ipv4.whole"),
		asm.Mov.Imm(asm.R0, flow.FragAny),
		asm.And.Imm(asm.R2, packet.IPv4OffMask),
		asm.JEq.Imm(asm.R2, 0, "ipv4.whole"),
		asm.Or.Imm(asm.R0, flow.FragLater),
	)
	p.label("ipv4.whole")
	if p.want[wNw] != 0 {
		p.emit(
			asm.Mov.Reg(asm.R2, asm.R3), // protocol, TTL, TOS, fragment
			asm.LSh.Imm(asm.R2, 8),
			asm.LoadMem(asm.R4, asm.R1, 8, asm.Byte),
			asm.Or.Reg(asm.R2, asm.R4),
			asm.LSh.Imm(asm.R2, 8),
			asm.LoadMem(asm.R4, asm.R1, 1, asm.Byte),
			asm.Or.Reg(asm.R2, asm.R4),
			asm.LSh.Imm(asm.R2, 8),
			asm.Or.Reg(asm.R2, asm.R0),
			asm.LSh.Imm(asm.R2, 32),
			asm.StoreMem(asm.R10, p.word(wNw), asm.R2, asm.DWord),
		)
	}
	p.emit(
		asm.StoreMem(asm.R10, localL4, asm.R9, asm.Half),
		asm.JGT.Imm(asm.R0, flow.FragAny, "parsed"),
		asm.JEq.Imm(asm.R3, packet.ProtoTCP, "tcp"),
		asm.JEq.Imm(asm.R3, packet.ProtoUDP, "udp"),
		asm.JEq.Imm(asm.R3, packet.ProtoICMP, "icmp"),
		asm.JEq.Imm(asm.R3, packet.ProtoIGMP, "icmp"),
		asm.JEq.Imm(asm.R3, packet.ProtoSCTP, "sctp"),
		asm.Ja.Label("parsed"),
	)
}

// ipv6 is ipv4 for IPv6. Where extension headers follow, or a neighbour
// discovery message that masks look at, program deep is to read them first.
func (p *parser) ipv6() {
	p.label("ipv6")
	p.need(asm.R1, packet.IPv6Len)
	p.be(asm.R4, asm.R1, 4, asm.Half)
	p.emit(
		asm.Add.Imm(asm.R4, packet.IPv6Len),
		asm.JGT.Reg(asm.R4, asm.R5, "parsed"),
		asm.Mov.Reg(asm.R5, asm.R4),
		asm.Sub.Imm(asm.R5, packet.IPv6Len), // length after the header
		asm.LoadMem(asm.R3, asm.R1, 6, asm.Byte),
		asm.Mov.Imm(asm.R4, packet.IPv6Len), // length of the headers
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R10, localFrag, asm.R0, asm.Byte),
	)
	for _, proto := range extensionProtos {
		p.emit(asm.JEq.Imm(asm.R3, proto, "ipv6.deep"))
	}
	if p.wants(wNDTarget, 5) {
		p.emit(asm.JEq.Imm(asm.R3, packet.ProtoICMPv6, "ipv6.deep"))
	}
	p.label("ipv6.chain")
	p.ipv6Store()
	p.emit(
		asm.Add.Reg(asm.R9, asm.R4),
		asm.StoreMem(asm.R10, localL4, asm.R9, asm.Half),
		asm.LoadMem(asm.R0, asm.R10, localFrag, asm.Byte),
		asm.JGT.Imm(asm.R0, flow.FragAny, "parsed"),
		asm.JEq.Imm(asm.R3, packet.ProtoTCP, "tcp"),
		asm.JEq.Imm(asm.R3, packet.ProtoUDP, "udp"),
		asm.JEq.Imm(asm.R3, packet.ProtoICMPv6, "icmpv6"),
		asm.JEq.Imm(asm.R3, packet.ProtoSCTP, "sctp"),
		asm.Ja.Label("parsed"),
	)
	p.deepResult()
}

// deepResult takes over what program deep found of the packet; if it hasn't
// been asked yet, it is.
func (p *parser) deepResult() {
	p.label("ipv6.deep")
	p.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, stateDeep),
		asm.JEq.Imm(asm.R1, 0, "deep"),
		asm.StoreMem(asm.R10, localHint, asm.R5, asm.DWord),
	)
	p.scratch(p.set, asm.R1)
	p.emit(
		asm.LoadMem(asm.R2, asm.R1, deepOK, asm.Byte),
		asm.JEq.Imm(asm.R2, 0, "ipv6.cut"),
		asm.LoadMem(asm.R3, asm.R1, deepProto, asm.Byte),
		asm.LoadMem(asm.R2, asm.R1, deepFrag, asm.Byte),
		asm.StoreMem(asm.R10, localFrag, asm.R2, asm.Byte),
		asm.LoadMem(asm.R4, asm.R1, deepLength, asm.Half),
		asm.LoadMem(asm.R5, asm.R10, localHint, asm.DWord),
		asm.Add.Imm(asm.R5, packet.IPv6Len),
		asm.Sub.Reg(asm.R5, asm.R4),
		asm.Ja.Label("ipv6.chain"),
	)
	p.label("ipv6.cut")
	p.ipv6Addresses()
	p.emit(asm.Ja.Label("parsed"))
}

// ipv6Addresses points R1 to the IPv6 header and stores its addresses, all that
// a packet has whose extension headers are cut short.
func (p *parser) ipv6Addresses() {
	p.emit(asm.Mov.Reg(asm.R1, asm.R7), asm.Add.Reg(asm.R1, asm.R9))
	p.need(asm.R1, packet.IPv6Len) // that much is there: this is for the verifier
	for i := range 4 {
		if p.want[wIPv6+i] != 0 {
			p.emit(asm.LoadMem(asm.R2, asm.R1, int16(8+8*i), asm.DWord))
			p.store(wIPv6+i, asm.R2)
		}
	}
}

// ipv6Store stores the fields of the IPv6 header; R3 is the protocol.
func (p *parser) ipv6Store() {
	p.ipv6Addresses()
	if p.want[wNw] == 0 {
		return
	}
	p.emit(asm.StoreMem(asm.R10, localProto, asm.R3, asm.Byte))
	p.be(asm.R0, asm.R1, 0, asm.Word)
	p.emit(
		asm.LSh.Imm(asm.R3, 56),
		asm.LoadMem(asm.R2, asm.R1, 7, asm.Byte),
		asm.LSh.Imm(asm.R2, 48),
		asm.Or.Reg(asm.R3, asm.R2),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.RSh.Imm(asm.R2, 20),
		asm.And.Imm(asm.R2, 0xff),
		asm.LSh.Imm(asm.R2, 40),
		asm.Or.Reg(asm.R3, asm.R2),
		asm.LoadMem(asm.R2, asm.R10, localFrag, asm.Byte),
		asm.LSh.Imm(asm.R2, 32),
		asm.Or.Reg(asm.R3, asm.R2),
		asm.And.Imm(asm.R0, 0xfffff),
		asm.Or.Reg(asm.R3, asm.R0),
		asm.StoreMem(asm.R10, p.word(wNw), asm.R3, asm.DWord),
		asm.LoadMem(asm.R3, asm.R10, localProto, asm.Byte),
	)
}

// l4At points R1 to the layer-4 header at offset R9, if the packet, of which
// R5 bytes remain there, holds n bytes of it.
func (p *parser) l4At(n int32) {
	p.emit(asm.JSLT.Imm(asm.R5, n, "parsed"))
	p.join(asm.R9, localL4, asm.Half)
	p.emit(
		asm.JGT.Imm(asm.R9, MaxHeader, "odd"),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Reg(asm.R1, asm.R9),
	)
	p.need(asm.R1, n)
}

// transport emits what follows the network header.
func (p *parser) transport() {
	p.label("tcp")
	p.l4At(packet.TCPLen)
	p.emit(
		asm.LoadMem(asm.R2, asm.R1, 12, asm.Byte),
		asm.RSh.Imm(asm.R2, 4),
		asm.LSh.Imm(asm.R2, 2),
		asm.JLT.Imm(asm.R2, packet.TCPLen, "parsed"),
		asm.JGT.Reg(asm.R2, asm.R5, "parsed"),
	)
	p.be(asm.R2, asm.R1, 12, asm.Half)
	p.emit(asm.And.Imm(asm.R2, 0xfff), asm.StoreMem(asm.R10, localFlags, asm.R2, asm.DWord))
	if p.want[wARP+1] != 0 {
		p.emit(asm.LSh.Imm(asm.R2, 32))
		p.store(wARP+1, asm.R2)
	}
	p.emit(asm.Ja.Label("ports"))

	if p.want[wTp] == 0 {
		for _, l := range []string{"udp", "sctp", "icmp"} {
			p.label(l)
		}
		p.emit(asm.Ja.Label("parsed"))
	} else {
		p.label("sctp")
		p.l4At(packet.SCTPLen)
		p.emit(asm.Ja.Label("ports"))
		p.label("udp")
		p.l4At(packet.UDPLen)
	}
	p.label("ports")
	if p.want[wTp] != 0 {
		p.be(asm.R2, asm.R1, 0, asm.Word)
		p.emit(
			asm.Mov.Reg(asm.R3, asm.R2),
			asm.RSh.Imm(asm.R3, 16),
			asm.And.Imm(asm.R2, 0xffff),
			asm.LSh.Imm(asm.R2, 16),
			asm.Or.Reg(asm.R3, asm.R2),
		)
		p.store(wTp, asm.R3)
	}
	p.emit(asm.Ja.Label("parsed"))
	if p.want[wTp] != 0 {
		p.label("icmp")
		p.l4At(packet.ICMPLen)
		p.icmpTypes()
		p.emit(asm.Ja.Label("parsed"))
	}
	p.label("icmpv6")
	if p.want[wTp] != 0 {
		p.l4At(packet.ICMPLen)
		p.icmpTypes()
	}
	if p.wants(wNDTarget, 5) {
		p.neighbour()
	}
	p.emit(asm.Ja.Label("parsed"))
}

// icmpTypes stores type and code as ports.
func (p *parser) icmpTypes() {
	if p.want[wTp] == 0 {
		return
	}
	p.emit(
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Byte),
		asm.LoadMem(asm.R3, asm.R1, 1, asm.Byte),
		asm.LSh.Imm(asm.R3, 16),
		asm.Or.Reg(asm.R2, asm.R3),
	)
	p.store(wTp, asm.R2)
}

package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/flow"
	"weir/internal/packet"
)

// parser emits code that extracts a key onto the stack, as flow.Extract does,
// but only the words that want has bits of. Besides it leaves, in the locals,
// where the headers are and the TCP flags. It ends at label "parsed"; it jumps
// to "pull" where headers that it needs aren't linear, and to "odd" where there
// are more of them than it reads.
type parser struct {
	*builder
	set       *Set
	want      *words
	vlanLimit int
}

// wants reports whether any of n words from w on are wanted.
func (p *parser) wants(w, n int) bool {
	for _, m := range p.want[w : w+n] {
		if m != 0 {
			return true
		}
	}
	return false
}

// store puts a register into a word of the key if it is wanted.
func (p *parser) store(w int, src asm.Register) {
	if p.want[w] != 0 {
		p.emit(asm.StoreMem(asm.R10, p.word(w), src, asm.DWord))
	}
}

// parse emits all of it.
func (p *parser) parse() {
	p.frame = newFrame(p.want)
	p.emit(
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R10, localL4, asm.R0, asm.Half),
		asm.StoreMem(asm.R10, localFlags, asm.R0, asm.DWord),
	)
	for _, at := range p.slots {
		if at != 0 {
			p.emit(asm.StoreMem(asm.R10, at, asm.R0, asm.DWord))
		}
	}
	p.metadata()
	p.tunnelKey()
	p.need(asm.R7, packet.EthLen)
	p.emit(asm.LoadMem(asm.R1, asm.R7, 0, asm.DWord))
	p.store(wEth, asm.R1)
	p.vlans()
	p.etherType()
	p.network()
	p.transport()
	p.short()
}

// short is where what remains of the linear part is too short for a header: if
// it is the whole packet, then parsing ends here.
func (p *parser) short() {
	p.label("short")
	p.emit(
		asm.Sub.Reg(asm.R8, asm.R7),
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.JLT.Reg(asm.R8, asm.R1, "pull"),
	)
	p.label("parsed")
	p.forget()
}

// forget makes the verifier forget what it knows of the key and the locals. It
// would otherwise go through all that follows once for each way through the
// parser. To that end it writes to a place on the stack that it can't tell,
// and which is the idle word.
func (p *parser) forget() {
	p.address(asm.R1, p.set.header, headerZero)
	p.emit(
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Word),
		asm.JGT.Imm(asm.R1, int32(-p.idle-1), "lost"),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, int32(p.idle)),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R2, 0, asm.R1, asm.Byte),
	)
}

// metadata fills in what comes with the packet.
func (p *parser) metadata() {
	pair := func(w int, low, high int16) {
		if p.want[w] == 0 {
			return
		}
		p.emit(asm.LoadMem(asm.R1, asm.R6, low, asm.Word))
		if high != 0 {
			p.emit(
				asm.LoadMem(asm.R2, asm.R6, high, asm.Word),
				asm.LSh.Imm(asm.R2, 32),
				asm.Or.Reg(asm.R1, asm.R2),
			)
		}
		p.store(w, asm.R1)
	}
	pair(wPrioMark, skbPriority, skbMark)
	pair(wHashID, cbHash, cbRecirc)
	pair(wInPort, cbInPort, 0)
}

// vlans reads the tags: that which the kernel took out of the frame first, then
// those in it. R9 becomes the offset of the type that follows them.
func (p *parser) vlans() {
	// R4 is the word so far; R9 the offset of the next type.
	p.emit(asm.Mov.Imm(asm.R4, 0), asm.Mov.Imm(asm.R9, 12))
	p.emit(
		asm.LoadMem(asm.R1, asm.R6, skbVLANPresent, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "vlan.inband"),
		asm.LoadMem(asm.R4, asm.R6, skbVLANProto, asm.Word),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.LoadMem(asm.R1, asm.R6, skbVLANTCI, asm.Word),
		asm.And.Imm(asm.R1, 0xffff),
		asm.Or.Imm(asm.R1, flow.VLANPresent),
		asm.LSh.Imm(asm.R1, 16),
		asm.Or.Reg(asm.R4, asm.R1),
	)
	if p.vlanLimit > 1 {
		p.tag(12, 32, "vlan.done")
	}
	p.emit(asm.Ja.Label("vlan.done"))
	p.label("vlan.inband")
	p.tag(12, 0, "vlan.done")
	if p.vlanLimit > 1 {
		p.tag(16, 32, "vlan.done")
	}
	p.label("vlan.done")
	p.store(wVLANs, asm.R4)
}

// tag reads a tag at a constant offset, if there is one, into R4 at a shift;
// otherwise it jumps to none.
func (p *parser) tag(at int16, shift int32, none string) {
	p.be(asm.R1, asm.R7, int(at), asm.Half)
	is := p.fresh("vlan.tag")
	p.emit(
		asm.JEq.Imm(asm.R1, packet.EtherTypeVLAN, is),
		asm.JNE.Imm(asm.R1, packet.EtherTypeQinQ, none),
	)
	p.label(is)
	// The tag counts only if a type follows it. If the packet is too short, it
	// ends here, and the type is the tag's.
	have := p.fresh("vlan.have")
	p.emit(
		asm.Mov.Reg(asm.R0, asm.R7),
		asm.Add.Imm(asm.R0, int32(at)+packet.VLANLen+2),
		asm.JLE.Reg(asm.R0, asm.R8, have),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Sub.Reg(asm.R2, asm.R7),
		asm.LoadMem(asm.R3, asm.R6, skbLen, asm.Word),
		asm.JLT.Reg(asm.R2, asm.R3, "pull"),
		asm.Ja.Label(none),
	)
	p.label(have)
	p.be(asm.R2, asm.R7, int(at)+2, asm.Half)
	p.emit(
		asm.Or.Imm(asm.R2, flow.VLANPresent),
		asm.LSh.Imm(asm.R2, 16),
		asm.Or.Reg(asm.R1, asm.R2),
	)
	if shift != 0 {
		p.emit(asm.LSh.Imm(asm.R1, shift))
	}
	p.emit(asm.Or.Reg(asm.R4, asm.R1), asm.Mov.Imm(asm.R9, int32(at)+packet.VLANLen))
}

// etherType reads the type at offset R9, through an LLC and SNAP header where
// there is one, into R3; R9 becomes the offset of the network header.
func (p *parser) etherType() {
	p.join(asm.R9, localL3, asm.Byte)
	p.emit(asm.Mov.Reg(asm.R1, asm.R7), asm.Add.Reg(asm.R1, asm.R9))
	p.need(asm.R1, 2) // that much is there: this is for the verifier
	p.be(asm.R3, asm.R1, 0, asm.Half)
	p.emit(
		asm.Add.Imm(asm.R9, 2),
		asm.StoreMem(asm.R10, localL3, asm.R9, asm.Byte),
		asm.JGE.Imm(asm.R3, packet.EtherTypeMin, "type.done"),
		// A length. Without SNAP the type is EtherTypeNone.
		asm.Mov.Imm(asm.R3, packet.EtherTypeNone),
		asm.Mov.Reg(asm.R0, asm.R1),
		asm.Add.Imm(asm.R0, 2+packet.SNAPLen),
		asm.JLE.Reg(asm.R0, asm.R8, "snap"),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Sub.Reg(asm.R2, asm.R7),
		asm.LoadMem(asm.R4, asm.R6, skbLen, asm.Word),
		asm.JLT.Reg(asm.R2, asm.R4, "pull"),
		asm.Ja.Label("type.done"),
	)
	p.label("snap")
	p.be(asm.R2, asm.R1, 2, asm.Word)
	p.constant(asm.R4, 0xaaaa0300)
	p.emit(asm.JNE.Reg(asm.R2, asm.R4, "type.done"))
	p.be(asm.R2, asm.R1, 6, asm.Half)
	p.emit(asm.JNE.Imm(asm.R2, 0, "type.done"))
	p.be(asm.R2, asm.R1, 8, asm.Half)
	p.emit(
		asm.JLT.Imm(asm.R2, packet.EtherTypeMin, "type.done"),
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.Add.Imm(asm.R9, packet.SNAPLen),
	)
	p.label("type.done")
	p.join(asm.R9, localL3, asm.Byte)
	if p.want[wEth+1] != 0 {
		p.emit(
			asm.LoadMem(asm.R1, asm.R7, 8, asm.Word),
			asm.Mov.Reg(asm.R2, asm.R3),
			asm.LSh.Imm(asm.R2, 32),
			asm.Or.Reg(asm.R1, asm.R2),
			asm.StoreMem(asm.R10, p.word(wEth+1), asm.R1, asm.DWord),
		)
	}
}

// network dispatches on the type in R3; R9 is the offset of the header, R5
// becomes the length of the frame from there on, R1 a pointer to it.
func (p *parser) network() {
	p.emit(
		asm.LoadMem(asm.R5, asm.R6, skbLen, asm.Word),
		asm.Sub.Reg(asm.R5, asm.R9),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Reg(asm.R1, asm.R9),
		asm.JEq.Imm(asm.R3, packet.EtherTypeIPv4, "ipv4"),
		asm.JEq.Imm(asm.R3, packet.EtherTypeIPv6, "ipv6"),
	)
	arp := p.wants(wIPv4, 1) || p.wants(wNw, 1) || p.wants(wARP, 2)
	mpls, nsh := p.wants(wMPLS, 2), p.wants(wNSH, 3)
	if arp {
		p.emit(asm.JEq.Imm(asm.R3, packet.EtherTypeARP, "arp"), asm.JEq.Imm(asm.R3, packet.EtherTypeRARP, "arp"))
	}
	if mpls {
		p.emit(asm.JEq.Imm(asm.R3, packet.EtherTypeMPLS, "mpls"), asm.JEq.Imm(asm.R3, packet.EtherTypeMPLSM, "mpls"))
	}
	if nsh {
		p.emit(asm.JEq.Imm(asm.R3, packet.EtherTypeNSH, "nsh"))
	}
	p.emit(asm.Ja.Label("parsed"))
	if arp {
		p.arp()
	}
	if mpls {
		p.mpls()
	}
	if nsh {
		p.nsh()
	}
	p.ipv4()
	p.ipv6()
}

func (p *parser) arp() {
	p.label("arp")
	p.need(asm.R1, packet.ARPLen)
	p.be(asm.R2, asm.R1, 0, asm.DWord)
	p.emit(
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.RSh.Imm(asm.R3, 16),
		asm.LoadImm(asm.R4, 1<<32|packet.EtherTypeIPv4<<16|6<<8|4, asm.DWord),
		asm.JNE.Reg(asm.R3, asm.R4, "parsed"),
		asm.And.Imm(asm.R2, 0xffff),
	)
	p.addresses(14, 24)
	if p.want[wNw] != 0 {
		big := p.fresh("arp.op")
		p.emit(
			asm.JGT.Imm(asm.R2, 0xff, big),
			asm.LSh.Imm(asm.R2, 56),
			asm.StoreMem(asm.R10, p.word(wNw), asm.R2, asm.DWord),
		)
		p.label(big)
	}
	p.emit(
		asm.LoadMem(asm.R2, asm.R1, 8, asm.Word), // SHA: 4 and 2 bytes, THA: 2 and 4
		asm.LoadMem(asm.R3, asm.R1, 12, asm.Half),
		asm.LSh.Imm(asm.R3, 32),
		asm.Or.Reg(asm.R2, asm.R3),
		asm.LoadMem(asm.R3, asm.R1, 18, asm.Half),
		asm.LSh.Imm(asm.R3, 48),
		asm.Or.Reg(asm.R2, asm.R3),
		asm.LoadMem(asm.R3, asm.R1, 20, asm.Word),
	)
	p.store(wARP, asm.R2)
	p.store(wARP+1, asm.R3)
	p.emit(asm.Ja.Label("parsed"))
}

// addresses stores two IPv4 addresses at offsets from R1 as a word.
func (p *parser) addresses(src, dst int) {
	if p.want[wIPv4] == 0 {
		return
	}
	p.be(asm.R3, asm.R1, src, asm.Word)
	p.be(asm.R4, asm.R1, dst, asm.Word)
	p.emit(asm.LSh.Imm(asm.R4, 32), asm.Or.Reg(asm.R3, asm.R4))
	p.store(wIPv4, asm.R3)
}

func (p *parser) mpls() {
	p.label("mpls")
	for i := range flow.MaxMPLSLabels {
		p.need(asm.R1, packet.MPLSLen)
		p.be(asm.R2, asm.R1, 0, asm.Word)
		if p.want[wMPLS+i/2] != 0 {
			p.emit(asm.StoreMem(asm.R10, p.word(wMPLS+i/2)+int16(4*(i%2)), asm.R2, asm.Word))
		}
		p.emit(asm.And.Imm(asm.R2, 0x100), asm.JNE.Imm(asm.R2, 0, "parsed"), asm.Add.Imm(asm.R1, packet.MPLSLen))
	}
	p.emit(asm.Ja.Label("parsed"))
}

func (p *parser) nsh() {
	p.label("nsh")
	p.need(asm.R1, 8)
	p.emit(
		// R2: length of the header; R3: metadata type; R4: the first word.
		asm.LoadMem(asm.R2, asm.R1, 1, asm.Byte),
		asm.And.Imm(asm.R2, 0x3f),
		asm.LSh.Imm(asm.R2, 2),
		asm.LoadMem(asm.R3, asm.R1, 2, asm.Byte),
		asm.And.Imm(asm.R3, 0xf),
		asm.LoadMem(asm.R4, asm.R1, 0, asm.Byte),
		asm.Mov.Reg(asm.R0, asm.R4),
		asm.RSh.Imm(asm.R0, 6),
		asm.JNE.Imm(asm.R0, 0, "parsed"),
		asm.JLT.Imm(asm.R2, 8, "parsed"),
		asm.JGT.Reg(asm.R2, asm.R5, "parsed"),
		asm.JEq.Imm(asm.R3, 2, "nsh.md2"),
		asm.JNE.Imm(asm.R3, 1, "parsed"),
		asm.JNE.Imm(asm.R2, 24, "parsed"),
	)
	p.need(asm.R1, 24)
	for i := range 4 {
		p.be(asm.R2, asm.R1, 8+4*i, asm.Word)
		p.nshWord(8+4*i, asm.R2)
	}
	p.label("nsh.md2")
	p.be(asm.R2, asm.R1, 4, asm.Word)
	p.nshWord(4, asm.R2)
	p.emit(
		asm.Mov.Reg(asm.R2, asm.R4),
		asm.RSh.Imm(asm.R2, 4),
		asm.And.Imm(asm.R2, 3), // flags
		asm.LSh.Imm(asm.R4, 2),
		asm.And.Imm(asm.R4, 0x3c),
		asm.LoadMem(asm.R0, asm.R1, 1, asm.Byte),
		asm.RSh.Imm(asm.R0, 6),
		asm.Or.Reg(asm.R4, asm.R0), // TTL
		asm.LSh.Imm(asm.R4, 8),
		asm.Or.Reg(asm.R2, asm.R4),
		asm.LSh.Imm(asm.R3, 16),
		asm.Or.Reg(asm.R2, asm.R3),
		asm.LoadMem(asm.R0, asm.R1, 3, asm.Byte),
		asm.LSh.Imm(asm.R0, 24),
		asm.Or.Reg(asm.R2, asm.R0),
	)
	p.nshWord(0, asm.R2)
	p.emit(asm.Ja.Label("parsed"))
}

// nshWord stores four bytes of flow.NSH, if their word is wanted.
func (p *parser) nshWord(offset int, src asm.Register) {
	if p.want[wNSH+offset/8] != 0 {
		p.emit(asm.StoreMem(asm.R10, p.word(wNSH+offset/8)+int16(offset%8), src, asm.Word))
	}
}

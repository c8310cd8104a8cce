package packet

// EtherTypes (IEEE 802 numbers).
const (
	EtherTypeIPv4  = 0x0800
	EtherTypeARP   = 0x0806
	EtherTypeTEB   = 0x6558 // transparent Ethernet bridging
	EtherTypeRARP  = 0x8035
	EtherTypeVLAN  = 0x8100
	EtherTypeIPv6  = 0x86dd
	EtherTypeLACP  = 0x8809
	EtherTypeMPLS  = 0x8847
	EtherTypeMPLSM = 0x8848
	EtherTypeQinQ  = 0x88a8
	EtherTypeLLDP  = 0x88cc
	EtherTypeCFM   = 0x8902
	EtherTypeNSH   = 0x894f
	EtherTypeERS1  = 0x88be
	EtherTypeERS2  = 0x22eb
	// EtherTypeNone is what the switch calls the type of a frame that has a
	// length (802.2) where others have a type, as OpenFlow 1.0 does.
	EtherTypeNone = 0x05ff
	// EtherTypeMin is the least value that is a type and not a length.
	EtherTypeMin = 0x0600
)

// IP protocol numbers (IANA).
const (
	ProtoHopOpts  = 0
	ProtoICMP     = 1
	ProtoIGMP     = 2
	ProtoTCP      = 6
	ProtoUDP      = 17
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoICMPv6   = 58
	ProtoNone     = 59
	ProtoDstOpts  = 60
	ProtoMobility = 135
	ProtoSCTP     = 132
	ProtoUDPLite  = 136
)

// Header lengths in bytes, without options.
const (
	EthLen   = 14
	VLANLen  = 4
	MPLSLen  = 4
	ARPLen   = 28
	IPv4Len  = 20
	IPv6Len  = 40
	TCPLen   = 20
	UDPLen   = 8
	SCTPLen  = 12
	ICMPLen  = 8
	SNAPLen  = 8 // LLC and SNAP header
	FragLen  = 8 // IPv6 fragment header
	NDOptLen = 8
)

// TCP flags.
const (
	TCPFin = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
	TCPNs
)

// ICMP and ICMPv6 types that carry data of the sender's.
const (
	ICMPEchoReply   = 0
	ICMPEcho        = 8
	ICMPv6Echo      = 128
	ICMPv6EchoReply = 129
)

// ICMPv6 types of neighbour discovery (RFC 4861).
const (
	ICMPv6RouterSolicit    = 133
	ICMPv6RouterAdvert     = 134
	ICMPv6NeighborSolicit  = 135
	ICMPv6NeighborAdvert   = 136
	NDOptSourceLinkAddress = 1
	NDOptTargetLinkAddress = 2
)

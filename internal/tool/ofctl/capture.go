package ofctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
)

// parsePcap prints the flow of each packet in captures, as a switch would see
// it that knows of no input port.
func parsePcap(t *tool, args []string) error {
	for _, name := range args {
		b, err := t.readAll(name)
		if err != nil {
			return err
		}
		r, err := packet.NewPcapReader(bytes.NewReader(b))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for {
			_, frame, err := r.ReadPacket()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			var k flow.Key
			flow.Extract(frame, &k)
			fmt.Fprintln(t.out, k.FormatCaptured())
		}
	}
	return nil
}

// OpenFlow's TCP ports: the registered one and the older one.
var openFlowPorts = []uint16{6633, 6653}

// tcpPorts parses the ports on which OpenFlow is spoken in a capture.
func tcpPorts(words []string) ([]uint16, error) {
	if len(words) == 0 {
		return openFlowPorts, nil
	}
	var ports []uint16
	for _, a := range words {
		n, err := strconv.ParseUint(a, 0, 16)
		if err != nil {
			return nil, fmt.Errorf("%s: not a TCP port", a)
		}
		ports = append(ports, uint16(n))
	}
	return ports, nil
}

// parsePcapOpenFlow prints the OpenFlow messages of the TCP streams in a
// capture, IPv4 only. Each direction of a connection is a stream; segments out
// of order or missing end it.
func parsePcapOpenFlow(t *tool, args []string) error {
	ports, err := tcpPorts(args[1:])
	if err != nil {
		return err
	}
	in, err := t.openFile(args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := packet.NewPcapReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	streams := map[tcpDirection]*tcpStream{}
	for {
		at, frame, err := r.ReadPacket()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		dir, seg, ok := tcpSegment(frame)
		if !ok || !slices.Contains(ports, dir.sport) && !slices.Contains(ports, dir.dport) {
			continue
		}
		if streams[dir] == nil {
			streams[dir] = new(tcpStream)
		}
		for _, msg := range streams[dir].add(seg) {
			if t.timestamp {
				t.printf("%s", at.UTC().Format(stampLayout))
			}
			t.printf("%s.%d > %s.%d:\n", flow.FormatIPv4(dir.src), dir.sport, flow.FormatIPv4(dir.dst), dir.dport)
			t.print(msg, t.verbosity+1)
		}
	}
}

// tcpDirection is one direction of a connection.
type tcpDirection struct {
	src, dst     uint32
	sport, dport uint16
}

// segment is the data of a TCP segment and the number of its first byte.
type segment struct {
	seq  uint32
	syn  bool
	data []byte
}

func tcpSegment(frame []byte) (dir tcpDirection, seg segment, ok bool) {
	var k flow.Key
	l := flow.ExtractOffsets(frame, &k)
	if k.EthType != packet.EtherTypeIPv4 || k.NwProto != packet.ProtoTCP || l.L4 <= 0 || l.L4+20 > len(frame) {
		return dir, seg, false
	}
	tcp := frame[l.L4:]
	if end := l.L3 + packet.IPv4(frame[l.L3:]).TotalLen() - l.L4; end >= 20 && end < len(tcp) {
		tcp = tcp[:end] // the rest is Ethernet's padding
	}
	header := int(tcp[12]>>4) * 4
	if header < 20 || header > len(tcp) {
		return dir, seg, false
	}
	dir = tcpDirection{k.IPSrc, k.IPDst, k.TpSrc, k.TpDst}
	return dir, segment{packet.Be32(tcp[4:]), k.TCPFlags&packet.TCPSyn != 0, tcp[header:]}, true
}

// tcpStream puts the segments of one direction together.
type tcpStream struct {
	started bool
	next    uint32 // sequence number of the next byte
	buf     []byte
}

// add takes a segment and returns the messages that it completes. Data again is
// dropped; after data is missing, the stream begins anew with what comes.
func (s *tcpStream) add(g segment) (msgs [][]byte) {
	if g.syn {
		g.seq++
		*s = tcpStream{started: true, next: g.seq}
	}
	if !s.started {
		s.started, s.next = true, g.seq
	}
	switch gap := int32(g.seq - s.next); {
	case gap > 0:
		s.buf, s.next = nil, g.seq
	case int(-gap) >= len(g.data):
		return nil
	default:
		g.data = g.data[-gap:]
	}
	s.next += uint32(len(g.data))
	s.buf = append(s.buf, g.data...)
	for len(s.buf) >= openflow.HeaderLen {
		n := int(packet.Be16(s.buf[2:]))
		if n < openflow.HeaderLen {
			s.buf = nil
		}
		if n > len(s.buf) || n < openflow.HeaderLen {
			break
		}
		msgs = append(msgs, s.buf[:n:n])
		s.buf = s.buf[n:]
	}
	return msgs
}

package packet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The classic pcap format: a 24-byte header, then per packet a 16-byte header
// and the bytes (pcap-savefile(5)).
const (
	pcapMagic     = 0xa1b2c3d4 // microseconds
	pcapMagicNano = 0xa1b23c4d // nanoseconds
	pcapMaxPacket = 262144
	linkEthernet  = 1
)

// ErrNotPcap says that a file does not begin as a pcap file of Ethernet frames.
var ErrNotPcap = errors.New("not a pcap file")

// PcapWriter writes a pcap file. Not safe for concurrent use.
type PcapWriter struct{ w io.Writer }

// NewPcapWriter writes the file header to w.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	var h [24]byte
	binary.LittleEndian.PutUint32(h[0:], pcapMagic)
	binary.LittleEndian.PutUint16(h[4:], 2)
	binary.LittleEndian.PutUint16(h[6:], 4)
	binary.LittleEndian.PutUint32(h[16:], 1518)
	binary.LittleEndian.PutUint32(h[20:], linkEthernet)
	_, err := w.Write(h[:])
	return &PcapWriter{w}, err
}

// Append makes a writer for a file that has its header already.
func Append(w io.Writer) *PcapWriter { return &PcapWriter{w} }

// WritePacket writes one frame with the time it was seen, in one Write.
func (p *PcapWriter) WritePacket(at time.Time, frame []byte) error {
	b := make([]byte, 16+len(frame))
	binary.LittleEndian.PutUint32(b[0:], uint32(at.Unix()))
	binary.LittleEndian.PutUint32(b[4:], uint32(at.Nanosecond()/1000))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(frame)))
	copy(b[16:], frame)
	_, err := p.w.Write(b)
	return err
}

// PcapReader reads a pcap file in either byte order, with microseconds or
// nanoseconds. Not safe for concurrent use.
type PcapReader struct {
	r    *bufio.Reader
	bo   binary.ByteOrder
	nano bool
}

// NewPcapReader reads the file header.
func NewPcapReader(r io.Reader) (*PcapReader, error) {
	var h [24]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, ErrNotPcap
	}
	p := &PcapReader{r: bufio.NewReader(r)}
	for _, bo := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch bo.Uint32(h[:]) {
		case pcapMagic:
			p.bo = bo
		case pcapMagicNano:
			p.bo, p.nano = bo, true
		}
	}
	if p.bo == nil {
		return nil, ErrNotPcap
	}
	if link := p.bo.Uint32(h[20:]) & 0xffff; link != linkEthernet {
		return nil, fmt.Errorf("%w of Ethernet frames: its link type is %d", ErrNotPcap, link)
	}
	return p, nil
}

// ReadPacket returns the next frame and its time; io.EOF at the end,
// io.ErrUnexpectedEOF when the file stops within a packet.
func (p *PcapReader) ReadPacket() (time.Time, []byte, error) {
	var h [16]byte
	if _, err := io.ReadFull(p.r, h[:]); err != nil {
		return time.Time{}, nil, err
	}
	n := p.bo.Uint32(h[8:])
	if n > pcapMaxPacket {
		return time.Time{}, nil, fmt.Errorf("packet of %d bytes is longer than the %d that pcap allows", n, pcapMaxPacket)
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(p.r, frame); err != nil {
		return time.Time{}, nil, io.ErrUnexpectedEOF
	}
	sub := time.Duration(p.bo.Uint32(h[4:]))
	if !p.nano {
		sub *= time.Microsecond
	}
	return time.Unix(int64(p.bo.Uint32(h[0:])), int64(sub)), frame, nil
}

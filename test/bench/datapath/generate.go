package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// generateMain sends 64-byte UDP packets out of e0, from a packet socket, up
// to 64 to a system call, and prints how many.
func generateMain(args []string) error {
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	flows := fs.Int("flows", 1, "number of flows, by source address and port")
	masks := fs.Bool("masks", false, "packets for the flows of many masks")
	attack := fs.Bool("hostile", false, "packets that make many masks")
	broadcast := fs.Bool("broadcast", false, "to everybody")
	length := fs.Duration("time", time.Second, "how long to send")
	pps := fs.Int("pps", 0, "packets a second, 0 for as many as the device takes")
	count := fs.Int("count", 0, "end after that many packets")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *attack {
		*flows = hostileMasks
	}
	g, err := newGenerator("e0", frames(*flows, *masks, *broadcast, *attack))
	if err != nil {
		return err
	}
	sent, err := g.run(*length, *pps, *count)
	if err == nil {
		fmt.Println(sent)
	}
	return err
}

// frames are the packets that are sent in turn.
func frames(flows int, masks, broadcast, attack bool) [][]byte {
	dst := macDst
	if broadcast {
		dst = "ff:ff:ff:ff:ff:ff"
	}
	text := fmt.Sprintf("eth(src=%s,dst=%s),eth_type(0x0800),ipv4(src=%s,dst=%s,proto=17,tos=0,ttl=64,frag=no),udp(src=1024,dst=%d)", macSrc, dst, ipSrc, ipDst, sinkPort)
	k, _, err := datapath.ParseKey(text, nil)
	if err != nil {
		panic(err)
	}
	out := make([][]byte, flows)
	for i := range out {
		key := *k
		key.TpSrc = uint16(1024 + i%50000)
		key.IPSrc += uint32(i / 50000)
		if masks {
			src, dst := maskedAddresses(i % numMasks)
			key.IPSrc, key.IPDst = src, dst
		}
		if attack {
			hostile(&key, i)
		}
		out[i] = flow.Compose(&key, make([]byte, 60-42))
	}
	return out
}

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

const sendBatch = 64

// generator sends frames from a packet socket.
type generator struct {
	fd     int
	frames [][]byte
	next   int
	hdrs   [sendBatch]mmsghdr
	iovs   [sendBatch]unix.Iovec
}

func newGenerator(device string, frames [][]byte) (*generator, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	g := &generator{frames: frames}
	g.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return nil, err
	}
	const qdiscBypass = 20
	_ = unix.SetsockoptInt(g.fd, unix.SOL_PACKET, qdiscBypass, 1)
	for i := range g.hdrs {
		g.hdrs[i].hdr.Iov = &g.iovs[i]
		g.hdrs[i].hdr.SetIovlen(1)
	}
	return g, unix.Bind(g.fd, &unix.SockaddrLinklayer{Protocol: 0, Ifindex: dev.Index})
}

// run sends until the time is over or count packets are sent.
func (g *generator) run(length time.Duration, pps, count int) (sent int, err error) {
	start := time.Now()
	for time.Since(start) < length && (count == 0 || sent < count) {
		n := sendBatch
		if pps > 0 {
			due := int(time.Since(start).Seconds()*float64(pps)) - sent
			if due <= 0 {
				time.Sleep(50 * time.Microsecond)
				continue
			}
			n = min(n, due)
		}
		if count > 0 {
			n = min(n, count-sent)
		}
		m, err := g.send(n)
		if err != nil {
			return sent, err
		}
		sent += m
	}
	return sent, nil
}

// send sends up to n frames.
func (g *generator) send(n int) (int, error) {
	for i := range n {
		f := g.frames[(g.next+i)%len(g.frames)]
		g.iovs[i].Base = &f[0]
		g.iovs[i].SetLen(len(f))
	}
	m, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(g.fd), uintptr(unsafe.Pointer(&g.hdrs[0])), uintptr(n), 0, 0, 0)
	switch errno {
	case 0:
		g.next = (g.next + int(m)) % len(g.frames)
		return int(m), nil
	case unix.ENOBUFS, unix.EAGAIN:
		return 0, nil
	}
	return 0, errno
}

// numMasks is how many masks the many-mask job has in use: half by source, half
// by destination prefixes.
const numMasks = 64

// maskedAddresses are addresses that only flow i of maskedFlow matches.
func maskedAddresses(i int) (src, dst uint32) {
	src, dst = 0x0a630001, 0x0a630002
	host := uint32(100+i)<<24 | 1<<(31-24)
	if i%2 == 0 {
		return host, dst
	}
	return src, host
}

// maskedFlow is a data path flow of the i-th mask as text.
func maskedFlow(i int) string {
	src, dst := maskedAddresses(i)
	prefix := 32 - i/2%24
	mask := ^uint32(0) << (32 - prefix)
	proto := ""
	if i/2 >= 24 {
		proto = "proto=17,"
	}
	if i%2 == 0 {
		return fmt.Sprintf("ipv4(src=%s/%s,%sfrag=no)", dotted(src&mask), dotted(mask), proto)
	}
	return fmt.Sprintf("ipv4(dst=%s/%s,%sfrag=no)", dotted(dst&mask), dotted(mask), proto)
}

func dotted(v uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return net.IP(b[:]).String()
}

package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// generateMain sends 64-byte UDP packets of a number of flows as fast as the
// device takes them: frames from a packet socket, 64 to a system call.
func generateMain(args []string) int {
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	flows := fs.Int("flows", 1, "number of flows, by source port")
	length := fs.Duration("time", time.Second, "how long to send")
	if err := fs.Parse(args); err != nil || fs.NArg() != 1 {
		return 2
	}
	sent, err := generate(fs.Arg(0), *flows, *length)
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		return 1
	}
	fmt.Println(sent)
	return 0
}

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func generate(device string, flows int, length time.Duration) (sent int, err error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	const qdiscBypass = 20
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, qdiscBypass, 1)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0, Ifindex: dev.Index}); err != nil {
		return 0, err
	}
	frames := make([][]byte, flows)
	for i := range frames {
		text := fmt.Sprintf("eth(src=%s,dst=%s),eth_type(0x0800),ipv4(src=%s,dst=%s,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=9)", macSrc, macDst, ipSrc, ipDst, 1024+i)
		k, _, err := datapath.ParseKey(text, nil)
		if err != nil {
			return 0, err
		}
		frames[i] = flow.Compose(k, make([]byte, 60-42))
	}
	const batch = 64
	var hdrs [batch]mmsghdr
	var iovs [batch]unix.Iovec
	for i := range hdrs {
		hdrs[i].hdr.Iov = &iovs[i]
		hdrs[i].hdr.SetIovlen(1)
	}
	next := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		for i := range iovs {
			f := frames[next]
			iovs[i].Base = &f[0]
			iovs[i].SetLen(len(f))
			if next++; next == len(frames) {
				next = 0
			}
		}
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&hdrs[0])), batch, 0, 0, 0)
		if errno != 0 && errno != unix.ENOBUFS && errno != unix.EAGAIN {
			return sent, errno
		}
		if errno == 0 {
			sent += int(n)
		}
	}
	return sent, nil
}

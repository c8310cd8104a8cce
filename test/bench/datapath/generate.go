package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/lab"
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
	g, err := lab.NewSender("e0", frames(*flows, *masks, *broadcast, *attack))
	if err != nil {
		return err
	}
	sent, err := g.Run(*length, *pps, *count)
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

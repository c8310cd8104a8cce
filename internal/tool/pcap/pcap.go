// Package pcap is ovs-pcap and ovs-tcpundump: they turn captured packets into
// lines of hexadecimal digits, as ofproto/trace takes them (ovs-pcap(1),
// ovs-tcpundump(1)).
package pcap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"weir/internal/cli"
	"weir/internal/packet"
	"weir/internal/vlog"
)

// start parses the options both programs have and runs the program with its
// operands.
func start(env *cli.Env, usage string, program func(operands []string) int) int {
	p := &cli.Parser{Options: []cli.Option{
		cli.Help(func(env *cli.Env) { fmt.Fprintf(env.Stdout, usage+commonUsage, env.Name, env.Name) }),
		cli.Version(),
	}}
	return p.Start(env, func(_ []cli.Parsed, operands []string) int { return program(operands) })
}

const commonUsage = `
Options:
  -h, --help                  display this help message
  -V, --version               display version information
`

// Main runs ovs-pcap: it prints each packet of a pcap file on a line.
func Main(_ context.Context, env *cli.Env) int {
	return start(env, "%s: print pcap file packet data as hex\nusage: %s FILE\nwhere FILE is a PCAP file.\n", func(operands []string) int { return dump(env, operands) })
}

func dump(env *cli.Env, operands []string) int {
	if len(operands) != 1 {
		return env.Fatal("exactly 1 non-option argument required (use --help for help)")
	}
	f, err := os.Open(operands[0])
	if err != nil {
		return env.Fatal("%s: open failed (%s)", operands[0], vlog.ErrText(err))
	}
	defer f.Close()
	r, err := packet.NewPcapReader(bufio.NewReader(f))
	if err != nil {
		return env.Fatal("%s: %v", operands[0], err)
	}
	w := bufio.NewWriter(env.Stdout)
	defer w.Flush()
	for {
		_, frame, err := r.ReadPacket()
		if errors.Is(err, io.EOF) {
			return 0
		}
		if err != nil {
			w.Flush()
			return env.Fatal("%s: %v", operands[0], err)
		}
		fmt.Fprintf(w, "%x\n", frame)
	}
}

// hexLine is a line of packet data in tcpdump's output: an offset, then up to
// eight groups of digits.
const hexLine = `^\s+0x([0-9a-fA-F]+): ((?: [0-9a-fA-F]{2,4})+)`

// UndumpMain runs ovs-tcpundump: it reads the output of tcpdump -xx and prints
// each packet on a line.
func UndumpMain(_ context.Context, env *cli.Env) int {
	return start(env, "%s: print \"tcpdump -xx\" output as hex\nusage: %s < FILE\nwhere FILE is output from \"tcpdump -xx\".\n", func(operands []string) int { return undump(env, operands) })
}

func undump(env *cli.Env, operands []string) int {
	if len(operands) != 0 {
		return env.Fatal("non-option argument not supported (use --help for help)")
	}
	w := bufio.NewWriter(env.Stdout)
	defer w.Flush()
	line := regexp.MustCompile(hexLine)
	var frame strings.Builder
	end := func() {
		if frame.Len() > 0 {
			fmt.Fprintln(w, frame.String())
			frame.Reset()
		}
	}
	in := bufio.NewScanner(env.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		m := line.FindStringSubmatch(in.Text())
		if m == nil {
			end()
			continue
		}
		if strings.Trim(m[1], "0") == "" {
			end()
		}
		frame.WriteString(strings.ReplaceAll(m[2], " ", ""))
	}
	end()
	if err := in.Err(); err != nil {
		return env.Fatal("%v", err)
	}
	return 0
}

package ofctl

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"weir/internal/openflow"
	"weir/internal/vlog"
)

// Commands that need no switch.

// hexArg reads the hexadecimal digits of a text; white space is skipped.
func hexArg(s string) ([]byte, error) {
	s = strings.Join(strings.Fields(s), "")
	b, err := hex.DecodeString(s)
	if err != nil {
		// As far as it is digits.
		n := 0
		for n+1 < len(s) && isHex(s[n]) && isHex(s[n+1]) {
			n += 2
		}
		b, _ = hex.DecodeString(s[:n])
		if n < len(s) {
			return b, fmt.Errorf("trailing garbage following hex bytes")
		}
	}
	return b, nil
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// ofpPrint prints the message whose bytes the argument, or standard input, gives.
func ofpPrint(t *tool, args []string) error {
	verbosity := 2
	if len(args) > 1 {
		verbosity, _ = strconv.Atoi(args[1])
	}
	s := args[0]
	if s == "-" {
		b, err := io.ReadAll(bufio.NewReader(t.env.Stdin))
		if err != nil {
			return err
		}
		s = strings.ReplaceAll(string(b), "\n", " ")
	}
	b, err := hexArg(s)
	if err != nil {
		return err
	}
	t.print(b, verbosity)
	return nil
}

// print prints a message on standard output.
func (t *tool) print(b []byte, verbosity int) {
	fmt.Fprint(t.out, openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: verbosity, Log: t.log}))
}

func encodeHello(t *tool, args []string) error {
	bits, err := strconv.ParseUint(args[0], 0, 32)
	if err != nil {
		return fmt.Errorf("%s: invalid bitmap", args[0])
	}
	b, err := openflow.Encode(openflow.P10, 1, &openflow.Hello{Versions: openflow.VersionSet(bits)})
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, openflow.HexDump(b, 0, false))
	t.print(b, 0)
	return nil
}

func parseKeyValue(t *tool, args []string) error {
	for _, a := range args {
		for i, kv := range openflow.SplitKeyValues(a) {
			if i > 0 {
				t.printf(", ")
			}
			t.printf("%s", kv.Key)
			if kv.Value != "" {
				t.printf("=%s", kv.Value)
			}
		}
		t.printf("\n")
	}
	return nil
}

func printErrorCmd(t *tool, args []string) error {
	code, ok := openflow.ErrCodeByName(args[0])
	if !ok {
		return fmt.Errorf("unknown error \"%s\"", args[0])
	}
	for v := openflow.V10; v <= openflow.V15; v++ {
		vendor, typ, num, ok := code.Numbers(v)
		if ok {
			t.printf("OpenFlow %s: vendor %s, type %d, code %d\n", v.Dotted(), hexOrZero(vendor), typ, num)
		}
	}
	return nil
}

func hexOrZero(v uint32) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("0x%x", v)
}

func encodeErrorReply(t *tool, args []string) error {
	code, ok := openflow.ErrCodeByName(args[0])
	if !ok {
		return fmt.Errorf("unknown error \"%s\"", args[0])
	}
	b, err := hexArg(args[1])
	if err != nil {
		return err
	}
	if len(b) < openflow.HeaderLen {
		return fmt.Errorf("Request header too short")
	}
	if _, _, _, ok := code.Numbers(openflow.Version(b[0])); !ok {
		vlog.For("ofp_errors").Err("cannot encode %s for OpenFlow %s", code, openflow.Version(b[0]).Dotted())
	}
	fmt.Fprint(t.out, openflow.HexDump(openflow.ErrorReply(code, b), 0, false))
	return nil
}

// parseFlow prints how flows are understood and sent.
func parseFlow(t *tool, args []string) error {
	fm, usable, err := openflow.ParseFlowMod(args[0], int(openflow.FlowAdd), t.parseOptions(nil))
	if err != nil {
		return err
	}
	return t.parseFlowsDump([]openflow.PackedFlowMod{fm.Pack()}, usable)
}

func parseFlows(t *tool, args []string) error {
	f, err := t.readFlows(args[0], int(openflow.FlowAdd), "")
	if err != nil {
		return err
	}
	return t.parseFlowsDump(f.flows(), f.usable)
}

func (t *tool) parseFlowsDump(flows []openflow.PackedFlowMod, usable openflow.Protocol) error {
	t.printf("usable protocols: %s\n", openflow.ProtocolsText(usable))
	if usable &= t.allowed; usable == 0 {
		return fmt.Errorf("no usable protocol")
	}
	var p openflow.Protocol
	for i := range 16 {
		if usable&(1<<i) != 0 {
			p = 1 << i
			break
		}
	}
	t.printf("chosen protocol: %s\n", openflow.ProtocolsText(p))
	var fm openflow.FlowMod
	for i := range flows {
		flows[i].Unpack(&fm)
		b, err := openflow.Encode(p, uint32(i+1), &fm)
		if err != nil {
			return err
		}
		t.print(b, t.verbosity)
	}
	return nil
}

// eachLine calls fn with each line that has more than a comment, joined with
// those that a backslash continues.
func eachLine(in io.Reader, fn func(n int, line string) error) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<24)
	for n := 1; sc.Scan(); n++ {
		line := stripComment(sc.Text())
		if line == "" {
			continue
		}
		if err := fn(n, line); err != nil {
			return err
		}
	}
	return sc.Err()
}

// stripComment takes a comment, and space around, off a line.
func stripComment(line string) string {
	line, _, _ = strings.Cut(line, "#")
	return strings.TrimSpace(line)
}

func parseActionsCmd(t *tool, args []string) error { return t.parseHexActions(args[0], false) }
func parseInstructionsCmd(t *tool, args []string) error {
	return t.parseHexActions(args[0], true)
}

// parseHexActions reads actions in hexadecimal, a list a line, and prints each
// with the difference that encoding it again makes.
func (t *tool) parseHexActions(versionName string, instructions bool) error {
	v, ok := openflow.ParseVersion(versionName)
	if !ok {
		return fmt.Errorf("%s: not a valid OpenFlow version", versionName)
	}
	what := "actions"
	if instructions {
		what = "instructions"
	}
	return eachLine(t.env.Stdin, func(_ int, line string) error {
		table := uint8(0)
		if instructions {
			if id, rest, ok := strings.Cut(line, ","); ok {
				n, _ := strconv.ParseUint(id, 0, 8)
				table, line = uint8(n), rest
			}
		}
		b, err := hexArg(line)
		if err != nil {
			return fmt.Errorf("Trailing garbage in hex data")
		}
		as, err := openflow.DecodeActions(b, v, instructions, table, t.decodeOptions())
		if err != nil {
			t.printf("bad %s %s: %s\n\n", v, what, openflow.CodeOf(err))
			return nil
		}
		t.printf("actions=%s\n", openflow.FormatActions(as, nil))
		again := openflow.EncodeActions(as, v, instructions)
		t.printDifferences("", b, again)
		t.printf("\n")
		return nil
	})
}

// printDifferences prints where a and b differ, each after the prefix.
func (t *tool) printDifferences(prefix string, a, b []byte) {
	for i := range max(len(a), len(b)) {
		if i < len(a) && i < len(b) && a[i] == b[i] {
			continue
		}
		t.printf("%s%2d: ", prefix, i)
		for j, s := range [][]byte{a, b} {
			if j > 0 {
				t.printf(" -> ")
			}
			if i < len(s) {
				t.printf("%02x", s[i])
			} else {
				t.printf("(none)")
			}
		}
		t.printf("\n")
	}
}

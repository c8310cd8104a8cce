package ofctl

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"weir/internal/openflow"
)

// Hidden commands that show how matches are read and written.

func parseNXMatch(t *tool, _ []string) error { return t.parseMatches(openflow.V10) }

func parseOXM(t *tool, args []string) error {
	v, ok := openflow.ParseVersion(args[0])
	if !ok || v < openflow.V12 {
		return fmt.Errorf("%s: not a valid version for OXM", args[0])
	}
	return t.parseMatches(v)
}

func (t *tool) parseMatches(v openflow.Version) error {
	sc := bufio.NewScanner(t.env.Stdin)
	for sc.Scan() {
		line := sc.Text()
		trimmed := strings.TrimLeft(line, " \t")
		if trimmed == "" || trimmed[0] == '#' {
			t.printf("%s\n", line)
			continue
		}
		b, err := openflow.ParseNXM(line)
		if err != nil {
			return err
		}
		again, fields, err := openflow.RecodeNXM(b, v, t.strict, t.decodeOptions())
		if err != nil {
			t.printf("nx_pull_match() returned error %s\n", openflow.CodeOf(err))
			continue
		}
		t.printf("%s\n", openflow.FormatNXM(fields, v))
		if t.verbosity > 0 {
			fmt.Fprint(t.out, openflow.HexDump(again, 0, false))
		}
	}
	return sc.Err()
}

func parseOFP11Match(t *tool, _ []string) error {
	return eachLine(t.env.Stdin, func(_ int, line string) error {
		b, err := hexArg(line)
		if err != nil {
			return fmt.Errorf("Trailing garbage in hex data")
		}
		text, again, err := openflow.RecodeMatch11(b, t.decodeOptions())
		if err != nil {
			t.printf("bad ofp11_match: %s\n\n", openflow.CodeOf(err))
			return nil
		}
		t.printf("%s\n", text)
		t.printDifferences("", b, again)
		t.printf("\n")
		return nil
	})
}

// ofpParse prints the OpenFlow messages of a file of them, one after the other.
func ofpParse(t *tool, args []string) error {
	b, err := t.readAll(args[0])
	if err != nil {
		return err
	}
	for len(b) >= openflow.HeaderLen {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < openflow.HeaderLen {
			return fmt.Errorf("%s: %d-byte message is too short for OpenFlow", args[0], n)
		}
		if n > len(b) {
			return fmt.Errorf("%s: unexpected end of file mid-message", args[0])
		}
		t.print(b[:n], t.verbosity+2)
		b = b[n:]
	}
	if len(b) > 0 {
		return fmt.Errorf("%s: unexpected end of file mid-message", args[0])
	}
	return nil
}

func (t *tool) readAll(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(t.env.Stdin)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: open (%s)", name, errText(err))
	}
	return b, nil
}

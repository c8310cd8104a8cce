package ofctl

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/cli"
	"weir/internal/openflow"
)

// Flows that are encoded as they are parsed become the messages that each of
// them becomes alone, in whatever protocol the connection settles on.
func TestFlowsAreEncodedForTheConnection(t *testing.T) {
	var lines []string
	for i := range 9000 { // several parts
		line := fmt.Sprintf("tcp,nw_src=10.1.%d.%d,actions=output:%d", i>>8, i&255, 1+i%3)
		switch i % 1000 {
		case 7:
			line = "# a comment"
		case 500:
			line = fmt.Sprintf("reg0=%d,actions=move:NXM_NX_REG0[]->NXM_NX_REG1[],resubmit(,%d)", i, i%200)
		case 900:
			line = fmt.Sprintf("table=%d,actions=mod_vlan_vid:%d,normal # another", i%200, i%4000)
		}
		lines = append(lines, line)
	}
	file := filepath.Join(t.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, proto := range []openflow.Protocol{openflow.PNXMTID, openflow.P13, openflow.P14} {
		for _, bundle := range []bool{false, proto >= openflow.P13} {
			tool := &tool{env: new(cli.Env), versions: openflow.Versions(openflow.V10), allowed: openflow.PAny, bundle: bundle}
			p := &flowFileParser{name: file, command: int(openflow.FlowAdd), encoder: tool.newFlowEncoder()}
			f, err := tool.parseFile(p)
			if err != nil {
				t.Fatal(err)
			}
			f.settle(p, proto)
			var got, want []byte
			xid := uint32(5)
			for _, part := range f.parts {
				xid += uint32(openflow.NumberMessages(part.encoded.msgs, xid))
				got = append(got, part.encoded.msgs...)
			}
			n := 0
			for i, line := range lines {
				if line = stripComment(line); line == "" {
					continue
				}
				fm, _, err := openflow.ParseFlowMod(line, int(openflow.FlowAdd), openflow.ParseOptions{})
				if err != nil {
					t.Fatal(line, err)
				}
				if at := f.lineOf(n); at != i+1 {
					t.Fatalf("flow %d is said to stand in line %d, not %d", n, at, i+1)
				}
				xid := uint32(5 + n)
				raw, err := openflow.Encode(proto, xid, fm)
				if err == nil && bundle {
					raw, err = openflow.Encode(proto, xid, &openflow.BundleAdd{Flags: bundleFlags, Raw: raw})
				}
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, raw...)
				n++
			}
			if n != f.messages() || !bytes.Equal(got, want) {
				t.Errorf("%s, bundle %v: %d messages of %d bytes, want %d of %d", openflow.ProtocolsText(proto), bundle, f.messages(), len(got), n, len(want))
			}
		}
	}
}

// A flowTable pairs the flows of two sides by match, priority and table.
func TestFlowTablePairs(t *testing.T) {
	parse := func(n int, out int) openflow.PackedFlowMod {
		line := fmt.Sprintf("table=%d,priority=%d,tcp,nw_src=10.0.%d.%d,actions=output:%d", n%3, n%7, n>>8, n&255, out)
		fm, _, err := openflow.ParseFlowMod(line, int(openflow.FlowAdd), openflow.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return fm.Pack()
	}
	const n = 5000
	var left, right []openflow.PackedFlowMod
	for i := range n {
		if i%5 != 0 {
			left = append(left, parse(i, 1))
		}
		if i%3 != 0 {
			right = append(right, parse(i, 1+b2i(i%10 == 2)))
		}
	}
	ft := newFlowTable()
	ft.add(0, left[:10])
	ft.add(1, right)
	ft.add(0, left)
	if len(ft.rows) != n-(n+14)/15 {
		t.Errorf("%d rows", len(ft.rows))
	}
	want := 0
	for i := range n {
		if l, r := i%5 != 0, i%3 != 0; l != r || l && r && i%10 == 2 {
			want++
		}
	}
	if got := len(ft.differing(false)); got != want {
		t.Errorf("%d differ, want %d", got, want)
	}
}

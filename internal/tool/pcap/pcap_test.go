package pcap

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/cli"
	"weir/internal/packet"
)

func run(main func(context.Context, *cli.Env) int, stdin string, args ...string) (out string, status int) {
	var b bytes.Buffer
	env := &cli.Env{Name: "prog", Args: args, Stdin: strings.NewReader(stdin), Stdout: &b, Stderr: &b}
	status = main(context.Background(), env)
	return b.String(), status
}

func TestPcap(t *testing.T) {
	var file bytes.Buffer
	w, err := packet.NewPcapWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range []string{"abcd", "\x00\xff"} {
		if err := w.WritePacket(time.Unix(1, 0), []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "x.pcap")
	for _, tc := range []struct {
		data, want string
		status     int
	}{
		{file.String(), "61626364\n00ff\n", 0},
		{file.String()[:file.Len()-1], "61626364\nprog: " + name + ": ", 1},
		{"hello", "prog: " + name + ": ", 1},
		{"", "prog: " + name + ": ", 1},
	} {
		if err := os.WriteFile(name, []byte(tc.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, status := run(Main, "", name); !strings.HasPrefix(out, tc.want) || status != tc.status {
			t.Errorf("%q: status %d, output %q; want %d, %q", tc.data, status, out, tc.status, tc.want)
		}
	}
	if out, status := run(Main, ""); status != 1 || !strings.Contains(out, "exactly 1 non-option argument") {
		t.Errorf("no argument: status %d, output %q", status, out)
	}
}

func TestUndump(t *testing.T) {
	const dump = "listening on foo\n10:00:00.000 IP a > b:\n\t0x0000:  4500 0014 abcd 0000 4001 0000 0a00 0001  E.......4001\n" +
		"\t0x0010:  0a00 0002                                ....\n12:00:00 ARP\n\t0x0000:  0102 03\n\t0x0000:  0405\n"
	out, status := run(UndumpMain, dump)
	if want := "45000014abcd0000400100000a0000010a000002\n010203\n0405\n"; out != want || status != 0 {
		t.Errorf("status %d, output %q, want %q", status, out, want)
	}
}

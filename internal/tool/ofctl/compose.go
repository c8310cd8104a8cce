package ofctl

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
)

// Hidden commands that make packets of flows and read them back.

// composePacket prints the packet that a flow describes, with the payload given
// in hexadecimal. It fails if the packet reads back as another flow.
func composePacket(t *tool, args []string) error {
	k, err := flow.ParseKey(args[0], nil, nil)
	if err != nil {
		return err
	}
	var payload []byte
	if len(args) > 1 {
		if payload, err = hex.DecodeString(args[1]); err != nil {
			return fmt.Errorf("%s: trailing garbage in packet data", args[1])
		}
	}
	frame := flow.Compose(k, payload)
	switch t.packetOutput {
	case outputPcap:
		w, err := packet.NewPcapWriter(t.out)
		if err != nil {
			return err
		}
		if err := w.WritePacket(time.Now(), frame); err != nil {
			return err
		}
	case outputRaw:
		if _, err := t.out.Write(frame); err != nil {
			return err
		}
	default:
		fmt.Fprint(t.out, openflow.HexDump(frame, 0, false))
	}
	var got flow.Key
	flow.Extract(frame, &got)
	got.InPort, got.PacketType = k.InPort, k.PacketType
	if want, back := k.Format(nil), got.Format(nil); want != back {
		fmt.Fprintf(t.env.Stderr, "specified and extracted flows differ:\nspecified: %s\nextracted: %s\n", want, back)
		return exitStatus(1)
	}
	return nil
}

// parsePacket prints the flow of the packet on standard input.
func parsePacket(t *tool, _ []string) error {
	frame, err := io.ReadAll(t.env.Stdin)
	if err != nil {
		return err
	}
	var k flow.Key
	flow.Extract(bytes.Clone(frame), &k)
	k.InPort = flow.PortNone
	t.printf("%s\n", k.Format(nil))
	return nil
}

// parseGroup prints the message that a group's text makes.
func parseGroup(t *tool, args []string) error {
	g, usable, err := openflow.ParseGroupMod(args[0], int(openflow.GroupAdd), t.parseOptions(nil))
	if err != nil {
		return err
	}
	t.printf("usable protocols: %s\n", openflow.ProtocolsText(usable))
	for v := openflow.V10; v <= openflow.V15; v++ {
		if !t.versions.Has(v) || usable&v.Protocols() == 0 {
			continue
		}
		t.printf("chosen version: %s\n", v)
		b, err := openflow.Encode(v.Protocol(), 1, g)
		if err != nil {
			return err
		}
		t.print(b, t.verbosity)
		return nil
	}
	return fmt.Errorf("no usable protocol")
}

// parseOFP10Match prints ofp10_matches; x stands for a digit that doesn't matter.
func parseOFP10Match(t *tool, _ []string) error {
	return eachLine(t.env.Stdin, func(_ int, line string) error {
		b, err := hexArg(strings.ReplaceAll(line, "x", "0"))
		if err != nil || len(b) != 40 {
			return fmt.Errorf("Trailing garbage in hex data")
		}
		text, again, normal, err := openflow.RecodeMatch10(b, t.decodeOptions())
		if err != nil {
			t.printf("bad ofp10_match: %s\n\n", openflow.CodeOf(err))
			return nil
		}
		t.printf("%s\n", text)
		t.printDifferences("", b, again)
		t.printDifferences("normal: ", again, normal)
		t.printf("\n")
		return nil
	})
}

func checkVLAN(t *tool, args []string) error {
	var n [2]uint16
	for i := range n {
		b, err := hexArg(args[i])
		if err != nil || len(b) != 2 {
			return fmt.Errorf("%s: not four hexadecimal digits", args[i])
		}
		n[i] = packet.Be16(b)
	}
	t.printf("%s", openflow.FormatVLANForms(n[0], n[1], t.decodeOptions()))
	return nil
}

package ofctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"weir/internal/flow"
	"weir/internal/packet"
)

// parsePcap prints the flow of each packet in captures, as a switch would see
// it that knows of no input port.
func parsePcap(t *tool, args []string) error {
	for _, name := range args {
		b, err := t.readAll(name)
		if err != nil {
			return err
		}
		r, err := packet.NewPcapReader(bytes.NewReader(b))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for {
			_, frame, err := r.ReadPacket()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			var k flow.Key
			flow.Extract(frame, &k)
			fmt.Fprintln(t.out, k.FormatCaptured())
		}
	}
	return nil
}

package dummy

import (
	"fmt"
	"os"
	"time"

	"weir/internal/packet"
)

// captures are the pcap files of a device: pcap holds both directions,
// rxq_pcap what came in, tx_pcap what went out. Owned by the device's mutex.
type captures struct {
	both, rx, tx capture
}

// capture is one file; a nil writer is none.
type capture struct {
	path string
	file *os.File
	w    *packet.PcapWriter
}

// set opens the files that the options name and closes those they don't.
func (c *captures) set(device string, options map[string]string) {
	for _, f := range []struct {
		c      *capture
		option string
	}{{&c.both, "pcap"}, {&c.rx, "rxq_pcap"}, {&c.tx, "tx_pcap"}} {
		if err := f.c.open(options[f.option]); err != nil {
			log.Warn("device %s: option %s: %v", device, f.option, err)
		}
	}
}

// open appends to the file, beginning it where it is empty.
func (c *capture) open(path string) error {
	if path == c.path {
		return nil
	}
	c.close()
	c.path = path
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	c.file = f
	if st.Size() > 0 {
		c.w = packet.Append(f)
		return nil
	}
	if c.w, err = packet.NewPcapWriter(f); err != nil {
		c.close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (c *capture) close() {
	if c.file != nil {
		_ = c.file.Close()
	}
	*c = capture{}
}

func (c *capture) write(at time.Time, frame []byte) {
	if c.w != nil {
		if err := c.w.WritePacket(at, frame); err != nil {
			log.Warn("%s: %v", c.path, err)
			c.close()
		}
	}
}

func (c *captures) received(at time.Time, frame []byte) {
	c.both.write(at, frame)
	c.rx.write(at, frame)
}

func (c *captures) sent(at time.Time, frame []byte) {
	c.both.write(at, frame)
	c.tx.write(at, frame)
}

func (c *captures) close() {
	c.both.close()
	c.rx.close()
	c.tx.close()
}

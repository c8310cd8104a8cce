package userspace

import (
	"encoding/hex"
	"testing"

	"weir/internal/flow"
	"weir/internal/netdev"
)

// A label goes behind all tags, also those that extraction doesn't look at.
func TestLabelBehindTags(t *testing.T) {
	const macs, ip = "000000000002000000000001", "450000140000000040067ce70a0000010a000002"
	for in, want := range map[string]string{
		macs + "0800" + ip:                           macs + "8847" + "0000a140" + ip,
		macs + "8100" + "2063" + "0800" + ip:         macs + "81002063" + "8847" + "0000a140" + ip,
		macs + "81002063" + "8100e058" + "0800" + ip: macs + "81002063" + "8100e058" + "8847" + "0000a140" + ip,
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		pkt := netdev.NewPacket(len(b))
		pkt.Len = len(b)
		copy(pkt.Data(), b)
		st := &state{pkt: &pkt, key: new(flow.Key)}
		st.offs = flow.ExtractOffsets(pkt.Data(), st.key)
		pushMPLS(st, 10<<12|1<<8|64, 0x8847)
		if got := hex.EncodeToString(pkt.Data()); got != want {
			t.Errorf("%s became\n%s, want\n%s", in, got, want)
		}
	}
}

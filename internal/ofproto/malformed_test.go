package ofproto

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"weir/internal/openflow"
)

// sendRaw sends a message of any bytes: version, type and length stand in front
// of body.
func (p *peer) sendRaw(v openflow.Version, typ uint8, body []byte) {
	p.t.Helper()
	p.xid++
	b := make([]byte, openflow.HeaderLen, openflow.HeaderLen+len(body))
	b[0], b[1] = uint8(v), typ
	binary.BigEndian.PutUint16(b[2:], uint16(openflow.HeaderLen+len(body)))
	binary.BigEndian.PutUint32(b[4:], p.xid)
	if _, err := p.c.Write(append(b, body...)); err != nil {
		p.t.Fatal(err)
	}
}

// outcome is the error code that the last message got, 0 for none. It also checks
// that the connection lives: an echo comes back.
func (p *peer) outcome() (code openflow.ErrCode) {
	p.t.Helper()
	p.send(&openflow.EchoRequest{Data: []byte("alive")})
	for {
		b, err := readMessage(p.c)
		if err != nil {
			p.t.Fatalf("the connection died: %v", err)
		}
		h, m, err := openflow.Decode(b, openflow.DecodeOptions{})
		if err != nil {
			p.t.Fatalf("the switch sent what can't be decoded: %v: %x", err, b)
		}
		switch m := m.(type) {
		case *openflow.Error:
			if h.Xid == p.xid-1 {
				code = m.Code
			}
		case *openflow.EchoReply:
			if h.Xid == p.xid {
				return code
			}
		}
	}
}

// Whatever comes under a type of message, of any length, the connection lives, and
// what can't be is answered by an error that the version has.
func TestMalformed(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	for v := openflow.V10; v <= openflow.V15; v++ {
		p := r.connect("br0", v)
		for typ := range uint8(40) {
			for _, n := range []int{0, 1, 4, 8, 16, 56, 200} {
				for _, fill := range []byte{0x00, 0xff, 0x5a} {
					p.sendRaw(v, typ, []byte(strings.Repeat(string([]byte{fill}), n))[:n])
					code := p.outcome()
					if code == 0 {
						continue
					}
					if _, _, _, ok := code.Numbers(v); !ok {
						t.Errorf("OpenFlow %s, type %d, %d bytes of %02x: %s, which the version hasn't", v.Dotted(), typ, n, fill, code)
					}
				}
			}
		}
	}
}

// Malformed messages get the error that the specification names (OpenFlow 1.3.1,
// 7.4; 1.0.0, 5.4.4).
func TestRefusals(t *testing.T) {
	const (
		v10, v13, v14, v15 = openflow.V10, openflow.V13, openflow.V14, openflow.V15
		match13            = "00010004" + "00000000" // an empty OXM match
		flowMod13          = "0000000000000000" + "0000000000000000"
		anyTail            = "0000" + "0000" + "8000" + "ffffffff" + "ffffffff" + "ffffffff" + "0000" + "0000"
	)
	for _, test := range []struct {
		name string
		v    openflow.Version
		typ  uint8
		body string // hexadecimal
		want openflow.ErrCode
	}{
		{"an unknown type", v13, 99, "", openflow.ErrBRCBadType},
		{"a type of a later version", v10, 29, "", openflow.ErrBRCBadType},
		{"features request with a body", v13, 5, "00000000", openflow.ErrBRCBadLen},
		{"get-config request with a body", v10, 7, "00", openflow.ErrBRCBadLen},
		{"set-config too short", v13, 9, "0000", openflow.ErrBRCBadLen},
		{"barrier with a body", v13, 20, "00000000", openflow.ErrBRCBadLen},
		{"packet-out too short", v13, 13, "ffffffff", openflow.ErrBRCBadLen},
		{"packet-out from a port that can't be", v13, 13, "ffffffff" + "fffffff9" + "0000" + "000000000000", openflow.ErrBRCBadPort},
		{"packet-out of a buffer", v13, 13, "00000001" + "fffffffd" + "0000" + "000000000000", openflow.ErrBRCBufferUnknown},
		{"packet-out with a bad action length", v13, 13, "ffffffff" + "fffffffd" + "0008" + "000000000000" + "0000000400000000", openflow.ErrBACBadLen},
		{"flow mod too short", v13, 14, "00", openflow.ErrBRCBadLen},
		{"flow mod of an unknown command", v13, 14, flowMod13 + "0009" + anyTail + match13, openflow.ErrFMFCBadCommand},
		{"addition to all tables", v13, 14, flowMod13 + "ff00" + anyTail + match13, openflow.ErrFMFCBadTableID},
		{"an unknown instruction", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0063000800000000", openflow.ErrBICUnknownInst},
		{"goto backwards", v13, 14, flowMod13 + "0500" + anyTail + match13 + "0001000805000000", openflow.ErrBICBadTableID},
		{"an unknown action", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004001000000000" + "00630008" + "00000000", openflow.ErrBACBadType},
		{"output to a port that can't be", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004001800000000" + "00000010fffffff0" + "ffff000000000000", openflow.ErrBACBadOutPort},
		{"set of a field that the packets haven't", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004001800000000" + "00190010" + "80001c02" + "0050" + "000000000000", openflow.ErrBACMatchInconsistent},
		{"a match of an unknown type", v13, 14, flowMod13 + "0000" + anyTail + "00050004" + "00000000", openflow.ErrBMCBadType},
		{"a match longer than the message", v13, 14, flowMod13 + "0000" + anyTail + "00010044" + "00000000", openflow.ErrBMCBadLen},
		{"a field without its prerequisite", v13, 14, flowMod13 + "0000" + anyTail + "0001000a" + "80001c02" + "0050" + "000000000000", openflow.ErrBMCBadPrereq},
		{"a field twice", v13, 14, flowMod13 + "0000" + anyTail + "00010010" + "80000a02" + "0800" + "80000a02" + "0800", openflow.ErrBMCDupField},
		{"a match on NSH of packets that needn't have it", v13, 14, flowMod13 + "0000" + anyTail + "00010010" + "ffff0808" + "005ad650" + "00000005", openflow.ErrBMCBadPrereq},
		{"a match on what the data path numbers", v13, 14, flowMod13 + "0000" + anyTail + "0001000c" + "00014804" + "00000001" + "00000000", openflow.ErrBRCEPerm},
		{"modification by what the data path numbers", v13, 14, flowMod13 + "0001" + anyTail + "0001000c" + "00014604" + "00000001" + "00000000", openflow.ErrBRCEPerm},
		{"meter 0", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0006000800000000", openflow.ErrMMFCInvalidMeter},
		{"port mod too short", v13, 16, "00000001", openflow.ErrBRCBadLen},
		{"port mod of a port that isn't there", v13, 16, "00000063" + "00000000" + "000000000000" + "0000" + "00000000" + "00000000" + "00000000" + "00000000", openflow.ErrPMFCBadPort},
		{"port mod with another address", v13, 16, "00000001" + "00000000" + "ffffffffffff" + "0000" + "00000000" + "00000000" + "00000000" + "00000000", openflow.ErrPMFCBadHWAddr},
		{"group mod of an unknown type", v13, 15, "0000" + "63" + "00" + "00000001", openflow.ErrGMFCBadType},
		{"group mod of an unknown command", v13, 15, "0063" + "00" + "00" + "00000001", openflow.ErrGMFCBadCommand},
		{"a group of a type that doesn't watch", v13, 15, "0000" + "00" + "00" + "00000001" + "0010" + "0000" + "00000001" + "ffffffff" + "00000000", openflow.ErrGMFCWatchUnsupported},
		{"nine bands", v13, 29, "0000" + "0001" + "00000001" + strings.Repeat("0001"+"0010"+"00000001"+"00000000"+"00000000", 9), openflow.ErrMMFCOutOfBands},
		{"eight bands, of a meter with the highest number", v13, 29, "0000" + "0001" + "ffff0000" + strings.Repeat("0001"+"0010"+"00000001"+"00000000"+"00000000", 8), 0},
		{"modification of no group", v13, 15, "0001" + "00" + "00" + "00000001", openflow.ErrGMFCUnknownGroup},
		{"meter mod of an unknown command", v13, 29, "0063" + "0001" + "00000001", openflow.ErrMMFCBadCommand},
		{"deletion is of any meter, modification not", v13, 29, "0001" + "0001" + "00000001" + "0001001000000001" + "00000000" + "00000000", openflow.ErrMMFCUnknownMeter},
		{"table mod too short", v13, 17, "00", openflow.ErrBRCBadLen},
		{"an unknown multipart request", v13, 18, "0063" + "0000" + "00000000", openflow.ErrBRCBadStat},
		{"a multipart request too short", v13, 18, "0001", openflow.ErrBRCBadLen},
		{"flow statistics of no table", v13, 18, "0001" + "0000" + "00000000" + "00", openflow.ErrBRCBadLen},
		{"queue statistics of no port", v13, 18, "0005" + "0000" + "00000000" + "00000063" + "ffffffff", openflow.ErrQOFCBadPort},
		{"an unknown experimenter", v13, 4, "00123456" + "00000000", openflow.ErrBRCBadVendor},
		{"an unknown message of Nicira's", v13, 4, "00002320" + "00000fff", openflow.ErrBRCBadSubtype},
		{"a role that isn't", v13, 24, "00000009" + "00000000" + "0000000000000000", openflow.ErrRRFCBadRole},
		{"a bundle that isn't", v14, 33, "00000001" + "0004" + "0001", openflow.ErrBFCBadID},
		{"an unknown kind of bundle control", v14, 33, "00000001" + "0063" + "0001", openflow.ErrBFCBadType},
		{"actions that aren't of eights of bytes", v10, 13, "ffffffff" + "ffff" + "0004" + "00000004", openflow.ErrBRCBadLen},
		{"an unknown vendor in OpenFlow 1.0", v10, 4, "00123456" + "00000000", openflow.ErrBRCBadVendor},
		{"unknown statistics in OpenFlow 1.0", v10, 16, "0063" + "0000", openflow.ErrBRCBadStat},
		{"a reply, whatever is in it", v13, 19, "0009" + "0000" + "00000000" + strings.Repeat("ffffffff", 10), openflow.ErrBRCBadType},
		{"a reply that can't be as long", v13, 19, "0004" + "0000" + "00000000" + "ffffffff", openflow.ErrBRCBadLen},
		{"a packet-in", v10, 10, strings.Repeat("ff", 18), openflow.ErrBRCBadType},
		{"port statistics of a port that can't be, too long", v13, 18, "0004" + "0000" + "00000000" + "ffff40ff" + "00000000" + "00000000", openflow.ErrBRCBadLen},
		{"what is wrong first: the match", v15, 14, flowMod13 + "ff09" + "0000" + "0000" + "8000" + "ffffffff" + "ffff0000" + "ffffffff" + "8000" + "0000" + "0001000a" + "80001c02" + "0050" + "000000000000", openflow.ErrBMCBadPrereq},
		{"what is wrong first: the command", v15, 14, flowMod13 + "0009" + "0000" + "0000" + "8000" + "ffffffff" + "ffffffff" + "ffffffff" + "8000" + "0000" + match13 + "00000008" + "00000000", openflow.ErrFMFCBadCommand},
		{"what is wrong first: the instruction", v15, 14, flowMod13 + "0000" + "0000" + "0000" + "8000" + "ffffffff" + "ffffffff" + "ffffffff" + "8000" + "0000" + match13 + "00000008" + "00000000", openflow.ErrBICUnknownInst},
		{"an emergency flow that ends", v10, 14, "003820ff" + strings.Repeat("00", 36) + "0000000000000000" + "0000" + "0001" + "0000" + "8000" + "ffffffff" + "ffff" + "0004", openflow.ErrFMFCBadEmergTimeout},
		{"a bucket to add a group at", v15, 15, "0000" + "0000" + "00000009" + "0000" + "0000" + "00000005", openflow.ErrGMFCBadBucket},
		{"removal of a bucket that can't be", v15, 15, "0005" + "0000" + "00000009" + "0000" + "0000" + "ffffff05", openflow.ErrGMFCBadBucket},
		{"insertion at all buckets", v15, 15, "0003" + "0000" + "00000009" + "0000" + "0000" + "ffffffff", openflow.ErrGMFCBadBucket},
		{"deletion of groups of an unknown type", v15, 15, "0002" + "0700" + "00000009" + "0000" + "0000" + "ffffffff", openflow.ErrGMFCBadType},
		{"a bucket cut short", v13, 15, "0002" + "0000" + "fffffffc" + "ec20d817980000ff", openflow.ErrGMFCBadBucket},
		{"a bucket that watches a port that can't be", v13, 15, "0000" + "0300" + "00000009" + "0010" + "0000" + "fff80000" + "ffffffff" + "00000000", openflow.ErrGMFCBadWatch},
		{"a band of another length", v13, 29, "0000" + "0001" + "00000001" + "0001" + "0018" + "00000001" + "00000000" + "00000000", openflow.ErrBRCBadLen},
		{"a band without a rate", v13, 29, "0000" + "0001" + "00000001" + "0001" + "0010" + "00000000" + "00000000" + "00000000", openflow.ErrMMFCBadRate},
		{"a meter of packets and of bits", v13, 29, "0000" + "0003" + "00000001" + "0001" + "0010" + "00000001" + "00000000" + "00000000", openflow.ErrMMFCBadFlags},
		{"a meter of neither", v13, 29, "0000" + "0000" + "00000001" + "0001" + "0010" + "00000001" + "00000000" + "00000000", openflow.ErrMMFCBadFlags},
		{"more vacancy than there can be", v15, 17, "01000000" + "00000008" + "0003" + "0008" + "05650000", openflow.ErrBPCBadValue},
		{"vacancy upside down", v14, 17, "01000000" + "00000008" + "0003" + "0008" + "14050000", openflow.ErrBPCBadValue},
		{"decrement of a TTL that the packet hasn't", v13, 13, "ffffffff" + "fffffffd" + "0008" + "000000000000" + "0018000800000000" + "525400000001525400000002" + "0806", openflow.ErrBACMatchInconsistent},
		{"decrement of a TTL that it has", v13, 13, "ffffffff" + "fffffffd" + "0008" + "000000000000" + "0018000800000000" + "525400000001525400000002" + "0800", 0},
		{"a bundle for later", v15, 33, "00000001" + "0000" + "0000" + "0001" + "0014" + strings.Repeat("00", 20), openflow.ErrBFCSchedNotSupported},
		{"a bundle with an experimenter's property", v14, 33, "00000001" + "0000" + "0000" + "ffff" + "000c" + "00123456" + "00000000" + "00000000", openflow.ErrBPCBadExperimenter},
		{"a message of another version in a bundle", v14, 34, "00000001" + "0000" + "0000" + "040e0000" + "00000000", openflow.ErrBFCBadVersion},
		{"a weight in a group that doesn't choose", v13, 15, "0000" + "0000" + "00000009" + "0010" + "0007" + "ffffffff" + "ffffffff" + "00000000", openflow.ErrGMFCInvalidGroup},
		{"a weight in a group that doesn't choose, in OpenFlow 1.5", v15, 15, "0000" + "0200" + "00000009" + "0010" + "0000" + "ffffffff" + "0010" + "0000" + "00000001" + "00000008" + "00020000", openflow.ErrGMFCInvalidGroup},
		{"a table to disable", v15, 18, "000c" + "0000" + "00000000" + "0040" + "00" + "03" + strings.Repeat("00", 60), openflow.ErrTFFCEPerm},
		{"no tables but one", v13, 18, "000c" + "0000" + "00000000" + "0040" + "00" + strings.Repeat("00", 61), openflow.ErrTFFCEPerm},
		{"a tunnel option without a body", v13, 4, "00002320" + "00000018" + "0000000000000000" + "ffff0700" + "00050000", 0},
		{"a tunnel option of five bytes", v13, 4, "00002320" + "00000018" + "0000000000000000" + "ffff0705" + "00050000", openflow.ErrNXTTMFCBadOptLen},
		{"load into a field of another length", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002000000000" + "ffff0018000023200007001f000100080000000000000000", openflow.ErrBACBadSetType},
		{"load into an unknown field", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002000000000" + "ffff0018000023200007001f0013fe040000000000000000", openflow.ErrBACBadSetType},
		{"push of an unknown field", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002000000000" + "ffff001800002320001b00000013fe04001f000000000000", openflow.ErrBMCBadField},
		{"push of a field without a length", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002000000000" + "ffff001800002320001b000000010000001f000000000000", openflow.ErrBMCBadField},
		{"output to a register that isn't", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002000000000" + "ffff001800002320000f001f0013fe040000000000000000", openflow.ErrBACBadSetType},
		{"sample with more behind it", v13, 14, flowMod13 + "0000" + anyTail + match13 + "0004002800000000" + "ffff0020000023200029000500000005000000070000000800010100fffd0000", openflow.ErrNXBRCMustBeZero},
		{"a meter with an unknown flag", v13, 29, "0000" + "0101" + "00000001" + "0001" + "0010" + "00000001" + "00000000" + "00000000", openflow.ErrMMFCBadFlags},
		{"a meter without bands", v13, 29, "0000" + "0001" + "00000001", openflow.ErrMMFCOutOfBands},
		{"change of a meter that isn't there, to one without bands", v13, 29, "0001" + "0001" + "00000001", openflow.ErrMMFCUnknownMeter},
		{"removal of buckets that are given", v10, 4, "00002320" + "0000001f" + "0005" + "0000" + "00000003" + "0018" + "0000" + "ffffffff" +
			"0018" + "0008" + "00000002" + "0000000800020000" + "0001000800000001", openflow.ErrGMFCBadBucket},
		{"a monitor of nothing that changes", v14, 18, "0010" + "0000" + "00000000" + "00000001" + "ffffffff" + "ffffffff" + "0001" + "ff" + "00" + match13, openflow.ErrMOFCBadFlags},
		{"the end of a monitor that isn't there", v14, 18, "0010" + "0000" + "00000000" + "00000001" + "ffffffff" + "ffffffff" + "0000" + "ff" + "02" + match13, openflow.ErrMOFCUnknownMonitor},
		{"queues of the local port", v13, 22, "fffffffe" + "00000000", openflow.ErrQOFCBadPort},
		{"queues of any port", v13, 22, "ffffffff" + "00000000", 0},
		{"flows, with more behind the match", v13, 18, "0001" + "0000" + "00000000" + "ff000000" + "ffffffff" + "ffffffff" + "00000000" + "0000000000000000" + "0000000000000000" +
			match13 + "0000000000000000", 0},
		{"packet-out without a port in OpenFlow 1.5", v15, 13, "ffffffff" + "0000" + "0000" + match13, openflow.ErrBRCBadPort},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.bridge("br0", 2, true)
			p := r.connect("br0", test.v)
			body, err := hex.DecodeString(test.body)
			if err != nil {
				t.Fatal(err)
			}
			p.sendRaw(test.v, test.typ, body)
			if got := p.outcome(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// A message of another version than was agreed on is refused.
func TestOtherVersion(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 0, true)
	p := r.connect("br0", openflow.V13)
	p.sendRaw(openflow.V10, 5, nil)
	if got := p.outcome(); got != openflow.ErrBRCBadVersion {
		t.Error(got)
	}
}

// What a controller asks for comes first: the generation of roles concerns those
// that become primary or secondary (OpenFlow 1.3.1, 6.3.4), and a secondary is
// told that it is one whatever is wrong with what it may not send.
func TestRefusedRoles(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 0, true)
	p := r.connect("br0", openflow.V13)
	role := func(role, generation string) openflow.ErrCode {
		body, _ := hex.DecodeString("0000000" + role + "00000000" + "000000000000000" + generation)
		p.sendRaw(openflow.V13, 24, body)
		return p.outcome()
	}
	for i, test := range []struct {
		role, generation string
		want             openflow.ErrCode
	}{
		{"2", "5", 0}, {"2", "4", openflow.ErrRRFCStale}, {"1", "3", 0}, {"0", "3", 0}, {"3", "4", openflow.ErrRRFCStale}, {"3", "5", 0},
	} {
		if got := role(test.role, test.generation); got != test.want {
			t.Errorf("request %d: %s, want %s", i+1, got, test.want)
		}
	}
	p.sendRaw(openflow.V13, 29, []byte{0x00, 0x63, 0, 0, 0, 0, 0, 1})
	if got := p.outcome(); got != openflow.ErrBRCIsSecondary {
		t.Errorf("a secondary's meter mod of an unknown command: %s", got)
	}
	p.sendRaw(openflow.V13, 29, []byte{0x00})
	if got := p.outcome(); got != openflow.ErrBRCBadLen {
		t.Errorf("a meter mod that can't be as short: %s", got)
	}
}

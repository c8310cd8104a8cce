package ofctl

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
)

func (t *tool) with(remote string, fn func(*conn) error) error {
	v, err := t.open(remote)
	if err != nil {
		return err
	}
	defer v.close()
	return fn(v)
}

func show(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		if err := v.dumpOne(&openflow.FeaturesRequest{}); err != nil {
			return err
		}
		if v.version >= openflow.V13 {
			if err := v.dumpStats(&openflow.PortDescRequest{Port: openflow.PortNone}); err != nil {
				return err
			}
		}
		return v.dumpOne(&openflow.GetConfigRequest{})
	})
}

// statsCmd makes a command that dumps the replies to a request.
func statsCmd(m func(t *tool, v *conn, args []string) (openflow.Message, error)) func(*tool, []string) error {
	return func(t *tool, args []string) error {
		return t.with(args[0], func(v *conn) error {
			msg, err := m(t, v, args)
			if err != nil {
				return err
			}
			return v.dumpStats(msg)
		})
	}
}

func tableDescRequest(_ *tool, v *conn, _ []string) (openflow.Message, error) {
	if v.version < openflow.V14 {
		return nil, errors.New("dump-table-desc needs OpenFlow 1.4 or later ('-O OpenFlow14')")
	}
	return &openflow.TableDescRequest{}, nil
}

func request(m openflow.Message) func(*tool, *conn, []string) (openflow.Message, error) {
	return func(*tool, *conn, []string) (openflow.Message, error) { return m, nil }
}

// dumpTableFeatures prints the features of all tables at once, so that what
// tables have in common is said once.
func dumpTableFeatures(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		if v.version < openflow.V13 {
			return errors.New("dump-table-features needs OpenFlow 1.3 or later ('-O OpenFlow13')")
		}
		xid, err := v.send(&openflow.TableFeaturesRequest{})
		if err != nil {
			return err
		}
		var tables []openflow.TableFeatures
		for {
			b, err := v.recvXid(xid)
			if err != nil {
				return err
			}
			if t.json != nil || b[1] == 1 {
				err = v.reply(b)
			}
			if err != nil || b[1] == 1 {
				return err
			}
			r, h, err := decode[*openflow.TableFeaturesReply](v, b)
			if err != nil {
				return err
			}
			tables = append(tables, r.Tables...)
			if !h.More {
				break
			}
		}
		if t.json == nil {
			t.printf("%s", openflow.FormatTableFeatures(tables, v.version, t.shownNames(v)))
		}
		return nil
	})
}

// portArg reads a port of a bridge by number or name.
func (v *conn) portArg(bridge, s string) (openflow.PortNo, error) {
	if p, ok := flow.ParsePort(s, nil); ok {
		return openflow.PortNo(p), nil
	}
	other, err := v.t.openSocket(v.name, "mgmt", v.t.versions)
	if err != nil {
		return 0, err
	}
	defer other.close()
	ports, err := other.portDescs()
	if err != nil {
		return 0, err
	}
	for _, p := range ports {
		if p.Name == s || strconv.Quote(p.Name) == s {
			return p.PortNo, nil
		}
	}
	return 0, fmt.Errorf("%s: unknown port `%s'", bridge, s)
}

func portStatsRequest(_ *tool, v *conn, args []string) (openflow.Message, error) {
	m := &openflow.PortStatsRequest{Port: openflow.PortNone}
	var err error
	if len(args) > 1 {
		m.Port, err = v.portArg(args[0], args[1])
	}
	return m, err
}

func portDescRequest(_ *tool, v *conn, args []string) (openflow.Message, error) {
	m := &openflow.PortDescRequest{Port: openflow.PortNone}
	var err error
	if len(args) > 1 {
		m.Port, err = v.portArg(args[0], args[1])
	}
	return m, err
}

func queueStatsRequest(_ *tool, v *conn, args []string) (openflow.Message, error) {
	m := &openflow.QueueStatsRequest{Port: openflow.PortNone, Queue: openflow.QueueAll}
	var err error
	if len(args) > 1 && args[1] != "" {
		if m.Port, err = v.portArg(args[0], args[1]); err != nil {
			return nil, err
		}
	}
	if len(args) > 2 && args[2] != "" && !strings.EqualFold(args[2], "all") {
		n, perr := strconv.ParseUint(args[2], 0, 32)
		if perr != nil {
			return nil, fmt.Errorf("%s: invalid queue", args[2])
		}
		m.Queue = uint32(n)
	}
	return m, nil
}

func queueGetConfig(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		port, queue := openflow.PortNone, uint32(openflow.QueueAll)
		var err error
		if len(args) > 1 {
			if port, err = v.portArg(args[0], args[1]); err != nil {
				return err
			}
		}
		if len(args) > 2 {
			n, err := strconv.ParseUint(args[2], 0, 32)
			if err != nil {
				return fmt.Errorf("%s: invalid queue", args[2])
			}
			queue = uint32(n)
		}
		if v.version == openflow.V10 && port == openflow.PortNone {
			return v.queuesOfEach(queue)
		}
		m := &openflow.QueueConfigRequest{Port: port, Queue: queue}
		if v.version >= openflow.V14 {
			return v.dumpStats(m)
		}
		return v.dumpOne(m)
	})
}

// queuesOfEach asks for the queues of one port after the other: OpenFlow 1.0
// can't ask for all.
func (v *conn) queuesOfEach(queue uint32) error {
	ports, err := v.portDescs()
	if err != nil {
		return err
	}
	for i := range ports {
		if ports[i].PortNo >= openflow.PortMax {
			continue
		}
		if err := v.dumpOne(&openflow.QueueConfigRequest{Port: ports[i].PortNo, Queue: queue}); err != nil {
			return err
		}
	}
	return nil
}

func modPort(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		ports, err := v.portDescs()
		if err != nil {
			return err
		}
		want, isNum := flow.ParsePort(args[1], nil)
		var found *openflow.PortDesc
		for i := range ports {
			if ports[i].Name == args[1] || isNum && uint32(ports[i].PortNo) == want {
				found = &ports[i]
			}
		}
		if found == nil {
			return fmt.Errorf("%s: couldn't find port `%s'", args[0], args[1])
		}
		pm := &openflow.PortMod{PortNo: found.PortNo, HWAddr: found.HWAddr}
		if err := portModAction(pm, args[2]); err != nil {
			return err
		}
		return v.mustNoReply(pm)
	})
}

// portActions are the words of mod-port: the bit, and whether "no-" sets it.
var portActions = map[string]openflow.PortConfig{
	"up": openflow.PortDown, "down": openflow.PortDown, "stp": openflow.PortNoSTP, "receive": openflow.PortNoRecv,
	"receive-stp": openflow.PortNoRecvSTP, "flood": openflow.PortNoFlood, "forward": openflow.PortNoFwd,
	"packet-in": openflow.PortNoPacketIn,
}

func portModAction(pm *openflow.PortMod, word string) error {
	on := true
	name := word
	if n, ok := strings.CutPrefix(word, "no-"); ok {
		on, name = false, n
	} else if n, ok := strings.CutPrefix(word, "no"); ok && portActions[n] != 0 {
		on, name = false, n
	}
	bit, ok := portActions[strings.ToLower(name)]
	if !ok {
		return fmt.Errorf("unknown mod-port command '%s'", word)
	}
	if name == "down" {
		on = !on
	}
	pm.Mask = bit
	if !on {
		pm.Config = bit
	}
	return nil
}

func getFrags(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		b, err := v.transact(&openflow.GetConfigRequest{})
		if err != nil {
			return err
		}
		c, _, err := decode[*openflow.GetConfigReply](v, b)
		if err != nil {
			return err
		}
		if t.json != nil {
			return v.reply(b)
		}
		t.printf("%s\n", c.Frags)
		return nil
	})
}

func setFrags(t *tool, args []string) error {
	mode := openflow.FragHandling(255)
	for m := openflow.FragNormal; m <= openflow.FragNXMatch; m++ {
		if strings.EqualFold(m.String(), args[1]) {
			mode = m
		}
	}
	if mode == 255 {
		return fmt.Errorf("%s: unknown fragment handling mode", args[1])
	}
	return t.with(args[0], func(v *conn) error {
		get := func() (*openflow.GetConfigReply, error) {
			b, err := v.transact(&openflow.GetConfigRequest{})
			if err != nil {
				return nil, err
			}
			c, _, err := decode[*openflow.GetConfigReply](v, b)
			return c, err
		}
		c, err := get()
		if err != nil || c.Frags == mode {
			return err
		}
		c.Frags = mode
		if err := v.mustNoReply(&openflow.SetConfig{SwitchConfig: c.SwitchConfig}); err != nil {
			return err
		}
		if c, err = get(); err != nil {
			return err
		}
		if c.Frags != mode {
			return fmt.Errorf("%s: setting fragment handling mode failed (this switch probably doesn't support mode \"%s\")", args[0], mode)
		}
		return nil
	})
}

func probe(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error {
		b, err := v.transact(&openflow.EchoRequest{})
		if err != nil {
			return err
		}
		if len(b) != openflow.HeaderLen {
			return fmt.Errorf("reply does not match request")
		}
		return nil
	})
}

func ping(t *tool, args []string) error {
	payload := 64
	if len(args) > 1 {
		payload, _ = strconv.Atoi(args[1])
		if payload < 0 || payload > 65535-openflow.HeaderLen {
			return fmt.Errorf("payload must be between 0 and %d bytes", 65535-openflow.HeaderLen)
		}
	}
	return t.with(args[0], func(v *conn) error {
		for range 10 {
			data := bytes.Repeat([]byte{0x5a}, payload)
			start := time.Now()
			b, err := v.transact(&openflow.EchoRequest{Data: data})
			if err != nil {
				return err
			}
			ms := float64(time.Since(start).Microseconds()) / 1000
			if !bytes.Equal(b[openflow.HeaderLen:], data) {
				t.printf("Reply does not match request:\n")
				t.print(b, 1)
			}
			t.printf("%d bytes from %s: xid=%08x time=%.1f ms\n", len(b)-openflow.HeaderLen, args[0], v.xid, ms)
		}
		return nil
	})
}

// benchmark measures the rate of echo requests of a size, one after the other.
func benchmark(t *tool, args []string) error {
	size, err := strconv.Atoi(args[1])
	if err != nil || size < 0 || size > 65535-openflow.HeaderLen {
		return fmt.Errorf("payload must be between 0 and %d bytes", 65535-openflow.HeaderLen)
	}
	count, err := strconv.Atoi(args[2])
	if err != nil || count < 1 {
		return fmt.Errorf("%s: not a number of packets", args[2])
	}
	total := count * (size + openflow.HeaderLen)
	t.printf("Sending %d packets * %d bytes (with header) = %d bytes total\n", count, size+openflow.HeaderLen, total)
	return t.with(args[0], func(v *conn) error {
		data := make([]byte, size)
		start := time.Now()
		for range count {
			if _, err := v.transact(&openflow.EchoRequest{Data: data}); err != nil {
				return err
			}
		}
		took := time.Since(start).Seconds()
		t.printf("Finished in %.1f ms (%.0f packets/s) (%.0f bytes/s)\n", took*1000, float64(count)/took, float64(total)/took)
		return nil
	})
}

func packetOut(t *tool, args []string) error {
	pos, usable, err := t.packetOuts(args)
	if err != nil {
		return err
	}
	v, err := t.openForFlows(args[0], usable)
	if err != nil {
		return err
	}
	defer v.close()
	for _, po := range pos {
		if err := v.mustNoReply(po); err != nil {
			return err
		}
	}
	return nil
}

// packetOuts makes the messages of packet-out, from "SWITCH SPEC" or from the older
// "SWITCH IN_PORT ACTIONS PACKET...".
func (t *tool) packetOuts(args []string) ([]*openflow.PacketOut, openflow.Protocol, error) {
	names := t.namesFor2(args[0])
	if len(args) == 2 {
		po, usable, err := openflow.ParsePacketOut(args[1], t.parseOptions(names))
		return []*openflow.PacketOut{po}, usable, err
	}
	if len(args) < 4 {
		return nil, 0, fmt.Errorf("Too few arguments (%d)", len(args))
	}
	port, ok := flow.ParsePort(args[1], names.Ports)
	if !ok {
		return nil, 0, fmt.Errorf("%s: unknown port `%s'", args[0], args[1])
	}
	as, usable, err := openflow.ParseActions(args[2], names)
	if err != nil {
		return nil, 0, err
	}
	var pos []*openflow.PacketOut
	for _, hexPacket := range args[3:] {
		b, err := hexArg(hexPacket)
		if err != nil || len(b) == 0 {
			return nil, 0, fmt.Errorf("Trailing garbage in packet data")
		}
		po := &openflow.PacketOut{BufferID: openflow.NoBuffer, Actions: as, Data: b}
		po.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(uint64(port)))
		pos = append(pos, po)
	}
	return pos, usable, nil
}

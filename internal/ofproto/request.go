package ofproto

import (
	"weir/internal/openflow"
	"weir/internal/vlog"
)

// receive handles one message and answers it, with an error where it failed.
func (s *session) receive(b []byte) {
	coverRequest.Inc()
	s.mu.Lock()
	opt := openflow.DecodeOptions{TableID: s.proto&openflow.PTID != 0, TLV: s.m.b.pipe.TLV(), ToSwitch: true, Log: logDecode}
	ver, secondary := s.ver, s.role == openflow.RoleSecondary
	s.mu.Unlock()
	h, msg, err := s.dec.Decode(b, opt)
	if err == nil && h.Version != ver {
		if _, hello := msg.(*openflow.Hello); !hello {
			log.Dbg("%s: message of version 0x%02x on a connection of version 0x%02x", s.conn.Name, uint8(h.Version), uint8(ver))
			err = openflow.ErrBRCBadVersion.Err()
		}
	} else if secondary && openflow.ByPrimary(b) {
		err = openflow.ErrBRCIsSecondary.Err()
	}
	if _, mod := msg.(*openflow.FlowMod); err != nil || !mod {
		s.applyAdditions()
	}
	s.request = h.Xid
	if err == nil {
		err = s.handle(h, b, msg)
	}
	if err != nil {
		s.applyAdditions()
		s.fail(b, err)
	}
	if len(s.additions) >= maxAdditions || !s.in.Buffered() {
		s.applyAdditions()
	}
}

// logDecode logs what the decoder has to say about a message.
func logDecode(module, _ string, warn bool, text string) {
	m := vlog.For(module)
	if warn {
		m.Warn("%s", text)
	} else {
		m.Info("%s", text)
	}
}

// fail answers a request with an error.
func (s *session) fail(request []byte, err error) {
	code := openflow.CodeOf(err)
	if code == 0 {
		log.Warn("%s: %s", s.m.b.name, err)
		code = openflow.ErrBRCBadType
	}
	connmgrLog.Dbg("%s<->%s: sending %s error reply to %s message", s.m.b.name, s.conn.Name, code, openflow.Name(request))
	if reply := openflow.ErrorReply(code, request); reply != nil {
		s.sendRaw(reply)
	}
}

// handle does what a message asks for.
func (s *session) handle(h openflow.MsgHeader, raw []byte, msg openflow.Message) error {
	s.mu.Lock()
	ver := s.ver
	s.mu.Unlock()
	switch msg := msg.(type) {
	case *openflow.Hello, *openflow.EchoReply, *openflow.FlowAge:
		return nil
	case *openflow.Error:
		log.Dbg("%s: received an error message", s.conn.Name)
		return nil
	case *openflow.EchoRequest:
		return s.send(h.Xid, &openflow.EchoReply{Data: msg.Data})
	case *openflow.BarrierRequest:
		s.m.b.be.engine.Settle()
		return s.send(h.Xid, &openflow.BarrierReply{})
	case *openflow.FlowMod:
		return s.flowMod(raw, msg)
	case *openflow.GroupMod:
		return s.groupMod(raw, msg)
	case *openflow.MeterMod:
		return s.meterMod(raw, msg)
	case *openflow.PortMod:
		return s.portMod(msg)
	case *openflow.TableMod:
		return s.tableMod(msg)
	case *openflow.PacketOut:
		return s.m.b.packetOut(msg, ver)
	case *openflow.Resume:
		return s.m.b.resume(msg)
	case *openflow.TLVTableMod:
		return s.m.b.pipe.TLVMod(msg)
	case *openflow.CTFlushZone:
		s.m.b.flushConnections(&openflow.CTFlush{Zone: msg.Zone, HaveZone: true})
		return nil
	case *openflow.CTFlush:
		s.m.b.flushConnections(msg)
		return nil
	case *openflow.FlowStatsRequest:
		if msg.Aggregate {
			return s.sendAggregate(h.Xid, msg)
		}
		return s.sendFlows(h.Xid, msg)
	case *openflow.TableFeaturesRequest:
		return s.tableFeatures(h, msg)
	case *openflow.BundleControl:
		return s.bundleControl(h, raw, msg)
	case *openflow.BundleAdd:
		return s.bundleAdd(raw, msg)
	}
	if known, err := s.handleSession(h, msg); known {
		return err
	}
	reply, err := s.query(msg)
	if err != nil || reply == nil {
		return err
	}
	return s.send(h.Xid, reply)
}

// handleSession handles messages about the session itself.
func (s *session) handleSession(h openflow.MsgHeader, msg openflow.Message) (known bool, err error) {
	switch msg := msg.(type) {
	case *openflow.SetConfig:
		s.setConfig(msg)
	case *openflow.RoleRequest:
		return true, s.roleRequest(h, msg)
	case *openflow.SetAsync:
		s.setAsync(msg)
	case *openflow.FlowModTableID:
		s.setProtocol(openflow.P10TID|openflow.PNXMTID, msg.Set)
	case *openflow.SetFlowFormat:
		s.setProtocol(openflow.PNXM|openflow.PNXMTID, msg.NXM)
	case *openflow.SetPacketInFormat:
		s.mu.Lock()
		s.pinFormat = msg.Format
		s.mu.Unlock()
	case *openflow.SetControllerID:
		s.mu.Lock()
		s.ctlID = msg.ID
		s.mu.Unlock()
		s.m.missesChanged()
	default:
		return false, nil
	}
	return true, nil
}

// setProtocol turns an extension of OpenFlow 1.0 on or off: table ids in flow
// mods, or NXM matches.
func (s *session) setProtocol(ext openflow.Protocol, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ver != openflow.V10 {
		return
	}
	tid := s.proto&openflow.PTID != 0
	nxm := s.proto&openflow.PAnyNXM != 0
	if ext&openflow.P10TID != 0 {
		tid = on
	} else {
		nxm = on
	}
	s.proto = map[[2]bool]openflow.Protocol{
		{false, false}: openflow.P10, {true, false}: openflow.P10TID,
		{false, true}: openflow.PNXM, {true, true}: openflow.PNXMTID,
	}[[2]bool{tid, nxm}]
}

func (s *session) setConfig(c *openflow.SetConfig) {
	b := s.m.b
	s.mu.Lock()
	s.missLen = c.MissSendLen
	if s.ver < openflow.V13 {
		s.async.Primary[openflow.AsyncPacketIn] &^= 1 << openflow.ReasonInvalidTTL
		if c.InvalidTTLToController {
			s.async.Primary[openflow.AsyncPacketIn] |= 1 << openflow.ReasonInvalidTTL
		}
	}
	s.mu.Unlock()
	b.be.mu.Lock()
	if b.frags != c.Frags && c.Frags != openflow.FragReassemble {
		b.frags = c.Frags
	}
	b.be.invalidate()
	b.be.mu.Unlock()
}

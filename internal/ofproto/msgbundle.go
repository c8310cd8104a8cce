package ofproto

import (
	"time"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// msgBundle is an open bundle of a session (OpenFlow 1.4, 6.9).
type msgBundle struct {
	open   []byte    // the request that opened it
	used   time.Time // when a message about it came last
	flags  uint16
	closed bool
	parts  []part
}

// part is a message of a bundle: as an addition, where it is one.
type part struct {
	raw []byte // the message, for an error about it
	add *pipeline.Addition
	msg openflow.Message
}

// maxBundles bounds the bundles that a session may have open.
const maxBundles = 256

func (s *session) bundleControl(h openflow.MsgHeader, raw []byte, c *openflow.BundleControl) error {
	s.bundleMu.Lock()
	defer s.bundleMu.Unlock()
	bu := s.bundles[c.ID]
	reply := &openflow.BundleControl{ID: c.ID, Type: c.Type + 1}
	switch c.Type {
	case openflow.BundleOpenRequest:
		if bu != nil {
			delete(s.bundles, c.ID)
			return openflow.ErrBFCBadID.Err()
		}
		if len(s.bundles) >= maxBundles {
			return openflow.ErrBFCOutOfBundles.Err()
		}
		s.bundles[c.ID] = &msgBundle{open: raw, used: s.now(), flags: c.Flags}
	case openflow.BundleCloseRequest:
		if err := s.closeBundle(c, bu); err != nil {
			return err
		}
	case openflow.BundleDiscardRequest:
		if bu == nil {
			return openflow.ErrBFCBadID.Err()
		}
		delete(s.bundles, c.ID)
	case openflow.BundleCommitRequest:
		if bu == nil {
			return openflow.ErrBFCBadID.Err()
		}
		delete(s.bundles, c.ID)
		if bu.flags != c.Flags {
			return openflow.ErrBFCBadFlags.Err()
		}
		if failed, err := s.commitBundle(bu); err != nil {
			if failed >= 0 {
				s.fail(bu.parts[failed].raw, err)
			}
			return openflow.ErrBFCMsgFailed.Err()
		}
	default:
		return openflow.ErrBFCBadType.Err()
	}
	return s.send(h.Xid, reply)
}

func (s *session) closeBundle(c *openflow.BundleControl, bu *msgBundle) error {
	switch {
	case bu == nil:
		return openflow.ErrBFCBadID.Err()
	case bu.closed:
		delete(s.bundles, c.ID)
		return openflow.ErrBFCBundleClosed.Err()
	case bu.flags != c.Flags:
		delete(s.bundles, c.ID)
		return openflow.ErrBFCBadFlags.Err()
	}
	bu.closed, bu.used = true, s.now()
	return nil
}

// bundleAdd keeps a message for the commit. A bundle that isn't there is
// opened by it.
func (s *session) bundleAdd(raw []byte, a *openflow.BundleAdd) error {
	s.bundleMu.Lock()
	defer s.bundleMu.Unlock()
	bu := s.bundles[a.ID]
	switch {
	case bu == nil:
		bu = &msgBundle{open: raw, flags: a.Flags}
		s.bundles[a.ID] = bu
	case bu.closed:
		delete(s.bundles, a.ID)
		return openflow.ErrBFCBundleClosed.Err()
	case bu.flags != a.Flags:
		delete(s.bundles, a.ID)
		return openflow.ErrBFCBadFlags.Err()
	}
	bu.used = s.now()
	p, err := s.newPart(a.Raw)
	if err != nil {
		s.fail(a.Raw, err) // it is about the message within
		return nil
	}
	bu.parts = append(bu.parts, p)
	return nil
}

// newPart decodes a message of a bundle, and checks what can be checked before
// the commit.
func (s *session) newPart(raw []byte) (p part, err error) {
	_, msg, err := s.dec.Decode(raw, openflow.DecodeOptions{TLV: s.m.b.pipe.TLV(), Log: logDecode})
	if err != nil {
		return p, err
	}
	p.raw = raw
	switch m := msg.(type) {
	case *openflow.FlowMod:
		if err = s.checkFlowMod(m); err == nil && m.Command == openflow.FlowAdd {
			p.add, err = s.prepare.Prepare(m)
			return p, err
		}
		kept := *m // the decoder uses its memory again
		p.msg = &kept
	case *openflow.GroupMod, *openflow.PortMod, *openflow.PacketOut:
		p.msg = msg
	default:
		err = openflow.ErrBFCMsgUnsup.Err()
	}
	return p, err
}

// defaultBundleTimeout is how long a bundle stays open that nobody uses.
const defaultBundleTimeout = 10 * time.Second

// SetBundleIdleTimeout sets how long bundles stay open that nobody uses
// (ovs-vswitchd.conf.db(5), other_config:bundle-idle-timeout); 0 is the
// default.
func (be *Backend) SetBundleIdleTimeout(d time.Duration) { be.bundleTimeout.Store(int64(d)) }

// expireBundles ends the bundles that have been idle for too long, and tells
// the controller, with the request that opened each.
func (s *session) expireBundles(now time.Time) {
	timeout := time.Duration(s.m.b.be.bundleTimeout.Load())
	if timeout <= 0 {
		timeout = defaultBundleTimeout
	}
	s.bundleMu.Lock()
	defer s.bundleMu.Unlock()
	for id, bu := range s.bundles {
		if now.Sub(bu.used) >= timeout {
			delete(s.bundles, id)
			s.fail(bu.open, openflow.ErrBFCTimeout.Err())
		}
	}
}

// commitBundle applies all messages or none. Changes of ports and packets to
// send, which can't be undone, follow when the rest has come into force.
func (s *session) commitBundle(bu *msgBundle) (failed int, err error) {
	groups := map[uint32]bool{} // that the bundle adds (true) or deletes
	for i := range bu.parts {
		switch m := bu.parts[i].msg.(type) {
		case *openflow.PacketOut:
			if err := s.m.b.checkPacketOut(m, s.version(), groups); err != nil {
				return i, err
			}
		case *openflow.PortMod:
			if err := s.m.b.checkPortMod(m); err != nil {
				return i, err
			}
		case *openflow.GroupMod:
			groups[m.ID] = m.Command != openflow.GroupDelete
		}
	}
	events, outs, failed, err := s.applyTables(bu.parts)
	if err != nil {
		return failed, err
	}
	s.m.b.flowEvents(events, s)
	now := s.now()
	for i := range bu.parts {
		switch m := bu.parts[i].msg.(type) {
		case nil:
			s.mods.add(openflow.FlowAdd, 1, now)
		case *openflow.FlowMod:
			s.mods.add(m.Command, 1, now)
		case *openflow.GroupMod:
			s.forward(m, bu.parts[i].raw, 0)
		case *openflow.PortMod:
			if err := s.portMod(m); err != nil {
				return -1, err
			}
		}
	}
	for _, out := range outs {
		_ = out.finish() // it was translated in the transaction
	}
	return -1, nil
}

// applyTables changes the tables and groups in one transaction. The packets of
// a bundle meet the flow tables and groups as they are at their place in it. They
// are executed when all has been committed.
func (s *session) applyTables(parts []part) (events []pipeline.Event, outs []*injection, failed int, err error) {
	pending := map[int]*injection{}
	defer func() {
		if err != nil {
			for _, in := range pending {
				in.tr.Release()
			}
		}
	}()
	for i := range parts {
		if m, ok := parts[i].msg.(*openflow.PacketOut); ok {
			in := s.m.b.injection(m)
			if in == nil {
				return nil, nil, i, openflow.ErrBRCBadPort.Err()
			}
			pending[i] = in
		}
	}
	x := s.m.b.pipe.Begin(s.now())
	defer x.Abort()
	for i := range parts {
		switch m := parts[i].msg.(type) {
		case nil:
			err = x.Add(parts[i].add)
		case *openflow.FlowMod:
			err = x.FlowMod(m)
		case *openflow.GroupMod:
			parts[i].msg = forwardable(m, x.Group(m.ID) != nil)
			err = x.GroupMod(m)
		case *openflow.PacketOut:
			err = pending[i].translateIn(x)
			outs = append(outs, pending[i])
		}
		if err != nil {
			return nil, nil, i, err
		}
	}
	return x.Commit(), outs, -1, nil
}

package ofctl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/internal/openflow"
	"weir/internal/stream"
	"weir/internal/vlog"
)

// sendOrBundle sends flow mods, in a bundle where that was asked for.
func (v *conn) sendOrBundle(f *flowFile) error {
	if v.t.bundle {
		return v.inBundle(func() error { return v.writeFlows(f) })
	}
	return v.sendFlows(f)
}

// sendFlows sends flow mods without waiting for each, and a barrier after the
// last. The first error message ends it, and names the line.
func (v *conn) sendFlows(f *flowFile) error {
	n := f.messages()
	if n == 0 {
		return f.encodeError()
	}
	first := v.t.xid + 1
	reply := make(chan error, 1)
	go func() { reply <- v.awaitBarrier(f, first, first+uint32(n)) }()
	sent := v.writeFlows(f)
	if sent == nil {
		_, sent = v.send(&openflow.BarrierRequest{})
	}
	if sent != nil && !errors.Is(sent, errSend) {
		return sent // a flow that can't be encoded
	}
	// What the switch said explains why it took no more.
	if err := <-reply; err != nil {
		return err
	}
	return sent
}

// awaitBarrier receives until the barrier's reply or an error comes.
func (v *conn) awaitBarrier(f *flowFile, first, barrier uint32) error {
	for {
		b, err := v.recv()
		if err != nil {
			return err
		}
		xid := binary.BigEndian.Uint32(b[4:])
		switch {
		case b[1] == 1:
			return v.refused(f, int(xid-first), b)
		case xid == barrier:
			return nil
		}
	}
}

// refused prints the error message about the i-th flow, and where it stands.
func (v *conn) refused(f *flowFile, i int, b []byte) error {
	err := v.fatalMessage(b)
	if line := f.lineOf(i); line > 0 {
		fmt.Fprintf(v.t.env.Stderr, "%s:%d: the switch refused this flow\n", f.name, line)
	}
	return err
}

// writeFlows writes encoded flow mods in few system calls.
func (v *conn) writeFlows(f *flowFile) error {
	for _, p := range f.parts {
		v.t.xid += uint32(openflow.NumberMessages(p.encoded.msgs, v.t.xid+1))
		v.xid = v.t.xid
		if err := v.writeAll(p.encoded.msgs); err != nil {
			return err
		}
		if p.encoded.err != nil {
			return p.encoded.err
		}
	}
	return nil
}

// errSend says that the switch took no more.
var errSend = errors.New("failed to send packet to switch")

// writeAll writes messages, each logged where that is asked for.
func (v *conn) writeAll(b []byte) error {
	for (vconnLog.Enabled(vlog.Dbg) || v.t.verbosity >= showsBytes) && len(b) >= openflow.HeaderLen {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if err := v.write(b[:n]); err != nil {
			return fmt.Errorf("%w (%s)", errSend, stream.ErrText(err))
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	if _, err := v.c.Write(b); err != nil {
		return fmt.Errorf("%w (%s)", errSend, stream.ErrText(err))
	}
	return nil
}

// bundleFlags are those of every bundle.
const bundleFlags = uint16(openflow.BundleOrdered | openflow.BundleAtomic)

// bundle sends messages in a bundle and commits it.
func (v *conn) bundle(ms []openflow.Message) error {
	return v.inBundle(func() error {
		for _, m := range ms {
			raw, err := openflow.Encode(v.proto, 0, m)
			if err != nil {
				return err
			}
			if _, err := v.send(&openflow.BundleAdd{Flags: bundleFlags, Raw: raw}); err != nil {
				return err
			}
		}
		return nil
	})
}

// inBundle opens a bundle, has it filled, and commits it.
func (v *conn) inBundle(fill func() error) error {
	control := func(typ openflow.BundleCtrlType) error {
		b, err := v.transact(&openflow.BundleControl{Type: typ, Flags: bundleFlags})
		if err != nil {
			return err
		}
		if b[1] == 1 {
			return v.bundleError(b)
		}
		_, _, err = decode[*openflow.BundleControl](v, b)
		return err
	}
	if err := control(openflow.BundleOpenRequest); err != nil {
		return err
	}
	if err := fill(); err != nil {
		return err
	}
	// All that a message may be refused for is known before the commit.
	if _, err := v.transact(&openflow.BarrierRequest{}); err != nil {
		return err
	}
	if v.printBundleErrors() {
		return v.bundleFailed()
	}
	return control(openflow.BundleCommitRequest)
}

// bundleError prints the errors of a bundle that failed, b being the last.
func (v *conn) bundleError(b []byte) error {
	v.queued = append(v.queued, b)
	v.printBundleErrors()
	return v.bundleFailed()
}

// bundleFailed says that the switch refused a bundle, whose errors are printed.
func (v *conn) bundleFailed() error {
	return fmt.Errorf("talking to %s (Protocol error)", v.name)
}

// printBundleErrors prints the errors that have come and reports whether there
// were any.
func (v *conn) printBundleErrors() (failed bool) {
	for _, q := range v.queued {
		_, m, err := openflow.Decode(q, openflow.DecodeOptions{})
		if e, ok := m.(*openflow.Error); ok && err == nil {
			failed = true
			fmt.Fprintf(v.t.env.Stderr, "Error %s for: %s", e.Code,
				openflow.FormatMessage(e.Data, openflow.PrintOptions{Verbosity: v.t.verbosity + 1}))
		}
	}
	v.queued = nil
	return failed
}

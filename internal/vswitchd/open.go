package vswitchd

import (
	"slices"
	"time"

	"weir/internal/flow"
)

// configureOpen applies the settings of the Open_vSwitch row that concern the
// whole switch.
func (s *Switch) configureOpen() {
	open := s.desired.Open
	if open == nil {
		s.other = nil
		return
	}
	s.other = open.OtherConfig
	if !slices.Equal(s.managers, open.Managers) {
		s.managers = open.Managers
		for _, b := range s.bridges {
			s.configureBridge(b)
		}
	}
	s.limitVLANs()
	for _, b := range s.backends {
		if p, ok := b.Backend.(*provider); ok {
			p.Engine().Configure(upcallConfig(s.other))
			p.SetBundleIdleTimeout(bundleTimeout(s.other))
			p.tune(s.other)
		}
	}
	if open.SSL != (SSLConf{}) && s.opts.Stream.TLS != nil {
		f := s.opts.Stream.TLS.Get()
		f.PrivateKey, f.Certificate = open.SSL.PrivateKey, open.SSL.Certificate
		f.CACert, f.Bootstrap = open.SSL.CACert, open.SSL.Bootstrap
		s.opts.Stream.TLS.Set(f)
	}
	if wait := boolOption(s.other, "flow-restore-wait", false); wait != s.restoring {
		s.restoring = wait
		for _, b := range s.bridges {
			b.obj.SetControllers(s.controllers(b))
		}
	}
	s.report("Open_vSwitch", open.Notes)
}

// limitVLANs obeys other_config:vlan-limit.
func (s *Switch) limitVLANs() {
	n := int(intOption(s.other, "vlan-limit", 1, 0, 1<<31-1))
	if n == s.vlanLimit {
		return
	}
	s.vlanLimit = n
	flow.SetVLANLimit(n)
	for _, b := range s.backends {
		if p, ok := b.Backend.(*provider); ok {
			p.Engine().Purge() // flows of another idea of what a frame is
		}
	}
}

// bundleTimeout is other_config:bundle-idle-timeout.
func bundleTimeout(other map[string]string) time.Duration {
	return time.Duration(intOption(other, "bundle-idle-timeout", 10, 1, 1<<31-1)) * time.Second
}

// millis is a number of milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

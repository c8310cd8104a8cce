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
	for key, what := range unsupportedOptions {
		if v, ok := s.other[key]; ok && v != "false" && v != "0" {
			s.report("Open_vSwitch other_config:"+key, []string{what})
		}
	}
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

// unsupportedOptions are keys of other_config that this version can't obey, or
// that have nothing to say to it.
var unsupportedOptions = map[string]string{
	"hw-offload":            "hardware offload is not supported yet: flows stay in software",
	"offload-rebalance":     "hardware offload is not supported yet: flows stay in software",
	"tc-policy":             "hardware offload is not supported yet: flows stay in software",
	"enable-statistics":     "statistics of the system are not supported yet: the column stays empty",
	"dpdk-init":             "DPDK is not supported: use AF_PACKET devices (type system)",
	"userspace-tso-enable":  "has no effect: super-packets pass wherever the devices know them",
	"n-handler-threads":     "has no effect: upcalls are answered on all cores",
	"n-revalidator-threads": "has no effect: one pass at a time revalidates the flows",
	"min-revalidate-pps":    "has no effect: flows are revalidated however slow they are",
	"pmd-cpu-mask":          "has no effect: there are no PMD threads",
	"pmd-rxq-assign":        "has no effect: there are no PMD threads",
	"pmd-auto-lb":           "has no effect: there are no PMD threads",
	"tx-flush-interval":     "has no effect: packets leave with the batch that they came in",
}

// bundleTimeout is other_config:bundle-idle-timeout.
func bundleTimeout(other map[string]string) time.Duration {
	return time.Duration(intOption(other, "bundle-idle-timeout", 10, 1, 1<<31-1)) * time.Second
}

// millis is a number of milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

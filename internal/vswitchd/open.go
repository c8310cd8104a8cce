package vswitchd

import (
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
	if n := int(intOption(s.other, "vlan-limit", 1, 0, 1<<31-1)); n != s.vlanLimit {
		s.vlanLimit = n
		flow.SetVLANLimit(n)
		for _, b := range s.backends {
			if p, ok := b.Backend.(*provider); ok {
				p.Engine().Purge() // flows of another idea of what a frame is
			}
		}
	}
	for key, what := range unsupportedOptions {
		if v, ok := s.other[key]; ok && v != "false" && v != "0" {
			s.report("Open_vSwitch other_config:"+key, []string{what})
		}
	}
}

// unsupportedOptions are keys of other_config that this version can't obey.
var unsupportedOptions = map[string]string{
	"hw-offload": "hardware offload is not supported yet: flows stay in software",
	"dpdk-init":  "DPDK is not supported: use AF_PACKET devices (type system)",
}

// millis is a number of milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

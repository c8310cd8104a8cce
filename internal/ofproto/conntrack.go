package ofproto

import (
	"fmt"

	"weir/internal/openflow"
	"weir/internal/vlog"
)

var ctLog = vlog.For("ct_dpif")

// flushConnections has the data path forget connections. No data path tracks
// any yet, so that none is left whatever is to be flushed: ovn-controller
// flushes each zone that it gives out.
func (b *Bridge) flushConnections(m *openflow.CTFlush) {
	what := m.String()
	switch *m {
	case openflow.CTFlush{}:
		what = "<all>"
	case openflow.CTFlush{Zone: m.Zone, HaveZone: true}:
		what = fmt.Sprintf("zone %d", m.Zone)
	}
	ctLog.Dbg("%s@%s: ct_flush: %s", b.be.dp.Type(), b.be.dp.Name(), what)
}

package userspace

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/vlog"
)

// dpifLog is what callers do to the data path, log what it does itself.
var dpifLog = vlog.For("dpif")

func (d *DP) fullName() string { return d.cfg.Type + "@" + d.cfg.Name }

// logUpcall tells of a packet that goes up to the switch.
func (d *DP) logUpcall(kind string, k *flow.Key) {
	packet := *k
	packet.InPort = 0
	log.Dbg("%s: %s upcall:\n%s\n%s", d.cfg.Name, kind, datapath.FormatKey(k, nil, false, nil), packet.String())
}

// describe is a flow as logs name it.
func describe(f *datapath.Flow, ufid datapath.UFID) string {
	return datapath.FormatUFID(ufid) + " " + datapath.FormatKey(&f.Key, &f.Mask, true, nil)
}

// logFlow tells of a flow that was added, or changed where old is not nil.
func logFlow(what string, f *datapath.Flow, e *entry, old *program) {
	if !log.Enabled(vlog.Dbg) {
		return
	}
	var masked words
	for i, x := range e.sub.mask.idx {
		masked[x] = e.masked[i]
	}
	mega := datapath.FormatUFID(keyUFID(&masked, &e.sub.mask))
	text := datapath.FormatUFID(e.ufid) + " mega_" + mega + " " + datapath.FormatKey(&f.Key, &f.Mask, false, nil)
	if old != nil {
		text += ", old_actions:" + datapath.FormatActions(old.actions, nil)
	}
	log.Dbg("%s: %s, actions:%s", what, text, datapath.FormatActions(f.Actions, nil))
	m := flow.Match{Key: f.Key, Mask: f.Mask}
	m.Mask.InPort, m.Key.InPort = 0, 0
	m.ZeroWild()
	log.Dbg("flow match: %s", m.String())
}

// logPut tells of a call of FlowPut.
func (d *DP) logPut(f *datapath.Flow, mode datapath.PutMode, err error) {
	if !dpifLog.Enabled(vlog.Dbg) {
		return
	}
	flags := ""
	for _, m := range []struct {
		bit  datapath.PutMode
		name string
	}{{datapath.PutCreate, "[create]"}, {datapath.PutModify, "[modify]"}, {datapath.PutZeroStats, "[zero]"}} {
		if mode&m.bit != 0 {
			flags += m.name
		}
	}
	what := "put" + flags
	if err != nil {
		what = "failed to " + what + " (" + err.Error() + ")"
	}
	dpifLog.Dbg("%s: %s %s, actions:%s", d.fullName(), what, describe(f, f.UFID), datapath.FormatActions(f.Actions, nil))
}

// logDump tells of a flow that a dump shows.
func (d *DP) logDump(f *datapath.Flow) {
	if dpifLog.Enabled(vlog.Dbg) {
		dpifLog.Dbg("%s: flow_dump %s, %s, actions:%s", d.fullName(), describe(f, f.UFID),
			datapath.FormatStats(&f.Stats, d.now()), datapath.FormatActions(f.Actions, nil))
	}
}

package trace

import (
	"weir/internal/datapath"
	"weir/internal/xlate"
)

// Document is a Report as JSON shows it (ovs-appctl -f json).
type Document struct {
	Rounds []RoundDocument `json:"rounds"`
}

// RoundDocument is one translation: of the packet, or of a copy of it that came
// back from connection tracking.
type RoundDocument struct {
	Recirc  *RecircDocument `json:"recirc,omitempty"`
	Flow    string          `json:"flow"`
	Steps   []StepDocument  `json:"steps"`
	Final   string          `json:"final_flow"`
	Mega    string          `json:"megaflow"`
	Actions []string        `json:"datapath_actions"`
	Slow    []string        `json:"slow_path,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// RecircDocument says where the packet of a round came from.
type RecircDocument struct {
	ID      uint32 `json:"id"`
	Zone    uint16 `json:"zone"`
	CTState string `json:"ct_state"`
	Assumed bool   `json:"ct_state_assumed"`
	NAT     string `json:"nat,omitempty"`
}

// StepDocument is one step of a translation with those that it led to.
type StepDocument struct {
	Kind  string         `json:"kind"`
	Text  string         `json:"text"`
	Steps []StepDocument `json:"steps,omitempty"`
}

// Document is the report for machines.
func (rep *Report) Document() any {
	d := Document{Rounds: []RoundDocument{}}
	for _, r := range rep.Rounds {
		res := r.Result
		out := RoundDocument{
			Flow: r.Key.FormatTraced(rep.ports, rep.tlv), Steps: document(&r.trace), Final: string(rep.appendFinal(nil, r)),
			Mega:    string(rep.appendMegaflow(nil, r)),
			Actions: []string{}, Slow: slowReasons(res.Slow),
		}
		for _, a := range res.Actions {
			out.Actions = append(out.Actions, datapath.FormatActions([]datapath.Action{a}, rep.dp))
		}
		if res.Err != xlate.ErrNone {
			out.Error = res.Err.String()
		}
		if f := r.Fork; f != nil {
			out.Recirc = &RecircDocument{ID: f.ID, Zone: f.CT.Zone, CTState: ctStateText(r.CTState), Assumed: r.Assumed}
			if f.CT.NAT != nil {
				out.Recirc.NAT = f.CT.NAT.String()
			}
		}
		d.Rounds = append(d.Rounds, out)
	}
	return d
}

// kindNames are the kinds of step by their numbers.
var kindNames = [...]string{
	xlate.NodeBridge: "bridge", xlate.NodeTable: "table", xlate.NodeThaw: "thaw", xlate.NodeAction: "action",
	xlate.NodeDetail: "detail", xlate.NodeWarn: "warning", xlate.NodeError: "error", xlate.NodeBucket: "bucket",
}

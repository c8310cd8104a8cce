package datapath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DumpOptions say how [FormatFlow] prints.
type DumpOptions struct {
	// Verbose is dump-flows -m: UFID, wildcarded members, the layer.
	Verbose bool
	Names   *Namer
	Now     time.Time
}

// FormatFlow prints a flow as a line of `ovs-dpctl dump-flows`, without newline.
func FormatFlow(f *Flow, o *DumpOptions) string {
	var b []byte
	if o.Verbose && f.UFID != (UFID{}) {
		b = append(append(b, FormatUFID(f.UFID)...), ", "...)
	}
	b = append(b, FormatKey(&f.Key, &f.Mask, o.Verbose, o.Names)...)
	b = append(append(b, ", "...), FormatStats(&f.Stats, o.Now)...)
	if o.Verbose && f.Layer != "" {
		b = append(append(b, ", dp:"...), f.Layer...)
	}
	b = append(b, ", actions:"...)
	return string(AppendActions(b, f.Actions, o.Names))
}

// FormatStats is "packets:1, bytes:60, used:0.001s, flags:S".
func FormatStats(s *Stats, now time.Time) string {
	b := fmt.Appendf(nil, "packets:%d, bytes:%d, used:", s.Packets, s.Bytes)
	if s.Used.IsZero() {
		b = append(b, "never"...)
	} else {
		ms := max(now.Sub(s.Used).Milliseconds(), 0)
		b = fmt.Appendf(b, "%d.%03ds", ms/1000, ms%1000)
	}
	if s.TCPFlags != 0 {
		b = append(append(b, ", flags:"...), FormatTCPFlags(s.TCPFlags)...)
	}
	return string(b)
}

// FormatTCPFlags is one letter for each flag that was seen ("." for ACK), the
// rest in hexadecimal.
func FormatTCPFlags(flags uint16) string {
	const letters = "FSRP.UEC"
	var b []byte
	for i := range len(letters) {
		if flags>>i&1 != 0 {
			b = append(b, letters[i])
		}
	}
	if rest := flags &^ 0xff; rest != 0 {
		b = append(b, "["+strconv.FormatUint(uint64(rest), 16)+"]"...)
	}
	return string(b)
}

// Flow types that dump-flows type= selects.
var layerTypes = []string{"ovs", "tc", "dpdk", "offloaded", "non-offloaded", "partially-offloaded", "all"}

// CheckLayers reports the first word of a type= list that is no flow type.
func CheckLayers(list string) (bad string, ok bool) {
	for _, t := range strings.Split(list, ",") {
		if !slices.Contains(layerTypes, t) {
			return t, false
		}
	}
	return "", true
}

// FlowDocument is a flow as JSON shows it.
type FlowDocument struct {
	UFID    string   `json:"ufid,omitempty"`
	Match   string   `json:"match"`
	Packets uint64   `json:"packets"`
	Bytes   uint64   `json:"bytes"`
	Idle    *float64 `json:"seconds_since_used"` // null: never used
	Flags   string   `json:"tcp_flags,omitempty"`
	Layer   string   `json:"layer,omitempty"`
	Actions string   `json:"actions"`
}

// DescribeFlow is [FormatFlow] for JSON.
func DescribeFlow(f *Flow, o *DumpOptions) FlowDocument {
	d := FlowDocument{
		Match:   string(FormatKey(&f.Key, &f.Mask, o.Verbose, o.Names)),
		Packets: f.Stats.Packets, Bytes: f.Stats.Bytes, Layer: f.Layer, Actions: FormatActions(f.Actions, o.Names),
	}
	if f.UFID != (UFID{}) {
		d.UFID = FormatUFID(f.UFID)
	}
	if !f.Stats.Used.IsZero() {
		idle := max(o.Now.Sub(f.Stats.Used).Seconds(), 0)
		d.Idle = &idle
	}
	if f.Stats.TCPFlags != 0 {
		d.Flags = string(FormatTCPFlags(f.Stats.TCPFlags))
	}
	return d
}

package openflow

import (
	"fmt"
	"strings"
)

// protocolNames are the names of protocols and of sets of them, the sets first.
var protocolNames = []struct {
	p    Protocol
	name string
}{
	{PAny, "any"}, {P10 | P10TID, "OpenFlow10"}, {PNXM | PNXMTID, "NXM"}, {PAnyOXM, "OXM"},
	{P10, "OpenFlow10-table_id"}, {P10TID, "OpenFlow10+table_id"}, {PNXM, "NXM-table_id"}, {PNXMTID, "NXM+table_id"},
	{P11, "OpenFlow11"}, {P12, "OXM-OpenFlow12"}, {P13, "OXM-OpenFlow13"}, {P14, "OXM-OpenFlow14"}, {P15, "OXM-OpenFlow15"},
}

// ProtocolsText lists protocols as ovs-ofctl -F takes them, with as few names
// as possible.
func ProtocolsText(p Protocol) string {
	if p == 0 {
		return "none"
	}
	var out []string
	for _, n := range protocolNames {
		if p&n.p == n.p {
			out = append(out, n.name)
			p &^= n.p
		}
	}
	return strings.Join(out, ",")
}

// ParseProtocols reads names of protocols separated by commas.
func ParseProtocols(s string) (Protocol, error) {
	var p Protocol
	for _, w := range strings.Split(s, ",") {
		w = strings.TrimSpace(w)
		found := false
		for _, n := range protocolNames {
			if equalFold(w, n.name) || n.p >= P12 && equalFold(w, strings.TrimPrefix(n.name, "OXM-")) {
				p |= n.p
				found = true
			}
		}
		if !found {
			return 0, fmt.Errorf("%s: unknown flow protocol", w)
		}
	}
	return p, nil
}

// ErrCodeByName finds an error by its name in the specifications.
func ErrCodeByName(s string) (ErrCode, bool) {
	for c := ErrCode(1); c < numErrCodes; c++ {
		if errTable[c].name == s {
			return c, true
		}
	}
	return 0, false
}

// Numbers are the vendor, type and code of an error in a version; ok is false
// where the version has no such error.
func (c ErrCode) Numbers(v Version) (vendor uint32, typ, code uint16, ok bool) {
	w := c.find(v)
	if w == nil {
		return 0, 0, 0, false
	}
	return w.vendor, w.typ, w.code, true
}

// DecodeActions decodes a bare action list, or instructions of a flow in table.
func DecodeActions(b []byte, v Version, instructions bool, table uint8, opt DecodeOptions) ([]Action, error) {
	d := &decoder{MsgHeader: MsgHeader{Version: v}, opt: opt, t: msgTable(), cursor: cursor{b: b}}
	var as []Action
	if instructions {
		as = d.instructions(&d.cursor)
	} else {
		as = d.actions(&d.cursor)
		d.plainActions(as)
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := d.verify(as); err != nil {
		return nil, err
	}
	if a := besideConjunction(as); a != nil {
		d.logSite("ofp_actions", "verify", true, beside(a))
		return nil, ErrNXBACBadConjunction.Err()
	}
	if instructions {
		c := &checker{ActionCheck: ActionCheck{TableID: table, Usable: PAny, MaxPorts: PortMax}}
		for _, a := range as {
			if g, ok := a.(*GotoTable); ok {
				if code := c.control(g); code != 0 {
					return nil, code.Err()
				}
			}
		}
	}
	return as, nil
}

// EncodeActions encodes a bare action list, or instructions.
func EncodeActions(as []Action, v Version, instructions bool) []byte {
	e := &encoder{proto: v.Protocol(), v: v, t: msgTable()}
	if instructions {
		e.instructions(as)
	} else {
		e.actions(as)
	}
	return e.b
}

// plainActions refuses instructions where only actions may stand.
func (d *decoder) plainActions(as []Action) {
	for _, a := range as {
		if o, name := instOrder(a); o != 1 && !(name == "meter" && d.Version >= V15) {
			d.logSite("ofp_actions", "verify", true, name+" instruction not allowed here")
			d.fail(ErrBICUnsupInst)
		}
	}
}

// verify refuses what may only stand inside ct.
func (d *decoder) verify(as []Action) error {
	if text := outsideCT(as); text != "" {
		d.logSite("ofp_actions", "verify", true, text)
		return ErrBACBadSetArgument.Err()
	}
	return nil
}

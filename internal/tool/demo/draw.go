package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// drawn is what the picture shows of a port.
type drawn struct{ name, vlans string }

const (
	boxWidth = 36
	// trunkLine is the first line below a box's title, where the trunk's port
	// stands, since ports are drawn with the trunk first.
	trunkLine = 3
)

// draw draws the bridges side by side, from what ovs-vsctl reads in the
// database.
func (d *demo) draw() error {
	var boxes [][]string
	height := 0
	for _, br := range bridges {
		ports, err := d.bridgePorts(br)
		if err != nil {
			return err
		}
		b := box(br, ports)
		boxes = append(boxes, b)
		height = max(height, len(b))
	}
	for i := range height {
		var line strings.Builder
		line.WriteString("  ")
		for c, b := range boxes {
			switch {
			case c > 0 && i == trunkLine:
				line.WriteString("=========")
			case c > 0:
				line.WriteString("         ")
			}
			if i < len(b) {
				line.WriteString(b[i])
			} else {
				line.WriteString(strings.Repeat(" ", boxWidth))
			}
		}
		fmt.Fprintln(d.env.Stdout, strings.TrimRight(line.String(), " "))
	}
	return nil
}

// box draws one bridge: a frame, the title, a line per port.
func box(title string, ports []drawn) []string {
	inner := boxWidth - 2
	pad := func(s string) string { return "|" + s + strings.Repeat(" ", max(0, inner-len(s))) + "|" }
	edge := "+" + strings.Repeat("-", inner) + "+"
	lines := []string{edge, pad(" " + title), edge}
	for _, p := range ports {
		text := fmt.Sprintf(" %-12s %s", p.name, p.vlans)
		if host, ok := strings.CutPrefix(p.name, "to-"); ok {
			text += "  --- " + host
		}
		lines = append(lines, pad(text))
	}
	return append(lines, edge)
}

// bridgePorts reads a bridge's ports, the trunk first.
func (d *demo) bridgePorts(bridge string) ([]drawn, error) {
	names, err := d.tool("ovs-vsctl", "list-ports", bridge)
	if err != nil {
		return nil, err
	}
	var ports []drawn
	for _, name := range strings.Fields(names) {
		out, err := d.tool("ovs-vsctl", "--format=json", "--columns=tag,trunks", "list", "Port", name)
		if err != nil {
			return nil, err
		}
		vlans, err := describeVLANs(out)
		if err != nil {
			return nil, fmt.Errorf("port %s: %w", name, err)
		}
		ports = append(ports, drawn{name, vlans})
	}
	slices.SortStableFunc(ports, func(a, b drawn) int { return trunksFirst(a) - trunksFirst(b) })
	return ports, nil
}

func trunksFirst(p drawn) int {
	if strings.HasPrefix(p.name, "trunk") {
		return 0
	}
	return 1
}

// describeVLANs reads the columns tag and trunks of one Port in ovs-vsctl's JSON
// table: an integer, or ["set",[...]] (RFC 7047, 5.1).
func describeVLANs(table string) (string, error) {
	var t struct{ Data [][]json.RawMessage }
	if err := json.Unmarshal([]byte(table), &t); err != nil {
		return "", err
	}
	if len(t.Data) != 1 || len(t.Data[0]) != 2 {
		return "", fmt.Errorf("unexpected table %s", table)
	}
	if tag := numbers(t.Data[0][0]); tag != "" {
		return "VLAN " + tag, nil
	}
	if trunks := numbers(t.Data[0][1]); trunks != "" {
		return "trunk " + trunks, nil
	}
	return "all VLANs", nil
}

// numbers keeps the integers of a datum, with commas between them.
func numbers(datum json.RawMessage) string {
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == ',' {
			return r
		}
		return -1
	}, string(datum))
	return strings.Trim(kept, ",")
}

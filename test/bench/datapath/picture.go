package main

import (
	"fmt"
	"html"
	"strings"
)

// colours of the switches, readable on light and dark pages.
var colours = map[string]string{
	"veth": "#9e9e9e", "bridge": "#6d8fb3", "C": "#c9793b", "userspace": "#7bb08a", "ebpf": "#1f8a5b",
}

const (
	pictureWidth = 820
	labelWidth   = 90
	barHeight    = 15
	titleHeight  = 26
	gap          = 14
)

// draw makes a picture in SVG: for each figure a bar for each switch, the
// longest as long as the picture allows.
func (r *report) draw() string {
	var b strings.Builder
	y := 16
	for _, x := range r.Figures {
		y = x.draw(&b, y)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s<text x="8" y="%d" fill="#666666" font-size="11">Linux %s, %d CPUs; medians of alternating runs</text>
</svg>
`, pictureWidth, y+20, pictureWidth, y+20, b.String(), y+8, html.EscapeString(r.Kernel), r.CPUs)
}

// draw draws one figure from y on and returns where the next begins.
func (x *result) draw(b *strings.Builder, y int) int {
	hint := ""
	if x.Lower {
		hint = " (less is better)"
	}
	fmt.Fprintf(b, "<text x=\"8\" y=\"%d\" font-weight=\"bold\" fill=\"#222222\">%s, %s%s</text>\n", y+6, html.EscapeString(x.Name), x.Unit, hint)
	y += titleHeight - 12
	longest := 0.0
	for _, v := range x.Medians {
		longest = max(longest, v)
	}
	for _, name := range switchNames() {
		v, ok := x.Medians[name]
		if !ok {
			continue
		}
		width := 1
		if longest > 0 {
			width = max(1, int(v/longest*float64(pictureWidth-labelWidth-90)))
		}
		weight := ""
		if name == "ebpf" {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#222222\"%s>%s</text>\n", labelWidth-6, y+barHeight-4, weight, name)
		fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n", labelWidth, y, width, barHeight-3, colours[name])
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" fill=\"#222222\"%s>%s</text>\n", labelWidth+width+5, y+barHeight-4, weight, number(v))
		y += barHeight
	}
	return y + gap
}

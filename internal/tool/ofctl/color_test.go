package ofctl

import (
	"regexp"
	"testing"
)

// Colours add nothing but escape sequences, and mark the words that matter.
func TestColoursOfFlows(t *testing.T) {
	p := newPalette("ac=4:xx=9")
	const flow = " cookie=0x0, table=3, priority=7,tcp,dl_src=00:00:00:00:00:01 actions=load:0x1->NXM_NX_REG0[],learn(table=5,output:NXM_NX_REG1[]),drop\n"
	got := p.flow(flow)
	if plain := regexp.MustCompile("\x1b\\[[0-9;]*[mK]").ReplaceAllString(got, ""); plain != flow {
		t.Errorf("without colours: %q", plain)
	}
	for _, want := range []string{
		"\x1b[4m\x1b[Kactions=\x1b[m\x1b[K", "\x1b[32m\x1b[Ktcp\x1b[m", "\x1b[33m\x1b[Ktable=\x1b[m", "\x1b[31m\x1b[Klearn(\x1b[m",
		"\x1b[31m\x1b[K)\x1b[m", "\x1b[34m\x1b[Kdrop\x1b[m", "\x1b[36m\x1b[Kdl_src=\x1b[m\x1b[K00:00:00:00:00:01 ", "\x1b[33m\x1b[K->\x1b[m",
	} {
		if !regexp.MustCompile(regexp.QuoteMeta(want)).MatchString(got) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

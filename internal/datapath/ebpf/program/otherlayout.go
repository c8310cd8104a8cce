//go:build otherlayout

package program

// otherLayout makes a program whose memory others can't adopt nor it theirs: what
// the test of upgrades upgrades to.
const otherLayout = 1 << 16

//go:build !otherlayout

package program

const otherLayout = 0

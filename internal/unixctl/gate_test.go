package unixctl

import (
	"testing"
	"testing/synctest"
)

// TestGate has a goroutine wait at a closed gate, and only there.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		g.Wait()
		if err := g.open(); err == nil {
			t.Error("an open gate was opened")
		}
		if err := g.close(); err != nil {
			t.Fatal(err)
		}
		if err := g.close(); err == nil {
			t.Error("a closed gate was closed")
		}
		passed := false
		go func() { g.Wait(); passed = true }()
		synctest.Wait()
		if passed {
			t.Error("something passed a closed gate")
		}
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !passed {
			t.Error("nothing passed the open gate")
		}
	})
}

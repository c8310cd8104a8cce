package coverage

import (
	"fmt"
	"strings"
	"testing"
)

// runs tells the counters of repeated runs apart, as counters stay.
var runs int

func TestShow(t *testing.T) {
	runs++
	name := fmt.Sprintf("test_events_%d", runs)
	a, _ := New(name), New("test_never")
	a.Add(10)
	Tick()
	a.Inc()
	Tick()
	text := Now().String()
	row := fmt.Sprintf("%-24s   0.2/sec     0.183/sec        0.0031/sec   total: 11\n", name)
	if !strings.Contains(text, row) {
		t.Errorf("no line %q in\n%s", row, text)
	}
	if !strings.HasPrefix(text, "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=") ||
		!strings.HasSuffix(text, " events never hit\n") {
		t.Errorf("frame of\n%s", text)
	}
	for range 2 * fives {
		Tick()
	}
	if text := Now().String(); !strings.Contains(text, fmt.Sprintf("%-24s   0.0/sec     0.000/sec        0.0031/sec   total: 11\n", name)) {
		t.Errorf("after two minutes:\n%s", text)
	}
	if n, ok := Read(name); n != 11 || !ok {
		t.Errorf("Read: %d, %v", n, ok)
	}
	if _, ok := Read("nonesuch"); ok {
		t.Error("Read knows a counter that nobody made")
	}
}

func BenchmarkInc(b *testing.B) {
	c := New("bench")
	for b.Loop() {
		c.Inc()
	}
}

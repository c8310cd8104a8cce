package coverage

import (
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	a, _ := New("test_events"), New("test_never")
	a.Add(10)
	Tick()
	a.Inc()
	Tick()
	text := Now().String()
	const row = "test_events                0.2/sec     0.183/sec        0.0031/sec   total: 11\n"
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
	if text := Now().String(); !strings.Contains(text, "test_events                0.0/sec     0.000/sec        0.0031/sec   total: 11\n") {
		t.Errorf("after two minutes:\n%s", text)
	}
	if n, ok := Read("test_events"); n != 11 || !ok {
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

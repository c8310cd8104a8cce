package tunnel

import "testing"

func TestEgressPorts(t *testing.T) {
	var e EgressPorts
	if first, last := e.Range(); first != 32768 || last != 61000 {
		t.Errorf("the usual range is %d-%d", first, last)
	}
	if e.Pick(0) != 32768 || e.Pick(^uint32(0)) != 61000 {
		t.Errorf("ends: %d, %d", e.Pick(0), e.Pick(^uint32(0)))
	}
	e.SetRange(10, 5)
	if first, last := e.Range(); first != 5 || last != 10 {
		t.Errorf("range %d-%d", first, last)
	}
	e.SetRange(7, 7)
	if e.Pick(0x80000000) != 7 {
		t.Error("a range of one port")
	}
	e.SetRange(1, 65535)
	if e.Pick(0) != 1 || e.Pick(^uint32(0)) != 65535 {
		t.Error("all ports")
	}
}

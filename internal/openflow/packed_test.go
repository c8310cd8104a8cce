package openflow

import (
	"reflect"
	"testing"

	"weir/internal/flow"
)

// Every field survives, also such as are added later.
func TestPackedFlowModKeepsAll(t *testing.T) {
	var m FlowMod
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(uint64(i + 1))
		}
	}
	m.Match.SetExact(flow.FieldIPv4Src.Field(), flow.V(7))
	m.Match.TLV = &flow.TLVTable{}
	m.Actions = []Action{&Output{Port: 3}}
	p := m.Pack()
	var back FlowMod
	p.Unpack(&back)
	if !reflect.DeepEqual(back, m) {
		t.Errorf("got %+v, want %+v", back, m)
	}
}

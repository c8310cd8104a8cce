package flow

import (
	"reflect"
	"testing"
)

// Padding would hash as undefined bytes and break word-wise comparison.
func TestKeyHasNoPadding(t *testing.T) {
	var check func(ty reflect.Type, path string)
	check = func(ty reflect.Type, path string) {
		var end uintptr
		for i := range ty.NumField() {
			f := ty.Field(i)
			if f.Offset != end {
				t.Errorf("%d bytes of padding before %s.%s", f.Offset-end, path, f.Name)
			}
			end = f.Offset + f.Type.Size()
			if f.Type.Kind() == reflect.Struct {
				check(f.Type, path+"."+f.Name)
			}
		}
		if end != ty.Size() {
			t.Errorf("%d bytes of padding at the end of %s", ty.Size()-end, path)
		}
	}
	check(reflect.TypeFor[Key](), "Key")
}

// Parts of a port's number change by themselves, as those of other fields do.
func TestSetMasked(t *testing.T) {
	for _, f := range []*Field{FieldInPort.Field(), FieldInPortOXM.Field(), FieldTCPSrc.Field(), FieldIPTTL.Field()} {
		var k Key
		f.Set(&k, V(0x25))
		f.SetMasked(&k, V(0x51), V(0xf0))
		if got := f.Get(&k); got != V(0x55) {
			t.Errorf("%s is %#x", f.Name, got.Lo)
		}
	}
}

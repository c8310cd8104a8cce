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

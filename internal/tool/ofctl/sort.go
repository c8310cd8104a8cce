package ofctl

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"weir/internal/flow"
)

// criterion is one key to sort flows by: a field, or the priority when nil.
type criterion struct {
	field *flow.Field
	desc  bool
}

func (t *tool) addCriterion(name string, desc bool) error {
	c := criterion{desc: desc}
	if name != "" && name != "priority" {
		if c.field = flow.FieldByName(name); c.field == nil {
			return fmt.Errorf("%s: unknown field name", name)
		}
	}
	t.sort = append(t.sort, c)
	return nil
}

// errText is what the system says of a failure, without the call and the name.
func errText(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	text := no.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

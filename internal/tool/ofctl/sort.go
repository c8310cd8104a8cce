package ofctl

import (
	"fmt"

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

func errText(err error) string { return err.Error() }

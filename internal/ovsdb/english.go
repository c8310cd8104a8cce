package ovsdb

import (
	"math"
	"strconv"
	"strings"
)

// English returns the type in words, as messages and manual pages have it:
// "set of up to 4,096 integers, in range 0 to 4,095".
func (t *ColumnType) English() string {
	min1 := strings.Builder{}
	key := t.Key.English()
	value := ""
	if t.IsMap() {
		value = t.Value.English()
	}
	switch {
	case t.IsScalar():
		return key
	case t.IsMap():
		min1.WriteString("map of ")
		if n := t.countEnglish(); n != "" {
			min1.WriteString(n + " ")
		}
		min1.WriteString("(" + key + ", " + value + ") pairs")
	default:
		min1.WriteString("set of ")
		if n := t.countEnglish(); n != "" {
			min1.WriteString(n + " ")
		}
		min1.WriteString(key + "s")
	}
	return min1.String()
}

func (t *ColumnType) countEnglish() string {
	switch {
	case t.Max == Unlimited && t.Min == 0:
		return ""
	case t.Max == Unlimited:
		return itoa(int(t.Min)) + " or more"
	case t.Min == 0:
		return "up to " + itoa(int(t.Max))
	}
	return itoa(int(t.Min)) + " to " + itoa(int(t.Max))
}

// English returns the atomic type's name.
func (b *BaseType) English() string { return b.Type.String() }

// ConstraintsEnglish describes b's constraints, "" where it has none.
func (b *BaseType) ConstraintsEnglish() string {
	switch {
	case b.Enum.Len() > 0:
		return "one of " + b.enumText()
	case b.Type == Integer && b.MinInteger != math.MinInt64 && b.MaxInteger != math.MaxInt64:
		return "in range " + strconv.FormatInt(b.MinInteger, 10) + " to " + strconv.FormatInt(b.MaxInteger, 10)
	case b.Type == Integer && b.MinInteger != math.MinInt64:
		return "at least " + strconv.FormatInt(b.MinInteger, 10)
	case b.Type == Integer && b.MaxInteger != math.MaxInt64:
		return "at most " + strconv.FormatInt(b.MaxInteger, 10)
	}
	return ""
}

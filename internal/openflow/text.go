package openflow

import "fmt"

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// ActionName is the name of an action in text and in error messages.
func ActionName(a Action) string { return fmt.Sprintf("%T", a) }

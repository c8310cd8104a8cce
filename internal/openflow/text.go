package openflow

import "fmt"

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// text is text under construction, in memory that may be another's. No write
// fails.
type text struct{ b []byte }

func (t *text) WriteString(s string)        { t.b = append(t.b, s...) }
func (t *text) String() string              { return string(t.b) }
func (t *text) Write(b []byte) (int, error) { t.b = append(t.b, b...); return len(b), nil }

func (t *text) WriteByte(c byte) error {
	t.b = append(t.b, c)
	return nil
}

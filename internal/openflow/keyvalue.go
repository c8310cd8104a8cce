package openflow

import (
	"iter"
	"slices"
	"strings"

	"weir/internal/flow"
)

// KeyValue is one item of action text: a key, and what follows it after ":" or
// "=", in parentheses, or behind "->".
type KeyValue struct {
	Key, Value string
	// Raw is the item as it stood.
	Raw string
}

// SplitKeyValues cuts text into items separated by commas or white space.
// Values may hold parentheses, inside which separators don't count.
func SplitKeyValues(s string) []KeyValue { return slices.Collect(keyValues(s)) }

// keyValues is SplitKeyValues, one item after another.
func keyValues(s string) iter.Seq[KeyValue] {
	return func(yield func(KeyValue) bool) {
		for {
			var kv KeyValue
			var ok bool
			if kv, s, ok = cutKeyValue(s); !ok || !yield(kv) {
				return
			}
		}
	}
}

// keyEnd are the characters that end a key.
var keyEnd = func() (set [256]bool) {
	for _, c := range []byte(":=(, \t\r\n") {
		set[c] = true
	}
	return set
}()

// separator are the characters between items.
var separator = [256]bool{',': true, ' ': true, '\t': true, '\r': true, '\n': true}

// cutKeyValue takes the first item off; ok is false when there is none.
func cutKeyValue(s string) (kv KeyValue, rest string, ok bool) {
	for s != "" && separator[s[0]] {
		s = s[1:]
	}
	if s == "" {
		return kv, "", false
	}
	n := 0
	for n < len(s) && !keyEnd[s[n]] {
		n++
	}
	kv.Key = s[:n]
	end := n
	switch {
	case n == len(s) || separator[s[n]]:
	case s[n] == '(':
		close := flow.ClosingParen(s, n)
		kv.Value = s[n+1 : close]
		end = min(close+1, len(s))
		if strings.HasPrefix(s[end:], "->") {
			arrow := end
			end = valueEnd(s, end)
			kv.Value += s[arrow:end]
		}
	default:
		end = valueEnd(s, n+1)
		kv.Value = s[n+1 : end]
	}
	kv.Raw = s[:end]
	return kv, s[end:], true
}

func valueEnd(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

package ovsdb

import (
	"errors"
	"strings"

	"weir/internal/json"
)

// Members reads the object at s's current token, whose members must be among
// fields; a trailing "!" marks a required one.  It calls member for each, with
// its value's first token read; member must read the rest.  what names the
// object in messages, which are those of the C programs.
func Members(s *json.Scanner, what string, fields []string, member func(name string) error) error {
	from := s.Offset()
	if s.Kind() != json.ObjectBegin {
		return quote(s, "", "Parsing %s failed: Object expected.", what)
	}
	data := s.Rest()
	seen := map[string]bool{}
	unknown := ""
	err := s.Object(func(name string) error {
		s.Next()
		seen[name] = true
		for _, f := range fields {
			if strings.TrimSuffix(f, "!") == name {
				return member(name)
			}
		}
		if unknown == "" {
			unknown = name
		}
		return s.Skip()
	})
	if err != nil {
		return err
	}
	raw := data[:s.End()-from]
	for _, f := range fields {
		if name, required := strings.CutSuffix(f, "!"); required && !seen[name] {
			return SyntaxErrorf(raw, "", "Parsing %s failed: Required '%s' member is missing.", what, name)
		}
	}
	if unknown != "" {
		return SyntaxErrorf(raw, "", "Parsing %s failed: Member '%s' is present but not allowed here.", what, unknown)
	}
	return nil
}

func badType(s *json.Scanner, what, member string) error {
	return quote(s, "", "Parsing %s failed: Type mismatch for member '%s'.", what, member)
}

func boolMember(s *json.Scanner, what, name string) (bool, error) {
	if s.Kind() != json.True && s.Kind() != json.False {
		return false, badType(s, what, name)
	}
	return s.Kind() == json.True, nil
}

func stringMember(s *json.Scanner, what, name string) (string, error) {
	if s.Kind() != json.String {
		return "", badType(s, what, name)
	}
	return s.Str(), nil
}

// AsError returns err as an *Error: itself, or a syntax error with its text.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(TagSyntax, "%s", err.Error())
}

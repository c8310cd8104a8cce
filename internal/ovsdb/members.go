package ovsdb

import (
	"errors"
	"fmt"
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
		if err := s.Skip(); err != nil {
			return err
		}
		return Errorf(TagSyntax, "Parsing %s failed: Object expected.", what)
	}
	data := s.Rest()
	seen := map[string]bool{}
	unknown := ""
	var mismatch *MemberError
	err := s.Object(func(name string) error {
		s.Next()
		seen[name] = true
		for _, f := range fields {
			if strings.TrimSuffix(f, "!") == name {
				err := member(name)
				if errors.As(err, &mismatch) {
					return s.Skip()
				}
				return err
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
	if mismatch != nil {
		return SyntaxErrorf(raw, "", "Parsing %s failed: %s", what, mismatch.Msg)
	}
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

// MemberError is what member returns to Members when it doesn't like a value:
// Members then tells Msg and quotes the whole object.  The value need not have
// been read to its end if only its first token has.
type MemberError struct{ Msg string }

// Error returns the message.
func (e *MemberError) Error() string { return e.Msg }

// BadType is the MemberError of a value of the wrong JSON type.
func BadType(member string) error {
	return &MemberError{fmt.Sprintf("Type mismatch for member '%s'.", member)}
}

func boolMember(s *json.Scanner, name string) (bool, error) {
	if s.Kind() != json.True && s.Kind() != json.False {
		return false, BadType(name)
	}
	return s.Kind() == json.True, nil
}

func stringMember(s *json.Scanner, name string) (string, error) {
	if s.Kind() != json.String {
		return "", BadType(name)
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

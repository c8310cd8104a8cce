package ovsdb

import (
	"fmt"

	"weir/internal/json"
)

// The error strings that RFC 7047 and ovsdb-server(7) define.
const (
	TagSyntax               = "syntax error"
	TagConstraint           = "constraint violation"
	TagReferentialIntegrity = "referential integrity violation"
	TagDomain               = "domain error"
	TagRange                = "range error"
	TagTimedOut             = "timed out"
	TagUnknownTable         = "unknown table"
	TagUnknownColumn        = "unknown column"
	TagUnknownDatabase      = "unknown database"
	TagDuplicateUUIDName    = "duplicate uuid-name"
	TagDuplicateUUID        = "duplicate uuid"
	TagAborted              = "aborted"
	TagNotOwner             = "not owner"
	TagNotAllowed           = "not allowed"
	TagPermission           = "permission error"
	TagIO                   = "I/O error"
	TagInternal             = "internal error"
	TagResources            = "resources exhausted"
	TagGeneric              = "ovsdb error" // no special one
)

// Error is a database error as RFC 7047 section 3.1 has it: a tag that programs
// read, details for people and the JSON that was at fault.
type Error struct {
	Tag     string // "" for an error that has only details
	Details string
	Syntax  string // compact JSON with sorted members, or ""
}

// Errorf makes an Error without syntax.
func Errorf(tag, format string, args ...any) *Error {
	return &Error{Tag: tag, Details: fmt.Sprintf(format, args...)}
}

// SyntaxErrorf makes an Error that quotes the JSON value in raw; an empty tag
// means "syntax error".
func SyntaxErrorf(raw []byte, tag, format string, args ...any) *Error {
	if tag == "" {
		tag = TagSyntax
	}
	e := Errorf(tag, format, args...)
	if raw != nil {
		e.Syntax = string(json.Canonical(raw))
	}
	return e
}

// Error prints the error as the C programs do:
// `syntax "JSON": tag: details`.
func (e *Error) Error() string {
	s := ""
	if e.Syntax != "" {
		s = fmt.Sprintf("syntax \"%s\": ", e.Syntax)
	}
	switch {
	case e.Tag == "":
		return s + e.Details
	case e.Details == "":
		return s + e.Tag
	}
	return s + e.Tag + ": " + e.Details
}

// AppendJSON appends the error as an <error> object, members sorted.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if e.Details != "" {
		dst = append(dst, `"details":`...)
		dst = json.AppendString(dst, e.Details)
		dst = append(dst, ',')
	}
	dst = append(dst, `"error":`...)
	tag := e.Tag
	if tag == "" {
		tag = TagInternal
	}
	dst = json.AppendString(dst, tag)
	if e.Syntax != "" {
		dst = append(dst, `,"syntax":`...)
		dst = json.AppendString(dst, e.Syntax)
	}
	return append(dst, '}')
}

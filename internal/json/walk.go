package json

import "bytes"

// Object walks the members of the object whose ObjectBegin is the current
// token.  It calls member with each name; member must read exactly one value,
// beginning with Next.  The current token afterwards is ObjectEnd.
func (s *Scanner) Object(member func(name string) error) error {
	return s.Members(func([]byte) error { return member(s.Str()) })
}

// Members is Object for names that needn't outlive the call: they are valid until
// the next token is read.
func (s *Scanner) Members(member func(name []byte) error) error {
	if s.kind != ObjectBegin {
		return s.Errorf("expected object, found %v", s.kind)
	}
	for {
		switch s.Next() {
		case ObjectEnd:
			return nil
		case Invalid:
			return s.err
		}
		if err := member(s.str); err != nil {
			return err
		}
		if s.err != nil {
			return s.err
		}
	}
}

// Named takes the name of the next member if it stands there as text, `"NAME":`
// without escapes and white space; otherwise it takes nothing and returns false.
func (s *Scanner) Named(text string) bool {
	at := s.pos
	switch {
	case s.err != nil:
		return false
	case s.state == wantCommaOrEnd && at < len(s.data) && s.data[at] == ',' && s.stack[len(s.stack)-1] == '{':
		at++
	case s.state != wantFirstName:
		return false
	}
	if len(s.data)-at < len(text) || string(s.data[at:at+len(text)]) != text {
		return false
	}
	s.start, s.pos = at, at+len(text)
	s.str, s.escaped = s.data[at+1:s.pos-2], false
	s.state, s.kind, s.name = wantValue, String, true
	return true
}

// Enter goes from the ObjectBegin that is the current token to one that begins a
// member's value, if what stands from the one to the other is text, which was
// scanned so before; otherwise it takes nothing and returns false.
func (s *Scanner) Enter(text []byte) bool {
	if s.err != nil || s.kind != ObjectBegin || len(s.stack) >= MaxDepth || !bytes.HasPrefix(s.data[s.start:], text) {
		return false
	}
	s.pos = s.start + len(text)
	s.start = s.pos - 1
	s.stack = append(s.stack, '{')
	s.state, s.name = wantFirstName, false
	return true
}

// Array walks the elements of the array whose ArrayBegin is the current token.
// It calls element with each one's index once Next has read the element's first
// token; element must read the rest of it.  The current token afterwards is
// ArrayEnd.
func (s *Scanner) Array(element func(i int) error) error {
	if s.kind != ArrayBegin {
		return s.Errorf("expected array, found %v", s.kind)
	}
	for i := 0; ; i++ {
		switch s.Next() {
		case ArrayEnd:
			return nil
		case Invalid:
			return s.err
		}
		if err := element(i); err != nil {
			return err
		}
		if s.err != nil {
			return s.err
		}
	}
}

// Skip reads the rest of the value that begins with the current token.
func (s *Scanner) Skip() error {
	if s.kind == ObjectBegin || s.kind == ArrayBegin {
		if s.valid {
			s.leave()
			return nil
		}
		depth := len(s.stack)
		for len(s.stack) >= depth {
			if s.Next() == Invalid {
				break
			}
		}
	}
	return s.Err()
}

// Unchecked is Raw for an array or object that somebody else checks: only its
// brackets are looked at.
func (s *Scanner) Unchecked() ([]byte, error) {
	from := s.start
	if s.known.From == from && s.known.To > from {
		s.pos = s.known.To
		s.closed()
		return s.data[from:s.pos], nil
	}
	b := brackets{depth: 1}
	s.pos += b.end(s.data[s.pos:])
	if b.depth > 0 {
		s.failAt(s.pos, "unexpected end of input")
		return nil, s.err
	}
	s.closed()
	return s.data[from:s.pos], nil
}

// leave goes to the end of the innermost container of a valid value.
func (s *Scanner) leave() {
	b := brackets{depth: 1}
	s.pos += b.end(s.data[s.pos:])
	s.closed()
}

// closed notes that the innermost container ended just before pos.
func (s *Scanner) closed() {
	s.start = s.pos - 1
	s.kind = Kind(s.data[s.start])
	s.stack = s.stack[:len(s.stack)-1]
	s.name = false
	s.endValue()
}

// Raw reads the rest of the value that begins with the current token and
// returns its bytes, which are part of the scanner's input.
func (s *Scanner) Raw() ([]byte, error) {
	from := s.start
	if err := s.Skip(); err != nil {
		return nil, err
	}
	return s.data[from:s.pos], nil
}

// Value reads the next value whole and returns its bytes.
func (s *Scanner) Value() ([]byte, error) {
	switch s.Next() {
	case Invalid:
		return nil, s.err
	case EOF:
		return nil, s.Errorf("unexpected end of input")
	}
	return s.Raw()
}

// Finish checks that nothing but white space follows the top value.
func (s *Scanner) Finish() error {
	if s.err == nil && s.Next() != EOF && s.err == nil {
		return s.Errorf("trailing garbage at end of input")
	}
	return s.Err()
}

// Valid checks that data is exactly one JSON value.
func Valid(data []byte) error {
	s := NewScanner(data)
	if _, err := s.Value(); err != nil {
		return err
	}
	return s.Finish()
}

// Mark is a place in a Scanner's input to go back to.
type Mark struct {
	start, pos, depth int
	state             scanState
	kind              Kind
}

// Mark returns where the scanner is.
func (s *Scanner) Mark() Mark {
	return Mark{start: s.start, pos: s.pos, depth: len(s.stack), state: s.state, kind: s.kind}
}

// Back goes back to a token, which isn't a string or a number, from within the
// container that it begins or that it is in. An error since then is forgotten.
func (s *Scanner) Back(m Mark) {
	s.start, s.pos, s.stack, s.state, s.kind = m.start, m.pos, s.stack[:m.depth], m.state, m.kind
	s.name, s.err = false, nil
}

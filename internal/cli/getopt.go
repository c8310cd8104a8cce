package cli

import (
	"fmt"
	"io"
	"strings"
)

// Arg says whether an option takes an argument.
type Arg uint8

// The kinds of options. An optional argument stands in the same word:
// --log-file=F, -vdbg.
const (
	NoArg Arg = iota
	RequiredArg
	OptionalArg
)

// Option is one option of a program.
type Option struct {
	Long  string // without dashes; empty where there is only a letter
	Short byte   // 0 where there is only a long name
	Arg   Arg
	// Set, if not nil, is called with the argument (empty where absent) as the
	// option is met. Its error ends the parsing.
	Set func(value string) error
	// Answer, if not nil, is all that the program does where the option is given
	// (--help): the first such option counts, once all could be parsed.
	Answer func(*Env, *Parser)
	// Hidden keeps the option out of what PrintOptions lists.
	Hidden bool
}

// Parsed is one option as met on the command line.
type Parsed struct {
	*Option
	Value    string
	HasValue bool
}

// Parser parses command lines as getopt_long(3) does.
type Parser struct {
	Options []Option
	// InOrder stops at the first operand, so that what follows a command is the
	// command's.
	InOrder bool
	// ListPlain has PrintOptions show optional arguments like required ones, as
	// ovs-vsctl does.
	ListPlain bool
}

// Parse splits the arguments into options, in their order, and operands. Errors
// have the C library's texts.
func (p *Parser) Parse(args []string) (options []Parsed, operands []string, err error) {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		var met []Parsed
		switch {
		case word == "--":
			return options, append(operands, args...), nil
		case strings.HasPrefix(word, "--"):
			met, args, err = p.long(word[2:], args)
		case len(word) > 1 && word[0] == '-':
			met, args, err = p.letters(word[1:], args)
		case p.InOrder:
			return options, append([]string{word}, args...), nil
		default:
			operands = append(operands, word)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, o := range met {
			if o.Set == nil {
				continue
			}
			if err := o.Set(o.Value); err != nil {
				return nil, nil, err
			}
		}
		options = append(options, met...)
	}
	return options, operands, nil
}

// long parses the long option in word, whose dashes are cut off. The argument of
// one that needs it may be the next word.
func (p *Parser) long(word string, rest []string) ([]Parsed, []string, error) {
	name, value, hasValue := strings.Cut(word, "=")
	o, err := p.find(name, word)
	if err != nil {
		return nil, nil, err
	}
	if hasValue && o.Arg == NoArg {
		return nil, nil, fmt.Errorf("option '--%s' doesn't allow an argument", o.Long)
	}
	if !hasValue && o.Arg == RequiredArg {
		if len(rest) == 0 {
			return nil, nil, fmt.Errorf("option '--%s' requires an argument", o.Long)
		}
		value, rest, hasValue = rest[0], rest[1:], true
	}
	return []Parsed{{o, value, hasValue}}, rest, nil
}

// find finds a long option by its name or by an abbreviation that means only it;
// errors quote word, the option with its argument, as getopt_long(3) does.
func (p *Parser) find(name, word string) (*Option, error) {
	var candidates []*Option
	for i := range p.Options {
		o := &p.Options[i]
		if o.Long == name && name != "" {
			return o, nil
		}
		if o.Long != "" && strings.HasPrefix(o.Long, name) {
			candidates = append(candidates, o)
		}
	}
	switch len(candidates) {
	case 0:
		return nil, fmt.Errorf("unrecognized option '--%s'", word)
	case 1:
		return candidates[0], nil
	}
	var names strings.Builder
	for _, o := range candidates {
		fmt.Fprintf(&names, " '--%s'", o.Long)
	}
	return nil, fmt.Errorf("option '--%s' is ambiguous; possibilities:%s", word, names.String())
}

// letters parses a word of one-letter options.
func (p *Parser) letters(word string, rest []string) (met []Parsed, _ []string, err error) {
	for word != "" {
		o := p.letter(word[0])
		if o == nil {
			return nil, nil, fmt.Errorf("invalid option -- '%c'", word[0])
		}
		word = word[1:]
		parsed := Parsed{Option: o}
		switch {
		case o.Arg != NoArg && word != "":
			parsed.Value, parsed.HasValue, word = word, true, ""
		case o.Arg == RequiredArg && len(rest) > 0:
			parsed.Value, parsed.HasValue, rest = rest[0], true, rest[1:]
		case o.Arg == RequiredArg:
			return nil, nil, fmt.Errorf("option requires an argument -- '%c'", o.Short)
		}
		met = append(met, parsed)
	}
	return met, rest, nil
}

func (p *Parser) letter(c byte) *Option {
	for i := range p.Options {
		if p.Options[i].Short == c {
			return &p.Options[i]
		}
	}
	return nil
}

// PrintOptions lists the options as shell completion reads them: one form a line,
// with ARG for an argument. It is the answer to --option and --options.
func (p *Parser) PrintOptions(w io.Writer) {
	suffix := map[Arg][2]string{NoArg: {"", ""}, RequiredArg: {"=ARG", " ARG"}, OptionalArg: {"=[ARG]", " [ARG]"}}
	if p.ListPlain {
		suffix[OptionalArg] = suffix[RequiredArg]
	}
	for _, o := range p.Options {
		if o.Hidden {
			continue
		}
		if o.Long != "" {
			fmt.Fprintf(w, "--%s%s\n", o.Long, suffix[o.Arg][0])
		}
		if o.Short != 0 {
			fmt.Fprintf(w, "-%c%s\n", o.Short, suffix[o.Arg][1])
		}
	}
}

package dbctl

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/cli"
)

// ParseCommands parses the words after the global options: commands separated
// by "--", each with its own options before its name.  Options of the first one
// that were met among the global ones come in local.
func (p *Program) ParseCommands(words []string, local []cli.Parsed) ([]*Command, error) {
	first := map[string]string{}
	for _, o := range local {
		name := "--" + o.Long
		if _, twice := first[name]; twice {
			return nil, fmt.Errorf("'%s' option specified multiple times", name)
		}
		first[name] = o.Value
	}
	var out []*Command
	for len(words) > 0 || len(first) > 0 {
		n := slices.Index(words, "--")
		one := words
		if n >= 0 {
			one, words = words[:n], words[n+1:]
		} else {
			words = nil
		}
		if len(one) == 0 && n >= 0 && len(first) == 0 {
			continue
		}
		c, err := p.parseCommand(one, first)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		first = map[string]string{}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("missing command name (use --help for help)")
	}
	return out, nil
}

func (p *Program) parseCommand(words []string, options map[string]string) (*Command, error) {
	given := map[string]bool{} // options with an argument
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		name, value, hasValue := strings.Cut(words[0], "=")
		if _, twice := options[name]; twice {
			return nil, fmt.Errorf("'%s' option specified multiple times", name)
		}
		options[name] = value
		given[name] = hasValue
		words = words[1:]
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("missing command name (use --help for help)")
	}
	var syntax *Syntax
	for _, s := range p.syntaxes() {
		if s.Name == words[0] {
			syntax = s
		}
	}
	if syntax == nil {
		return nil, fmt.Errorf("unknown command '%s'; use --help for help", words[0])
	}
	c := &Command{Syntax: syntax, Argv: words, Options: options}
	return c, c.check(given)
}

// check checks a command's options and the number of its arguments.  Options
// that the global parser met needn't be in given: it has checked their form.
func (c *Command) check(given map[string]bool) error {
	for name := range c.Options {
		takes, found := c.option(name)
		hasValue, here := given[name]
		switch {
		case !found:
			return fmt.Errorf("'%s' command has no '%s' option", c.Name, name)
		case here && takes && !hasValue:
			return fmt.Errorf("missing argument to '%s' option on '%s' command", name, c.Name)
		case here && !takes && hasValue:
			return fmt.Errorf("'%s' option on '%s' does not accept an argument", name, c.Name)
		}
	}
	n := len(c.Argv) - 1
	switch {
	case n < c.Min:
		return fmt.Errorf("'%s' command requires at least %d arguments", c.Name, c.Min)
	case n > c.Max:
		for _, w := range c.Argv[1:] {
			if strings.HasPrefix(w, "--") {
				return fmt.Errorf("'%s' command takes at most %d arguments (note that options must precede command names and follow a \"--\" argument)", c.Name, c.Max)
			}
		}
		return fmt.Errorf("'%s' command takes at most %d arguments", c.Name, c.Max)
	}
	return nil
}

// option finds an option of the command and whether it takes an argument.
func (c *Command) option(name string) (takesValue, found bool) {
	for o := range strings.SplitSeq(c.Syntax.Options, ",") {
		switch o {
		case name:
			return false, true
		case name + "=":
			return true, true
		}
	}
	return false, false
}

// localOptions returns the options of all commands, for the parser of the
// global ones, which may stand in one row with those of the first command.
func (p *Program) localOptions(except []cli.Option) []cli.Option {
	var out []cli.Option
	seen := map[string]bool{"": true}
	for _, o := range except {
		seen[o.Long] = true
	}
	for _, s := range p.syntaxes() {
		for o := range strings.SplitSeq(s.Options, ",") {
			name, takes := strings.CutSuffix(strings.TrimPrefix(o, "--"), "=")
			if seen[name] {
				continue
			}
			seen[name] = true
			option := cli.Option{Long: name, Hidden: true}
			if takes {
				option.Arg = cli.RequiredArg
			}
			out = append(out, option)
		}
	}
	return out
}

// PrintCommands lists the commands as shell completion reads them:
// "[--option] ,NAME,ARGUMENTS".
func (p *Program) PrintCommands(env *cli.Env) {
	for _, s := range p.syntaxes() {
		for o := range strings.SplitSeq(s.Options, ",") {
			if o != "" {
				fmt.Fprintf(env.Stdout, "[%s] ", o)
			}
		}
		fmt.Fprintf(env.Stdout, ",%s,%s\n", s.Name, s.Args)
	}
}

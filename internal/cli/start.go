package cli

// Start parses the program's command line and runs the program with its options
// and operands. It ends with exit status 1 where there is an error, and with 0
// where an option has an Answer.
func (p *Parser) Start(e *Env, program func(options []Parsed, operands []string) int) int {
	options, operands, err := p.Parse(e.Args)
	if err != nil {
		return e.Exit(err)
	}
	for _, o := range options {
		if o.Answer != nil {
			o.Answer(e, p)
			return 0
		}
	}
	return program(options, operands)
}

// Help is --help, answered by what print prints.
func Help(print func(*Env)) Option {
	return Option{Long: "help", Short: 'h', Answer: func(e *Env, _ *Parser) { print(e) }}
}

// Version is --version; more lines follow those that all programs have.
func Version(more ...string) Option {
	return Option{Long: "version", Short: 'V', Answer: func(e *Env, _ *Parser) { e.PrintVersion(more...) }}
}

// List is the option that has shell completion learn the options (PrintOptions).
// A short of 0 leaves it without a letter.
func List(long string, short byte) Option {
	return Option{Long: long, Short: short, Answer: func(e *Env, p *Parser) { p.PrintOptions(e.Stdout) }}
}

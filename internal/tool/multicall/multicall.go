// Package multicall is the main function of a binary that is several programs:
// the name it is run by, or its first argument, says which one.
package multicall

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"weir/internal/cli"
)

// Program is a program's main function; it returns the exit status.
type Program = func(context.Context, *cli.Env) int

// Binary is a binary and what it can do.
type Binary struct {
	Name string
	// Programs are those that links of their names run, too.
	Programs map[string]Program
	// Verbs are what only `NAME VERB` does.
	Verbs map[string]Program
}

// Main runs the program that the process was started as and returns its exit
// status.
func (b *Binary) Main() int {
	if len(os.Args) == 0 {
		return 1
	}
	ctx := context.Background()
	name := filepath.Base(os.Args[0])
	if chosen := b.programName(name); b.Programs[chosen] != nil {
		env := cli.ProcessEnv(name, os.Args[1:])
		env.Program = chosen
		return b.Programs[chosen](ctx, env)
	}
	if len(os.Args) < 2 {
		b.usage(os.Stderr)
		return 1
	}
	switch arg := os.Args[1]; arg {
	case "-h", "--help", "help":
		b.usage(os.Stdout)
		return 0
	case "-V", "--version", "version":
		return cli.ProcessEnv(b.Name, nil).PrintVersion()
	case "--man": // for packaging/install
		return b.writeManual(ctx, os.Args[2:])
	case "--programs": // for the Makefile, which makes the links
		for _, name := range slices.Sorted(maps.Keys(b.Programs)) {
			fmt.Println(name)
		}
		return 0
	default:
		if program, ok := b.Programs[arg]; ok {
			return program(ctx, cli.ProcessEnv(arg, os.Args[2:]))
		}
		if verb, ok := b.Verbs[arg]; ok {
			return verb(ctx, cli.ProcessEnv(b.Name, os.Args[2:]))
		}
		fmt.Fprintf(os.Stderr, "%s: no program is called \"%s\"\n", b.Name, arg)
		b.usage(os.Stderr)
		return 1
	}
}

// programName picks the program: by the variable that a daemon hands to itself,
// by the file that was executed, by argv[0], in this order. The file comes before
// argv[0] because callers may give that any value (bash's exec -a).
func (b *Binary) programName(argv0 string) string {
	for _, name := range []string{os.Getenv(cli.ProgramVariable), filepath.Base(executedFile())} {
		if _, ok := b.Programs[name]; ok {
			return name
		}
	}
	return argv0
}

func (b *Binary) usage(w io.Writer) {
	fmt.Fprintf(w, "usage: %s PROGRAM [ARG...]\nor run a link of a program's name. The programs are:\n", b.Name)
	for _, name := range slices.Sorted(maps.Keys(b.Programs)) {
		fmt.Fprintf(w, "  %s\n", name)
	}
	if len(b.Verbs) == 0 {
		return
	}
	fmt.Fprintf(w, "Beside them, %s has these of its own:\n", b.Name)
	for _, name := range slices.Sorted(maps.Keys(b.Verbs)) {
		fmt.Fprintf(w, "  %s %s\n", b.Name, name)
	}
}

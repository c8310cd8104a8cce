// Package cli is what the programs' command lines share: option parsing in the
// manner of getopt_long(3), messages and exit statuses as users and scripts know
// them, the logging options, and --timeout.
package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"weir/internal/version"
)

// Env is what a program's main function gets of the process.
type Env struct {
	Name           string   // the program's name in messages: the base name of argv[0]
	Program        string   // which program it is; the same, unless argv[0] was chosen freely
	Args           []string // the arguments after the name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string

	// Host is set where a daemon runs inside the process of another (package
	// daemon, Guest).
	Host any
}

// ProcessEnv returns the process's own standard streams and environment for a
// program of that name. It copies the arguments out of the memory in which the
// kernel laid them down, since a daemon may put its title there.
func ProcessEnv(name string, args []string) *Env {
	name = strings.Clone(name)
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.Clone(args[i])
	}
	return &Env{Name: name, Program: name, Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
}

// Fatal prints "NAME: message" on standard error and returns exit status 1.
func (e *Env) Fatal(format string, args ...any) int { return e.FatalStatus(1, format, args...) }

// FatalStatus is Fatal with an exit status of its own.
func (e *Env) FatalStatus(status int, format string, args ...any) int {
	fmt.Fprintf(e.Stderr, "%s: %s\n", e.Name, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
	return status
}

// PrintVersion prints what --version does, and after it lines of the program's
// own.
func (e *Env) PrintVersion(more ...string) int {
	fmt.Fprint(e.Stdout, version.Text(e.Name))
	for _, line := range more {
		fmt.Fprintln(e.Stdout, line)
	}
	return 0
}

// ProgramVariable is the environment variable by which a daemon that executes
// itself anew tells the new process which program it is.
const ProgramVariable = "WEIR_PROGRAM"

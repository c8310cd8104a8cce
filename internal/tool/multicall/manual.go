package multicall

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/cli"
	"weir/internal/tool/manual"
)

// writeManual writes the manual pages of the binary and of all programs and verbs,
// which their --help makes, below the directory that is its only argument. It returns
// the exit status.
func (b *Binary) writeManual(ctx context.Context, args []string) int {
	env := cli.ProcessEnv(b.Name, nil)
	if len(args) != 1 {
		return env.Fatal("--man takes a directory: %s --man DIR", b.Name)
	}
	help := b.helpTexts(ctx)
	names := slices.Sorted(maps.Keys(help))
	for name, text := range help {
		file := filepath.Join(args[0], manual.FileName(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, manual.Page(name, text, names), 0o644)
		}
		if err != nil {
			return env.Fatal("%v", err)
		}
	}
	return 0
}

// helpTexts returns what --help of each program and verb prints, and for the binary
// itself what they all are.
func (b *Binary) helpTexts(ctx context.Context) map[string]string {
	help := map[string]string{}
	list := func(prefix string, programs map[string]Program) string {
		var lines strings.Builder
		for _, name := range slices.Sorted(maps.Keys(programs)) {
			var text bytes.Buffer
			env := cli.ProcessEnv(prefix+name, []string{"--help"})
			env.Stdout = &text
			programs[name](ctx, env)
			help[prefix+name] = text.String()
			fmt.Fprintf(&lines, "  %s  %s\n", prefix+name, manual.Summary(prefix+name, text.String()))
		}
		return lines.String()
	}
	help[b.Name] = fmt.Sprintf(`%[1]s: the programs of Open vSwitch in one binary
usage: %[1]s PROGRAM [ARG...]
Runs the program of that name, as a link of the name to the binary does.

Programs:
%[2]s
Commands of its own:
%[3]s`, b.Name, list("", b.Programs), list(b.Name+" ", b.Verbs))
	return help
}

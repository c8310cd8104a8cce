package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/internal/cli"
	"weir/internal/version"
)

// SaveMain is ovs-save: it prints a shell script that puts back what it finds now,
// for scripts that stop the daemons and start them again. The script holds all it
// needs and runs as often as wanted.
func SaveMain(ctx context.Context, env *cli.Env) int {
	c := &control{env: env, ctx: ctx, opts: defaults()}
	if len(env.Args) == 0 {
		return env.Fatal("missing command name (use --help for help)")
	}
	var script string
	var err error
	switch command, names := env.Args[0], env.Args[1:]; command {
	case "save-flows":
		script, err = c.flowScript(names)
	case "save-interfaces":
		script, err = c.interfaceScript(names)
	case "-h", "--help", "help":
		fmt.Fprintf(env.Stdout, saveUsage, env.Name, env.Name)
	case "-V", "--version":
		fmt.Fprintln(env.Stdout, version.Line("ovs-save"))
	default:
		return env.Fatal("unknown command \"%s\" (use --help for help)", command)
	}
	if err != nil {
		return env.Fatal("%v", err)
	}
	fmt.Fprint(env.Stdout, script)
	return 0
}

const saveUsage = `%s: prints shell scripts that put back what there is now
usage: %s COMMAND [NAME...]

Commands:
  save-flows BRIDGE...       OpenFlow flows, groups, meters and tunnel options of bridges
  save-interfaces DEVICE...  state, addresses and routes of network devices, and the
                             rules of iptables
`

// flowScript is the script of save-flows.
func (c *control) flowScript(bridges []string) (string, error) {
	saved, err := c.saveFlows(bridges)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, bridge := range saved {
		for _, s := range bridge.steps() {
			b.WriteString(shellCommand(s.input, append([]string{"ovs-ofctl"}, s.args...)...))
		}
	}
	return b.String(), nil
}

// shellCommand is a command line for a shell, with the lines of input as a here
// document.
func shellCommand(input string, words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellWord(w)
	}
	line := strings.Join(quoted, " ")
	if input == "" {
		return line + "\n"
	}
	end := "EOF"
	for lines := strings.Split(input, "\n"); slices.Contains(lines, end); {
		end += "_"
	}
	if !strings.HasSuffix(input, "\n") {
		input += "\n"
	}
	return fmt.Sprintf("%s <<'%s'\n%s%s\n", line, end, input, end)
}

// shellWord quotes a word where a shell would make something else of it.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

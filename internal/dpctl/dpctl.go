// Package dpctl is the commands that look at and change data paths below the
// switch: dpctl/* of ovs-vswitchd's control socket, which ovs-dpctl(8) speaks
// to as well.
package dpctl

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/unixctl"
)

// Commands are what the commands work on.
type Commands struct {
	// Program begins the text of errors.
	Program string
	// List gives the data paths there are.
	List func() []datapath.Datapath
	// Create and Remove make and end data paths of their own, for add-dp and
	// del-dp. Either may be nil: then there is no such command.
	Create func(typ, name string) error
	Remove func(typ, name string) error
	// Devices opens the devices of add-if.
	Devices netdev.Providers
	// Now is the time by which "used" is told.
	Now func() time.Time
}

// command is one dpctl command; arguments are counted without options.
type command struct {
	name, usage string
	min, max    int
	run         func(*call) error
}

// call is one command being run.
type call struct {
	*Commands
	out       strings.Builder
	doc       any // the same for JSON
	args      []string
	verbose   int
	names     bool
	namesSet  bool
	stats     bool
	zero      bool
	mayCreate bool
}

// table lists the commands with their usage as list-commands prints it.
func table() []command {
	return append(conntrackTable(), []command{
		{"add-dp", "dp [iface...]", 1, -1, (*call).addDP},
		{"del-dp", "dp", 1, 1, (*call).delDP},
		{"add-if", "dp iface...", 2, -1, (*call).addIf},
		{"del-if", "dp iface...", 2, -1, (*call).delIf},
		{"set-if", "dp iface...", 2, -1, (*call).setIf},
		{"dump-dps", "", 0, 0, (*call).dumpDPs},
		{"show", "[-s] [dp...]", 0, -1, (*call).show},
		{"dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6, (*call).dumpFlows},
		{"add-flow", "[dp] flow actions", 2, 3, (*call).addFlow},
		{"mod-flow", "[dp] flow actions", 2, 3, (*call).modFlow},
		{"get-flow", "[dp] ufid", 1, 2, (*call).getFlow},
		{"del-flow", "[dp] flow", 1, 2, (*call).delFlow},
		{"add-flows", "[dp] file", 1, 2, (*call).addFlows},
		{"mod-flows", "[dp] file", 1, 2, (*call).modFlows},
		{"del-flows", "[dp] [file]", 0, 2, (*call).delFlows},
		{"offload-stats-show", "[dp]", 0, 1, (*call).offloadStats},
		{"cache-set-size", "dp cache <size>", 3, 3, (*call).setCacheSize},
		{"cache-get-size", "[dp]", 0, 1, (*call).cacheSize},
		{"list-commands", "", 0, 0, (*call).listCommands},
		{"parse-actions", "actions", 1, -1, (*call).parseActions},
		{"normalize-actions", "actions", 2, -1, (*call).normalizeActions},
	}...)
}

// Register adds the commands to a control socket.
func (c *Commands) Register(srv *unixctl.Server) {
	for _, cmd := range table() {
		srv.Register("dpctl/"+cmd.name, cmd.usage, 0, -1, func(r *unixctl.Request) (string, error) {
			text, doc, err := c.do(&cmd, r.Args)
			if err != nil || doc == nil {
				return text, err
			}
			return r.Answer(unixctl.Both{Text: text, JSON: doc})
		})
	}
	c.registerPMD(srv)
}

// Run runs a command by name, for a program that has the data paths itself.
// ok is false where there is no such command.
func (c *Commands) Run(name string, args []string, json bool) (out string, ok bool, err error) {
	for _, cmd := range table() {
		if cmd.name == name {
			text, doc, err := c.do(&cmd, args)
			if err != nil || !json {
				return text, true, err
			}
			r := unixctl.Request{JSON: true}
			out, err = r.Answer(unixctl.Both{Text: text, JSON: doc})
			return out, true, err
		}
	}
	return "", false, nil
}

// do runs a command; doc is its answer for JSON, nil if it has none of its own.
func (c *Commands) do(cmd *command, args []string) (text string, doc any, err error) {
	l := &call{Commands: c}
	if err := l.options(args); err != nil {
		return "", nil, err
	}
	if !l.namesSet {
		l.names = l.verbose > 0
	}
	switch n := len(l.args); {
	case n < cmd.min:
		return "", nil, fmt.Errorf("\"dpctl/%s\" command requires at least %d arguments", cmd.name, cmd.min)
	case cmd.max >= 0 && n > cmd.max:
		return "", nil, fmt.Errorf("\"dpctl/%s\" command takes at most %d arguments", cmd.name, cmd.max)
	}
	err = cmd.run(l)
	if err != nil {
		// What was done until then is part of the answer.
		return "", nil, errors.New(l.out.String() + c.Program + ": " + err.Error())
	}
	return l.out.String(), l.doc, nil
}

// options takes the options out of the arguments.
func (l *call) options(args []string) error {
	for _, a := range args {
		switch a {
		case "-m", "--more":
			l.verbose++
		case "--names":
			l.names, l.namesSet = true, true
		case "--no-names":
			l.names, l.namesSet = false, true
		case "-s", "--statistics":
			l.stats = true
		case "--clear":
			l.zero = true
		case "--may-create":
			l.mayCreate = true
		case "--read-only":
		default:
			if len(a) > 1 && a[0] == '-' {
				return fmt.Errorf("Unrecognized option %s", a) //nolint:staticcheck // the peer's text
			}
			l.args = append(l.args, a)
		}
	}
	return nil
}

// failed makes the error of an operation, with the reason in the words of
// strerror(3) as scripts know it.
func failed(err error, format string, args ...any) error {
	return fmt.Errorf(format+" (%s)", append(args, reason(err))...)
}

func reason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
	case errors.Is(err, fs.ErrExist):
		errno = syscall.EEXIST
	case errors.Is(err, fs.ErrNotExist):
		errno = syscall.ENOENT
	case errors.Is(err, netdev.ErrUnknownType):
		errno = syscall.EAFNOSUPPORT
	default:
		errno = syscall.EINVAL
	}
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

func fullName(d datapath.Datapath) string { return d.Type() + "@" + d.Name() }

// find looks for a data path by "TYPE@NAME", or "NAME" for type "system".
func (l *call) find(name string) datapath.Datapath {
	for _, d := range l.List() {
		if fullName(d) == name || d.Type() == "system" && d.Name() == name {
			return d
		}
	}
	return nil
}

// missing is why there is no data path of a name: none of its type is known, or
// there are others.
func (l *call) missing(name string) error {
	typ, _ := splitDPName(name)
	for _, d := range l.List() {
		if d.Type() == typ {
			return syscall.ENODEV
		}
	}
	return syscall.EAFNOSUPPORT
}

// optional takes the data path that the command names, when it has more than
// rest arguments, or else the only one there is.
func (l *call) optional(rest int) (datapath.Datapath, error) {
	if len(l.args) > rest {
		d := l.find(l.args[0])
		if d == nil {
			return nil, failed(syscall.EINVAL, "datapath not found")
		}
		l.args = l.args[1:]
		return d, nil
	}
	switch dps := l.List(); len(dps) {
	case 0:
		return nil, errors.New("no datapaths exist\n" + l.Program + ": datapath not found (Invalid argument)")
	case 1:
		return dps[0], nil
	}
	return nil, errors.New("multiple datapaths, specify one\n" + l.Program + ": datapath not found (Invalid argument)")
}

// first is optional where the rest may be missing: then the first argument is a data
// path if there is one of that name.
func (l *call) first(rest int) (datapath.Datapath, error) {
	if len(l.args) > 0 && l.find(l.args[0]) != nil {
		rest = 0
	}
	return l.optional(rest)
}

func (l *call) dumpDPs() error {
	names := unixctl.Lines{}
	for _, d := range l.List() {
		names = append(names, fullName(d))
	}
	l.out.WriteString(names.String())
	l.doc = names.Document()
	return nil
}

func (l *call) listCommands() error {
	l.out.WriteString("The available commands are:\n")
	doc := map[string]string{}
	for _, cmd := range table() {
		fmt.Fprintf(&l.out, "  dpctl/%-23s %s\n", cmd.name, cmd.usage)
		doc["dpctl/"+cmd.name] = cmd.usage
	}
	l.doc = doc
	return nil
}

func (l *call) offloadStats() error {
	return failed(syscall.EINVAL, "retrieving offload statistics")
}

func (l *call) cacheSize() error {
	d, err := l.optional(0)
	if err != nil {
		return err
	}
	fmt.Fprintf(&l.out, "%s:\n", fullName(d))
	l.doc = map[string]map[string]int{fullName(d): {}}
	return nil
}

func (l *call) setCacheSize() error {
	d, err := l.optional(2)
	if err != nil {
		return err
	}
	return fmt.Errorf("data path %s has no cache whose size can be set", fullName(d))
}

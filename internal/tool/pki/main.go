// Package pki is ovs-pki: it makes the keys and certificates of switches and
// controllers and the two certificate authorities that sign them (ovs-pki(8)).
// The files and directories are those of openssl-ca(1), so that either tool can
// go on where the other one stopped.
package pki

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // a fingerprint for people to compare, as ovs-pki(8) defines it
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/clock"
	"weir/internal/paths"
)

// defaultDir is where the hierarchy is by default.
const defaultDir = "/var/lib/openvswitch/pki"

// defaultBits and minBits are the sizes of RSA keys.
const (
	defaultBits = 3072
	minBits     = 1024
)

// tool is one run of the program.
type tool struct {
	env    *cli.Env
	clock  *clock.Clock
	dir    string // of the hierarchy
	log    string // file
	bits   int
	batch  bool // don't ask
	force  bool // overwrite
	unique bool // the name alone is the subject's common name
}

// command is one of the program's commands.
type command struct {
	name     string
	min, max int
	wants    string // what the message on a wrong number of arguments says
	run      func(t *tool, args []string) error
}

var commands = []command{
	{"init", 0, 0, "no arguments", (*tool).init},
	{"req", 1, 1, "exactly one argument", (*tool).req},
	{"sign", 1, 2, "one or two arguments", (*tool).sign},
	{"req+sign", 1, 2, "one or two arguments", (*tool).reqSign},
	{"verify", 1, 2, "one or two arguments", (*tool).verify},
	{"fingerprint", 1, 1, "exactly one argument", (*tool).fingerprintFile},
	{"self-sign", 1, 1, "exactly one argument", (*tool).selfSign},
}

// Main runs ovs-pki.
func Main(_ context.Context, env *cli.Env) int {
	t := &tool{env: env, clock: clock.New(), dir: defaultDir, log: paths.InLogDir("ovs-pki.log"), bits: defaultBits}
	return t.parser().Start(env, func(_ []cli.Parsed, words []string) int { return t.dispatch(words) })
}

// dispatch runs the command in words.
func (t *tool) dispatch(words []string) int {
	env := t.env
	if len(words) == 0 {
		return env.Fatal("missing command name; use --help for help")
	}
	for i := range commands {
		c := &commands[i]
		if c.name != words[0] {
			continue
		}
		if n := len(words) - 1; n < c.min || n > c.max {
			return env.Fatal("%s must have %s; use --help for help", c.name, c.wants)
		}
		if err := c.run(t, words[1:]); err != nil {
			return env.Exit(err)
		}
		return 0
	}
	return env.Fatal("%s command unknown; use --help for help", words[0])
}

func (t *tool) parser() *cli.Parser {
	flag := func(p *bool) func(string) error { return func(string) error { *p = true; return nil } }
	set := func(p *string) func(string) error { return func(v string) error { *p = v; return nil } }
	return &cli.Parser{Options: []cli.Option{
		{Long: "key", Short: 'k', Arg: cli.RequiredArg, Set: keyType},
		{Long: "bits", Short: 'B', Arg: cli.RequiredArg, Set: t.setBits},
		{Long: "dsaparam", Short: 'D', Arg: cli.RequiredArg, Set: func(string) error { return errDSA }},
		{Long: "batch", Short: 'b', Set: flag(&t.batch)},
		{Long: "force", Short: 'f', Set: flag(&t.force)},
		{Long: "dir", Short: 'd', Arg: cli.RequiredArg, Set: set(&t.dir)},
		{Long: "log", Short: 'l', Arg: cli.RequiredArg, Set: set(&t.log)},
		{Long: "unique", Short: 'u', Set: flag(&t.unique)},
		cli.Help(func(env *cli.Env) { fmt.Fprintf(env.Stdout, usage, env.Name, defaultBits, defaultDir, t.log) }),
		cli.Version(),
	}}
}

var errDSA = errors.New("DSA keys are not supported: no version of TLS in use takes them any more (use --key=rsa)")

func keyType(v string) error {
	switch v {
	case "rsa":
		return nil
	case "dsa":
		return errDSA
	}
	return errors.New("-k or --key accepts only \"rsa\"")
}

func (t *tool) setBits(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < minBits {
		return fmt.Errorf("argument to -B or --bits must be at least %d", minBits)
	}
	t.bits = n
	return nil
}

// certType returns the optional second argument: whose certificates an
// authority signs.
func certType(args []string) (string, error) {
	if len(args) < 2 {
		return "switch", nil
	}
	if args[1] != "switch" && args[1] != "controller" {
		return "", errors.New("type argument must be 'switch' or 'controller'")
	}
	return args[1], nil
}

// note appends a line to the log file.
func (t *tool) note(format string, args ...any) error {
	if err := os.MkdirAll(filepath.Dir(t.log), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(t.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log file: %w (name another one by --log)", err)
	}
	_, err = fmt.Fprintf(f, "%s %s\n", t.clock.Wall().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
	return errors.Join(err, f.Close())
}

// mustNotExist refuses to overwrite files unless --force was given.
func (t *tool) mustNotExist(names ...string) error {
	for _, name := range names {
		if _, err := os.Stat(name); err == nil && !t.force {
			return fmt.Errorf("%s already exists and --force not supplied", name)
		}
	}
	return nil
}

// mustHaveDir refuses to go on without the hierarchy's directory.
func (t *tool) mustHaveDir() error {
	if _, err := os.Stat(t.dir); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s does not exist (need to run 'init' or use '--dir'?)", t.dir)
	}
	return nil
}

// fingerprint prints a file's age and fingerprint: the SHA-1 of a certificate's
// DER form, in upper case, or of the whole of another file.
func (t *tool) fingerprint(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s does not exist", name)
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%x", sha1.Sum(data))
	if b := findPEM(data, "CERTIFICATE"); b != nil {
		text = fmt.Sprintf("%X", sha1.Sum(b.Bytes))
	}
	fmt.Fprintf(t.env.Stdout, "%s\t%s\n\tfingerprint %s\n", name, info.ModTime().Format(time.UnixDate), text)
	return nil
}

// findPEM returns the first block of a type in a PEM file, or nil.
func findPEM(data []byte, typ string) *pem.Block {
	for {
		b, rest := pem.Decode(data)
		if b == nil || b.Type == typ {
			return b
		}
		data = rest
	}
}

func (t *tool) fingerprintFile(args []string) error { return t.fingerprint(args[0]) }

// confirm asks whether the fingerprint printed is the right one.
func (t *tool) confirm() error {
	if t.batch {
		return nil
	}
	fmt.Fprint(t.env.Stdout, "Does fingerprint match? (yes/no) ")
	answer, _ := bufio.NewReader(t.env.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "yes" && a != "y" {
		return errors.New("the fingerprint was not confirmed: nothing was signed (--batch signs without asking)")
	}
	return nil
}

const usage = `ovs-pki, for managing a simple OpenFlow public key infrastructure
usage: %s [OPTION...] COMMAND [ARG...]

Commands:
  init                 create the two certificate authorities
  req NAME             create a private key, NAME-privkey.pem, and a request
                       for its certificate, NAME-req.pem
  sign NAME [TYPE]     sign NAME-req.pem as NAME-cert.pem
  req+sign NAME [TYPE]  both of these
  verify NAME [TYPE]   check that NAME-cert.pem was signed for TYPE
  fingerprint FILE     print the fingerprint of FILE
  self-sign NAME       sign NAME-req.pem by its own key as NAME-cert.pem
TYPE is 'switch' (the default) or 'controller'.

Options:
  -k, --key=rsa        type of keys
  -B, --bits=NBITS     bits of keys, for init, req and req+sign (default: %d)
  -b, --batch          sign without asking about the fingerprint
  -d, --dir=DIR        where the authorities are (default: %s)
  -f, --force          overwrite what exists
  -l, --log=FILE       where to log what was done (default: %s)
  -u, --unique         NAME is unique: don't append a UUID to it
  -h, --help           print this message
  -V, --version        print the version
`

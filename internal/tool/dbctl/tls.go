package dbctl

import (
	"errors"

	"weir/internal/cli"
	"weir/internal/stream"
)

// TLSOptions returns the options on TLS (ovs-vsctl(8), "Public Key
// Infrastructure Options"); they set f, and used is true if any was given.
func TLSOptions(f *stream.TLSFiles, used *bool) []cli.Option {
	file := func(to *string) func(string) error {
		return func(v string) error { *to, *used = v, true; return nil }
	}
	return []cli.Option{
		{Long: "private-key", Short: 'p', Arg: cli.RequiredArg, Set: file(&f.PrivateKey)},
		{Long: "certificate", Short: 'c', Arg: cli.RequiredArg, Set: file(&f.Certificate)},
		{Long: "ca-cert", Short: 'C', Arg: cli.RequiredArg, Set: file(&f.CACert)},
		{Long: "ssl-protocols", Arg: cli.RequiredArg, Set: file(&f.Protocols)},
		{Long: "ssl-ciphers", Arg: cli.RequiredArg, Set: func(string) error {
			return errors.New("--ssl-ciphers is not available: the cipher suites are those that Go's crypto/tls deems safe")
		}},
		{Long: "bootstrap-ca-cert", Arg: cli.RequiredArg, Set: func(v string) error {
			f.CACert, f.Bootstrap, *used = v, true, true
			return nil
		}},
		{Long: "peer-ca-cert", Arg: cli.RequiredArg, Set: file(&f.PeerCACert)},
	}
}

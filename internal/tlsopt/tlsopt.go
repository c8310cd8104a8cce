// Package tlsopt is the command line's options on public keys and TLS, which
// all programs share (ovs-vsctl(8), "Public Key Infrastructure Options" and
// "SSL/TLS Connection Options").
package tlsopt

import (
	"weir/internal/cli"
	"weir/internal/stream"
	"weir/internal/vlog"
)

// Options returns the options that set f. used, if not nil, becomes true when
// one
// of them is given. Where both --ca-cert and --bootstrap-ca-cert are given, the
// last one counts.
func Options(f *stream.TLSFiles, used *bool) []cli.Option {
	note := func() {
		if used != nil {
			*used = true
		}
	}
	text := func(to *string) func(string) error {
		return func(v string) error { note(); *to = v; return nil }
	}
	ca := func(bootstrap bool) func(string) error {
		return func(v string) error { note(); f.CACert, f.Bootstrap = v, bootstrap; return nil }
	}
	required := func(long string, short byte, set func(string) error) cli.Option {
		return cli.Option{Long: long, Short: short, Arg: cli.RequiredArg, Set: set}
	}
	return []cli.Option{
		required("private-key", 'p', text(&f.PrivateKey)),
		required("certificate", 'c', text(&f.Certificate)),
		required("ca-cert", 'C', ca(false)),
		required("ssl-protocols", 0, func(v string) error {
			if err := stream.CheckProtocols(v); err != nil { // every connection will say so again, and fail
				vlog.For("stream_ssl").Err("%v", err)
			}
			return text(&f.Protocols)(v)
		}),
		required("ssl-ciphers", 0, text(&f.Ciphers)),
		required("ssl-ciphersuites", 0, text(&f.Ciphersuites)),
		required("ssl-server-name", 0, text(&f.ServerName)),
		required("bootstrap-ca-cert", 0, ca(true)),
		required("peer-ca-cert", 0, text(&f.PeerCACert)),
	}
}

// Usage is the part of --help on these options.
const Usage = `PKI configuration (required to use SSL/TLS):
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create
  --peer-ca-cert=FILE     file with CA certificate to send to peers
  --ssl-server-name=NAME  server name to ask for (SNI), if not the host's
SSL/TLS options:
  --ssl-protocols=PROTOS  range or list of protocols to enable (TLSv1.2, TLSv1.3)
  --ssl-ciphers=CIPHERS   list of ciphers of TLS 1.2 to enable
  --ssl-ciphersuites=SUITES  list of cipher suites of TLS 1.3 to enable
`

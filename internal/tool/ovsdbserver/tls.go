package ovsdbserver

import (
	"weir/internal/cli"
	"weir/internal/stream"
)

// tlsSettings are the public key options; those that name files may instead be
// db:DB,TABLE,COLUMN.
type tlsSettings struct {
	key, cert, ca, peerCA string
	bootstrap             bool
	protocols, ciphers    string
}

func (t *tlsSettings) options() []cli.Option {
	set := func(p *string) func(string) error { return func(v string) error { *p = v; return nil } }
	return []cli.Option{
		{Long: "private-key", Short: 'p', Arg: cli.RequiredArg, Set: set(&t.key)},
		{Long: "certificate", Short: 'c', Arg: cli.RequiredArg, Set: set(&t.cert)},
		{Long: "ca-cert", Short: 'C', Arg: cli.RequiredArg, Set: func(v string) error { t.ca, t.bootstrap = v, false; return nil }},
		{Long: "bootstrap-ca-cert", Arg: cli.RequiredArg, Set: func(v string) error { t.ca, t.bootstrap = v, true; return nil }},
		{Long: "peer-ca-cert", Arg: cli.RequiredArg, Set: set(&t.peerCA)},
		{Long: "ssl-protocols", Arg: cli.RequiredArg, Set: set(&t.protocols)},
		{Long: "ssl-ciphers", Arg: cli.RequiredArg, Set: set(&t.ciphers)},
		{Long: "ssl-ciphersuites", Arg: cli.RequiredArg, Set: func(string) error { return nil }}, // crypto/tls chooses those of TLS 1.3
	}
}

// updateTLS looks the settings up, in the databases where they are there.
func (in *instance) updateTLS() {
	value := func(v string) string {
		if source(v) {
			return in.srv.ReadString(v)
		}
		return v
	}
	t := &in.settings.tls
	in.tlsConf.Set(stream.TLSFiles{PrivateKey: value(t.key), Certificate: value(t.cert), CACert: value(t.ca),
		Bootstrap: t.bootstrap, PeerCACert: value(t.peerCA), Protocols: value(t.protocols), Ciphers: value(t.ciphers)})
}

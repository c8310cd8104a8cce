package stream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"

	"weir/internal/vlog"
)

var sslLog = vlog.For("stream_ssl")

// TLS is the public key configuration of ssl: and pssl: methods, the options of
// package tlsopt. Files are read when a connection begins, so that new
// ones take effect without a restart. Its mutex owns every field; change it by
// Set.
type TLS struct {
	mu sync.Mutex
	TLSFiles
}

// TLSFiles are the settings in a TLS.
type TLSFiles struct {
	PrivateKey  string // PEM file
	Certificate string // PEM file
	CACert      string // PEM file; "none" turns verification off
	Bootstrap   bool   // where CACert is missing, take the peer's on first use
	PeerCACert  string // PEM file sent along to peers
	Protocols   string // a range or list of TLSv1.2 and TLSv1.3; see setProtocols
	Ciphers     string // of TLS 1.2, in OpenSSL's form; see setCiphers
	// Ciphersuites are those of TLS 1.3, by their standard names; see
	// allowSuites.
	Ciphersuites string
	// ServerName is what outgoing connections ask for by SNI instead of the
	// host that they connect to.
	ServerName string
}

// Set replaces the settings.
func (t *TLS) Set(f TLSFiles) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.TLSFiles = f
}

// Get returns the settings.
func (t *TLS) Get() TLSFiles {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.TLSFiles
}

var errBootstrapped = errors.New("CA certificate bootstrapped, reconnect with it")

// client builds the configuration of an outgoing connection to host.
func (t *TLS) client(host string) (*tls.Config, error) {
	conf, err := t.base()
	if err != nil {
		return nil, err
	}
	conf.ServerName = host
	if name := t.Get().ServerName; name != "" {
		conf.ServerName = name
	}
	conf.InsecureSkipVerify = true // by name only: OVSDB certificates name no hosts; verify checks the chain
	return conf, nil
}

// server builds the configuration of accepted connections.
func (t *TLS) server() (*tls.Config, error) {
	conf, err := t.base()
	if err != nil {
		return nil, err
	}
	if t.Get().CACert != "none" {
		conf.ClientAuth = tls.RequireAnyClientCert
	}
	conf.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != "" {
			sslLog.Dbg("connection indicated server name %s", hello.ServerName)
		}
		return nil, nil // go on with conf
	}
	return conf, nil
}

// base is what servers and clients have in common.
func (t *TLS) base() (*tls.Config, error) {
	if t == nil {
		return nil, errors.New("SSL is not configured (use --private-key, --certificate and --ca-cert)")
	}
	f := t.Get()
	if f.PrivateKey == "" {
		return nil, errors.New("Private key must be configured to use SSL")
	}
	if f.Certificate == "" {
		return nil, errors.New("Certificate must be configured to use SSL")
	}
	if f.CACert == "" {
		return nil, errors.New("CA certificate must be configured to use SSL")
	}
	cert, err := f.load()
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if err := setProtocols(conf, f.Protocols); err != nil {
		return nil, err
	}
	if err := setCiphers(conf, f.Ciphers); err != nil {
		return nil, err
	}
	if err := allowSuites(conf, f.Ciphersuites); err != nil {
		return nil, err
	}
	verify, err := f.verifier()
	if err != nil {
		return nil, err
	}
	conf.VerifyPeerCertificate = verify
	return conf, nil
}

// load reads the certificate with its key, and those that go to the peer beside it.
func (f TLSFiles) load() (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.Certificate, f.PrivateKey)
	if err != nil || f.PeerCACert == "" {
		return cert, err
	}
	extra, err := readCerts(f.PeerCACert)
	if err != nil {
		return cert, err
	}
	for _, c := range extra {
		if !bytes.Equal(c.Raw, cert.Certificate[0]) {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
	}
	return cert, nil
}

// verifier returns the check of the peer's chain against CACert.
func (f TLSFiles) verifier() (func([][]byte, [][]*x509.Certificate) error, error) {
	if f.CACert == "none" {
		return nil, nil
	}
	cas, err := readCerts(f.CACert)
	if errors.Is(err, os.ErrNotExist) && f.Bootstrap {
		return f.bootstrap, nil
	}
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	for _, c := range cas {
		roots.AddCert(c)
	}
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		chain, err := parseChain(raw)
		if err != nil {
			return err
		}
		opt := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		for _, c := range chain[1:] {
			opt.Intermediates.AddCert(c)
		}
		_, err = chain[0].Verify(opt)
		return err
	}, nil
}

func parseChain(raw [][]byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range raw {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("peer sent no certificate")
	}
	return chain, nil
}

// bootstrap saves the CA certificate that the peer sent and drops the
// connection; the next one is verified with it.
func (f TLSFiles) bootstrap(raw [][]byte, _ [][]*x509.Certificate) error {
	chain, err := parseChain(raw)
	if err != nil {
		return err
	}
	ca := chain[len(chain)-1]
	// A certificate may sign itself without being one of an authority.
	if ca.CheckSignature(ca.SignatureAlgorithm, ca.RawTBSCertificate, ca.Signature) != nil {
		return errors.New("could not bootstrap CA cert: peer did not send its self-signed CA certificate")
	}
	out, err := os.OpenFile(f.CACert, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return fmt.Errorf("could not bootstrap CA cert: creating %s failed: %w", f.CACert, err)
	}
	err = pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(f.CACert)
		return err
	}
	return errBootstrapped
}

func readCerts(name string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%s: no certificate in file", name)
	}
	return certs, nil
}

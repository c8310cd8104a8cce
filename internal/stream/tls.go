package stream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// TLS is the public key configuration of ssl: and pssl: methods, the options
// --private-key, --certificate, --ca-cert, --bootstrap-ca-cert, --peer-ca-cert
// and --ssl-protocols. Files are read when a connection begins, so that new
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
	Protocols   string // comma or space separated: TLSv1.2, TLSv1.3
	Ciphers     string // of TLS 1.2 and before, in OpenSSL's form; see setCiphers
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
	return conf, nil
}

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
	cert, err := tls.LoadX509KeyPair(f.Certificate, f.PrivateKey)
	if err != nil {
		return nil, err
	}
	if f.PeerCACert != "" {
		extra, err := readCerts(f.PeerCACert)
		if err != nil {
			return nil, err
		}
		for _, c := range extra {
			if !bytes.Equal(c.Raw, cert.Certificate[0]) {
				cert.Certificate = append(cert.Certificate, c.Raw)
			}
		}
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if err := setProtocols(conf, f.Protocols); err != nil {
		return nil, err
	}
	if err := setCiphers(conf, f.Ciphers); err != nil {
		return nil, err
	}
	verify, err := f.verifier()
	if err != nil {
		return nil, err
	}
	conf.VerifyPeerCertificate = verify
	return conf, nil
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
	if len(chain) < 2 && ca.CheckSignatureFrom(ca) != nil || ca.CheckSignature(ca.SignatureAlgorithm, ca.RawTBSCertificate, ca.Signature) != nil {
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

// setProtocols limits the protocol versions to a list as --ssl-protocols takes.
func setProtocols(conf *tls.Config, list string) error {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	if len(words) == 0 {
		return nil
	}
	versions := map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	conf.MinVersion, conf.MaxVersion = 0, 0
	for _, w := range words {
		v, ok := versions[w]
		if !ok {
			return fmt.Errorf("%s: SSL protocol not recognized", w)
		}
		if conf.MinVersion == 0 || v < conf.MinVersion {
			conf.MinVersion = v
		}
		conf.MaxVersion = max(conf.MaxVersion, v)
	}
	return nil
}

// setCiphers limits the cipher suites to those in a list as ciphers(1ssl) has
// it, as far as crypto/tls offers them. Beside names of suites only the groups
// ALL, DEFAULT and HIGH are known, which stand for all; what is excluded by "!"
// or "-" must be a suite's name to matter, since the weak groups that are
// usually named so aren't offered at all.
func setCiphers(conf *tls.Config, list string) error {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == ':' })
	if len(words) == 0 {
		return nil
	}
	chosen := map[uint16]bool{}
	conf.CipherSuites = []uint16{}
	for _, w := range words {
		name := strings.TrimLeft(w, "!-+")
		for _, suite := range tls.CipherSuites() {
			matches := name == opensslName(suite.Name) || name == suite.Name
			switch {
			case w[0] == '!' || w[0] == '-':
				if matches {
					delete(chosen, suite.ID)
				}
			case matches, w == "ALL", w == "DEFAULT", w == "HIGH":
				chosen[suite.ID] = true
			}
		}
	}
	for _, suite := range tls.CipherSuites() {
		if chosen[suite.ID] {
			conf.CipherSuites = append(conf.CipherSuites, suite.ID)
		}
	}
	if len(conf.CipherSuites) == 0 {
		return fmt.Errorf("%s: no cipher in the list is available", list)
	}
	return nil
}

// opensslName turns the standard name of a cipher suite into OpenSSL's.
func opensslName(name string) string {
	kx, cipher, ok := strings.Cut(strings.TrimPrefix(name, "TLS_"), "_WITH_")
	if !ok {
		return name
	}
	cipher = strings.NewReplacer("AES_128", "AES128", "AES_256", "AES256", "_CBC", "", "POLY1305_SHA256", "POLY1305", "_", "-").Replace(cipher)
	if kx == "RSA" {
		return cipher
	}
	return strings.ReplaceAll(kx, "_", "-") + "-" + cipher
}

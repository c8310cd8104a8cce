package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RFC 5280's key identifier, no secret
	"crypto/x509"

	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
)

// authority is a certificate authority: a directory as openssl-ca(1) keeps it.
type authority struct {
	name string // "switchca" or "controllerca"
	dir  string
	key  *rsa.PrivateKey
	cert *x509.Certificate // nil while it signs its own
}

// file returns the name of a file in an authority's directory.
func (t *tool) file(ca string, elem ...string) string {
	return filepath.Join(append([]string{t.dir, ca}, elem...)...)
}

// init creates the hierarchy.
func (t *tool) init([]string) error {
	if _, err := os.Stat(t.dir); err == nil && !t.force {
		return fmt.Errorf("%s already exists and --force not specified", t.dir)
	}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"controllerca", "switchca"} {
		fmt.Fprintf(t.env.Stderr, "Creating %s...\n", name)
		if err := t.createAuthority(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// createAuthority makes an authority's directory, key and certificate.
func (t *tool) createAuthority(name string) error {
	ca := &authority{name: name, dir: t.file(name)}
	for _, sub := range []string{"certs", "crl", "newcerts"} {
		if err := os.MkdirAll(t.file(name, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(t.file(name, "private"), 0o700); err != nil {
		return err
	}
	if err := t.createBooks(name); err != nil {
		return err
	}
	var err error
	if ca.key, err = rsa.GenerateKey(rand.Reader, t.bits); err != nil {
		return err
	}
	if err := writeKey(t.file(name, "private", "cakey.pem"), ca.key, 0o700); err != nil {
		return err
	}
	now := t.clock.Wall()
	who, err := subject("", name, fmt.Sprintf("OVS %s CA Certificate (%s)", name, now.Format("2006 Jan 02 15:04:05")))
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: who}, ca.key)
	if err == nil {
		err = writePEM(t.file(name, "careq.pem"), "CERTIFICATE REQUEST", der, 0o644)
	}
	if err != nil {
		return err
	}
	der, _, err = ca.sign(&x509.Certificate{RawSubject: who, NotBefore: now, NotAfter: now.Add(validity),
		BasicConstraintsValid: true, IsCA: true, SubjectKeyId: keyID(&ca.key.PublicKey)}, &ca.key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(t.file(name, "cacert.pem"), "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return t.note("%s: authority with a %d-bit RSA key", name, t.bits)
}

// createBooks makes the files that an authority counts and lists certificates in. One
// that is made anew goes on in those of the old one, whose certificates stay in its
// directory.
func (t *tool) createBooks(name string) error {
	for file, text := range map[string]string{
		"index.txt": "", "index.txt.attr": "unique_subject = no\n", "serial": "01\n", "crlnumber": "01\n", "ca.cnf": "",
	} {
		switch _, err := os.Stat(t.file(name, file)); {
		case file == "ca.cnf":
			text = fmt.Sprintf(opensslConfig, t.bits)
		case err == nil:
			continue
		}
		if err := os.WriteFile(t.file(name, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// openAuthority reads an authority's key and certificate.
func (t *tool) openAuthority(name string) (*authority, error) {
	if err := t.mustHaveDir(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(t.file(name)); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such authority (create it with \"init\", or name another directory by --dir)", t.file(name))
	}
	ca := &authority{name: name, dir: t.file(name)}
	var err error
	if ca.key, err = readKey(t.file(name, "private", "cakey.pem")); err == nil {
		ca.cert, err = readCert(t.file(name, "cacert.pem"))
	}
	return ca, err
}

// sign issues a certificate with the next serial number, which it also returns,
// and enters it in the authority's index.
func (ca *authority) sign(cert *x509.Certificate, public any) (der []byte, serial string, err error) {
	text, err := os.ReadFile(filepath.Join(ca.dir, "serial"))
	if err != nil {
		return nil, "", err
	}
	n, ok := new(big.Int).SetString(strings.TrimSpace(string(text)), 16)
	if !ok {
		return nil, "", fmt.Errorf("%s/serial: \"%s\" is not a number", ca.dir, strings.TrimSpace(string(text)))
	}
	cert.SerialNumber, cert.SignatureAlgorithm = n, x509.SHA512WithRSA
	parent := ca.cert
	if parent == nil {
		parent = cert
	}
	if der, err = x509.CreateCertificate(rand.Reader, cert, parent, public, ca.key); err != nil {
		return nil, "", err
	}
	serial = hexSerial(n)
	made, err := x509.ParseCertificate(der)
	if err == nil {
		err = writePEM(filepath.Join(ca.dir, "newcerts", serial+".pem"), "CERTIFICATE", der, 0o644)
	}
	if err == nil {
		err = ca.enter(made, serial)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(ca.dir, "serial"), []byte(hexSerial(n.Add(n, big.NewInt(1)))+"\n"), 0o644)
	}
	return der, serial, err
}

// enter appends a certificate to the index: state, expiry, revocation, serial
// number, file and subject, by tabs.
func (ca *authority) enter(cert *x509.Certificate, serial string) error {
	f, err := os.OpenFile(filepath.Join(ca.dir, "index.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "V\t%s\t\t%s\tunknown\t%s\n", cert.NotAfter.UTC().Format("060102150405Z"), serial, slashName(cert))
	return errors.Join(err, f.Close())
}

// slashName is a certificate's subject in openssl's old form, in the order of
// the encoding: /C=US/ST=CA...
func slashName(cert *x509.Certificate) string {
	short := map[string]string{"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.3": "CN"}
	var b strings.Builder
	for _, a := range cert.Subject.Names {
		name := a.Type.String()
		if s := short[name]; s != "" {
			name = s
		}
		fmt.Fprintf(&b, "/%s=%v", name, a.Value)
	}
	return b.String()
}

// hexSerial prints a serial number as openssl does: an even number of digits.
func hexSerial(n *big.Int) string {
	s := fmt.Sprintf("%X", n)
	if len(s)%2 != 0 {
		s = "0" + s
	}
	return s
}

// keyID is a public key's identifier, RFC 5280 section 4.2.1.2 (1).
func keyID(public any) []byte {
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	sum := sha1.Sum(x509.MarshalPKCS1PublicKey(key))
	return sum[:]
}

// opensslConfig is the file that has openssl(1) go on with an authority; its
// argument is the size of keys.
const opensslConfig = `[ req ]
prompt = no
default_bits = %d
distinguished_name = req_distinguished_name

[ req_distinguished_name ]
C = US
ST = CA
L = Palo Alto
O = Open vSwitch
OU = Open vSwitch certifier
CN = Open vSwitch certificate

[ ca ]
default_ca = the_ca

[ the_ca ]
dir = .
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
private_key = $dir/private/cakey.pem
RANDFILE = $dir/private/.rand
default_days = 3650
default_crl_days = 30
default_md = sha512
policy = policy
unique_subject = no
email_in_dn = no
name_opt = ca_default
cert_opt = ca_default
copy_extensions = copy
x509_extensions = usr_cert

[ policy ]
C = optional
ST = optional
O = match
OU = optional
CN = supplied
emailAddress = optional

[ usr_cert ]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[ ca_cert ]
basicConstraints = CA:TRUE
subjectKeyIdentifier = hash
`

package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"time"

	"weir/internal/cli"
	"weir/internal/ovsdb"
)

// validity is how long certificates are valid.
const validity = 3650 * 24 * time.Hour

// statusUnverified is the exit status of "verify" of a bad certificate.
const statusUnverified = 2

// attribute is one part of a distinguished name.
type attribute struct {
	oid  []int
	text string
}

// Attributes of distinguished names (RFC 5280, appendix A.1).
var (
	country      = []int{2, 5, 4, 6}
	state        = []int{2, 5, 4, 8}
	locality     = []int{2, 5, 4, 7}
	organization = []int{2, 5, 4, 10}
	unit         = []int{2, 5, 4, 11}
	commonName   = []int{2, 5, 4, 3}
)

// encodeName encodes a distinguished name with the types of strings that
// openssl(1) chooses: it compares names of requests and authorities by their
// encodings. Empty attributes are left out.
func encodeName(attributes []attribute) ([]byte, error) {
	var name pkix.RDNSequence
	for _, a := range attributes {
		if a.text == "" {
			continue
		}
		tag := asn1.TagUTF8String
		if slices.Equal(a.oid, country) {
			tag = asn1.TagPrintableString
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: a.oid, Value: asn1.RawValue{Tag: tag, Bytes: []byte(a.text)}}})
	}
	return asn1.Marshal(name)
}

// subject returns the distinguished name of a requester or an authority.
func subject(place, of, common string) ([]byte, error) {
	return encodeName([]attribute{{country, "US"}, {state, "CA"}, {locality, place}, {organization, "Open vSwitch"}, {unit, of}, {commonName, common}})
}

// certified returns the part of a request's subject that its certificate states.
func certified(n pkix.Name) ([]byte, error) {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	return encodeName([]attribute{{country, first(n.Country)}, {state, first(n.Province)}, {organization, first(n.Organization)},
		{unit, first(n.OrganizationalUnit)}, {commonName, n.CommonName}})
}

// req makes a key and a request for its certificate.
func (t *tool) req(args []string) error {
	name := args[0]
	keyFile, reqFile := name+"-privkey.pem", name+"-req.pem"
	if err := t.mustNotExist(keyFile, reqFile); err != nil {
		return err
	}
	common := name
	if !t.unique {
		common += " id:" + ovsdb.NewUUID().String()
	}
	key, err := rsa.GenerateKey(rand.Reader, t.bits)
	if err != nil {
		return err
	}
	if err := writeKey(keyFile, key, 0o600); err != nil {
		return err
	}
	who, err := subject("Palo Alto", "Open vSwitch certifier", common)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: who, DNSNames: []string{common}}, key)
	if err != nil {
		return err
	}
	if err := writePEM(reqFile, "CERTIFICATE REQUEST", der, 0o644); err != nil {
		return err
	}
	if err := t.note("%s: %d-bit RSA key and request of \"%s\"", name, t.bits, common); err != nil {
		return err
	}
	return t.fingerprint(reqFile)
}

// sign has an authority sign a request.
func (t *tool) sign(args []string) error {
	typ, err := certType(args)
	if err != nil {
		return err
	}
	reqFile, certFile := args[0]+"-req.pem", args[0]+"-cert.pem"
	if err := t.fingerprint(reqFile); err != nil {
		return err
	}
	if err := t.confirm(); err != nil {
		return err
	}
	if err := t.mustNotExist(certFile); err != nil {
		return err
	}
	return t.issue(args[0], typ)
}

// reqSign makes a key, a request and a certificate.
func (t *tool) reqSign(args []string) error {
	typ, err := certType(args)
	if err != nil {
		return err
	}
	if err := t.mustHaveDir(); err != nil {
		return err
	}
	if err := t.mustNotExist(args[0] + "-cert.pem"); err != nil {
		return err
	}
	if err := t.req(args[:1]); err != nil {
		return err
	}
	return t.issue(args[0], typ)
}

// issue signs the request of that name without asking.
func (t *tool) issue(name, typ string) error {
	ca, err := t.openAuthority(typ + "ca")
	if err != nil {
		return err
	}
	request, err := readRequest(name + "-req.pem")
	if err != nil {
		return err
	}
	who, err := certified(request.Subject)
	if err != nil {
		return err
	}
	now := t.clock.Wall()
	der, serial, err := ca.sign(&x509.Certificate{RawSubject: who, DNSNames: request.DNSNames, NotBefore: now, NotAfter: now.Add(validity),
		BasicConstraintsValid: true, SubjectKeyId: keyID(request.PublicKey)}, request.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(name+"-cert.pem", "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return t.note("%s-cert.pem: signed by %s as number %s", name, ca.name, serial)
}

// selfSign signs a request by its own key.
func (t *tool) selfSign(args []string) error {
	name := args[0]
	certFile := name + "-cert.pem"
	if err := t.mustNotExist(certFile); err != nil {
		return err
	}
	request, err := readRequest(name + "-req.pem")
	if err != nil {
		return err
	}
	key, err := readKey(name + "-privkey.pem")
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(request.PublicKey) {
		return fmt.Errorf("%s-req.pem was not made with %s-privkey.pem", name, name)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return err
	}
	now := t.clock.Wall()
	cert := &x509.Certificate{SerialNumber: serial, RawSubject: request.RawSubject, DNSNames: []string{name}, NotBefore: now,
		NotAfter: now.Add(validity), SubjectKeyId: keyID(request.PublicKey)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, request.PublicKey, key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile, "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return t.note("%s: signed by its own key", certFile)
}

// verify checks that a certificate is valid for a type of use.
func (t *tool) verify(args []string) error {
	typ, err := certType(args)
	if err != nil {
		return err
	}
	name := args[0] + "-cert.pem"
	cert, err := readCert(name)
	if err != nil {
		return err
	}
	if err := t.mustHaveDir(); err != nil {
		return err
	}
	ca, err := readCert(t.file(typ+"ca", "cacert.pem"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: t.clock.Wall(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		fmt.Fprintf(t.env.Stderr, "%s: %v\nerror %s: verification failed\n", cert.Subject, err, name)
		return cli.Silent{Status: statusUnverified}
	}
	fmt.Fprintf(t.env.Stdout, "%s: OK\n", name)
	return nil
}

// writeKey writes a private key in PKCS #8 form.
func writeKey(name string, key *rsa.PrivateKey, mode os.FileMode) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(name, "PRIVATE KEY", der, mode)
}

// writePEM writes a file of one block. Its mode is as given from the beginning.
func writePEM(name, typ string, der []byte, mode os.FileMode) error {
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), mode)
}

// readPEM returns the first block of a type in a file.
func readPEM(name, typ string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist", name)
	}
	if err != nil {
		return nil, err
	}
	b := findPEM(data, typ)
	if b == nil {
		return nil, fmt.Errorf("%s: no %s in the file", name, typ)
	}
	return b.Bytes, nil
}

func readCert(name string) (*x509.Certificate, error) {
	der, err := readPEM(name, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// readRequest reads a request and checks its signature.
func readRequest(name string) (*x509.CertificateRequest, error) {
	der, err := readPEM(name, "CERTIFICATE REQUEST")
	if err != nil {
		return nil, err
	}
	r, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// readKey reads an RSA key in PKCS #8 form, or PKCS #1's as older versions of
// openssl(1) write it.
func readKey(name string) (*rsa.PrivateKey, error) {
	if der, err := readPEM(name, "RSA PRIVATE KEY"); err == nil {
		return x509.ParsePKCS1PrivateKey(der)
	}
	der, err := readPEM(name, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an RSA key", name)
	}
	return rsaKey, nil
}

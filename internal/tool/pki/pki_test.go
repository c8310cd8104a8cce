package pki

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/cli"
)

// runner runs ovs-pki in a directory of the test's own.
type runner struct {
	t   *testing.T
	dir string
}

// run returns the exit status and what was printed on both streams.
func (r runner) run(stdin string, args ...string) (status int, out string) {
	r.t.Helper()
	r.t.Chdir(r.dir)
	var b bytes.Buffer
	env := &cli.Env{Name: "ovs-pki", Args: append([]string{"--dir=pki", "--log=log/pki.log", "-B", "1024"}, args...),
		Stdin: strings.NewReader(stdin), Stdout: &b, Stderr: &b, Getenv: os.Getenv}
	return Main(context.Background(), env), b.String()
}

func (r runner) must(args ...string) string {
	r.t.Helper()
	status, out := r.run("", args...)
	if status != 0 {
		r.t.Fatalf("%v: status %d, %s", args, status, out)
	}
	return out
}

func TestHierarchy(t *testing.T) {
	r := runner{t, t.TempDir()}
	r.must("init")
	for name, mode := range map[string]os.FileMode{
		"pki/switchca/cacert.pem": 0o644, "pki/controllerca/private/cakey.pem": 0o700,
		"pki/switchca/newcerts/01.pem": 0o644, "pki/switchca/careq.pem": 0o644,
	} {
		info, err := os.Stat(filepath.Join(r.dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, out := r.run("", "init"); !strings.Contains(out, "pki already exists and --force not specified") {
		t.Error(out)
	}
	print := r.must("req", "sw")
	if !strings.HasPrefix(print, "sw-req.pem\t") || r.must("fingerprint", "sw-req.pem") != print {
		t.Errorf("fingerprint: %s", print)
	}
	if status, _ := r.run("no\n", "sign", "sw"); status != 1 {
		t.Error("signed without the fingerprint being confirmed")
	}
	if status, out := r.run("yes\n", "sign", "sw"); status != 0 || !strings.Contains(out, "Does fingerprint match? (yes/no)") {
		t.Errorf("status %d: %s", status, out)
	}
	if status, out := r.run("yes\n", "sign", "sw"); status != 1 || !strings.HasPrefix(out, print) || !strings.HasSuffix(out, "sw-cert.pem already exists and --force not supplied\n") {
		t.Errorf("status %d: %s", status, out)
	}
	if out := r.must("verify", "sw"); out != "sw-cert.pem: OK\n" {
		t.Error(out)
	}
	if status, out := r.run("", "verify", "sw", "controller"); status != 2 || !strings.Contains(out, "error sw-cert.pem: verification failed") {
		t.Errorf("status %d: %s", status, out)
	}
	r.must("-u", "req+sign", "ct", "controller")
	if out := r.must("verify", "ct", "controller"); out != "ct-cert.pem: OK\n" {
		t.Error(out)
	}
	cert, err := readCert("ct-cert.pem")
	if err != nil || cert.Subject.CommonName != "ct" || cert.SerialNumber.Int64() != 2 || cert.IsCA {
		t.Errorf("%v, %v", cert.Subject, err)
	}
	index, _ := os.ReadFile("pki/controllerca/index.txt")
	if lines := strings.Split(string(index), "\n"); len(lines) != 3 || !strings.HasSuffix(lines[1], "Z\t\t02\tunknown\t/C=US/ST=CA/O=Open vSwitch/OU=Open vSwitch certifier/CN=ct") {
		t.Errorf("index:\n%s", index)
	}
	r.must("--force", "init")
	if ca, err := readCert("pki/controllerca/cacert.pem"); err != nil || ca.SerialNumber.Int64() != 3 {
		t.Errorf("the new authority's certificate: %v, %v", ca, err)
	}
	if status, out := r.run("", "verify", "ct", "controller"); status != 2 {
		t.Errorf("the old authority's certificate: status %d, %s", status, out)
	}
	r.must("req", "self")
	r.must("self-sign", "self")
	if cert, err = readCert("self-cert.pem"); err != nil || cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		t.Errorf("self-signed: %v", err)
	}
}

func TestErrors(t *testing.T) {
	r := runner{t, t.TempDir()}
	for _, c := range []struct{ args, want string }{
		{"", "missing command name; use --help for help"},
		{"foo", "foo command unknown; use --help for help"},
		{"sign", "sign must have one or two arguments; use --help for help"},
		{"sign a b", "type argument must be 'switch' or 'controller'"},
		{"sign a", "a-req.pem does not exist"},
		{"-k dsa init", "DSA keys are not supported"},
		{"-B 12 init", "argument to -B or --bits must be at least 1024"},
		{"verify a", "a-cert.pem does not exist"},
		{"req+sign a", "pki does not exist (need to run 'init' or use '--dir'?)"},
	} {
		status, out := r.run("", strings.Fields(c.args)...)
		if status != 1 || !strings.Contains(out, c.want) {
			t.Errorf("%s: status %d, %s", c.args, status, out)
		}
	}
	if _, err := os.Stat("a-req.pem"); err == nil {
		t.Error("a request that nobody could sign was made")
	}
	if err := os.WriteFile("bad-req.pem", []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out := r.run("", "-b", "sign", "bad"); status != 1 {
		t.Errorf("status %d, %s", status, out)
	}
}

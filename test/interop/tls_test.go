package interop

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// makePKI has a side's ovs-pki make authorities and a certificate of each name.
func (s *stack) makePKI(of side, names ...string) {
	s.t.Helper()
	run := func(args ...string) {
		s.t.Helper()
		cmd := exec.Command(of.program(s.t, "ovs-pki"), append([]string{"--dir=" + s.path("pki"), "--log=" + s.path("pki.log"), "-B", "2048", "--batch"}, args...)...)
		cmd.Dir = s.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%s ovs-pki %v: %v\n%s", of, args, err, out)
		}
	}
	run("init")
	for _, name := range names {
		run("req+sign", name)
	}
}

// pkiOptions are a program's options to use the certificate of that name.
func (s *stack) pkiOptions(name string) []string {
	return []string{"--private-key=" + s.path(name+"-privkey.pem"), "--certificate=" + s.path(name+"-cert.pem"),
		"--ca-cert=" + s.path("pki/switchca/cacert.pem")}
}

var listening = regexp.MustCompile(`listening on port (\d+)`)

// startTLSServer starts a server that listens with TLS on a port of the kernel's
// choice, which it returns.
func (s *stack) startTLSServer(of side, more ...string) (port string) {
	s.t.Helper()
	s.run(ours, "ovsdb-tool", "create", s.path("conf.db"), "../../schema/vswitch.ovsschema")
	args := append([]string{"--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off", "--remote=pssl:0:127.0.0.1"}, s.pkiOptions("server")...)
	s.run(of, "ovsdb-server", append(append(args, more...), s.path("conf.db"))...)
	s.until("the server listens", func() bool {
		log, _ := os.ReadFile(s.path("ovsdb-server.log"))
		if m := listening.FindSubmatch(log); m != nil {
			port = string(m[1])
		}
		return port != ""
	})
	return port
}

// Certificates of either side's ovs-pki serve the programs of both.
func TestTLS(t *testing.T) {
	for _, maker := range []side{ours, theirs} {
		for _, server := range []side{ours, theirs} {
			t.Run("pki of "+string(maker)+", server "+string(server), func(t *testing.T) {
				s := emptyStack(t)
				s.makePKI(maker, "server", "client")
				db := "--db=ssl:127.0.0.1:" + s.startTLSServer(server)
				for _, tool := range []side{ours, theirs} {
					br := "br-" + string(tool)
					s.run(tool, "ovs-vsctl", append(s.pkiOptions("client"), db, "--no-wait", "add-br", br)...)
					if out := s.run(tool, "ovs-vsctl", append(s.pkiOptions("client"), db, "list-br")...); !strings.Contains(out, br) {
						t.Errorf("%s: %q", tool, out)
					}
					// The server has no certificate that another authority signed.
					bad := append(s.pkiOptions("client")[:2:2], "--ca-cert="+s.path("pki/controllerca/cacert.pem"), db, "-t", "2", "--no-wait", "show")
					if out, err := s.try(tool, "ovs-vsctl", bad...); err == nil {
						t.Errorf("%s accepts any certificate: %s", tool, out)
					}
				}
			})
		}
	}
}

// A client without the authority's certificate takes it from the server, the
// first time.
func TestTLSBootstrap(t *testing.T) {
	for _, server := range []side{ours, theirs} {
		t.Run("server "+string(server), func(t *testing.T) {
			s := emptyStack(t)
			s.makePKI(ours, "server", "client")
			db := "--db=ssl:127.0.0.1:" + s.startTLSServer(server, "--peer-ca-cert="+s.path("pki/switchca/cacert.pem"))
			for _, tool := range []side{ours, theirs} {
				ca := s.path("ca-" + string(tool) + ".pem")
				args := append(s.pkiOptions("client")[:2:2], "--bootstrap-ca-cert="+ca, db, "-t", "60", "--retry", "--no-wait", "show")
				s.run(tool, "ovs-vsctl", args...)
				if data, err := os.ReadFile(ca); err != nil || !strings.Contains(string(data), "BEGIN CERTIFICATE") {
					t.Errorf("%s: %q, %v", tool, data, err)
				}
				s.run(tool, "ovs-vsctl", args...) // now verified
			}
		})
	}
}

// The versions and ciphers that our options allow are those that are used.
func TestTLSLimits(t *testing.T) {
	s := emptyStack(t)
	s.makePKI(ours, "server", "client")
	db := "--db=ssl:127.0.0.1:" + s.startTLSServer(ours, "--ssl-protocols=TLSv1.2", "--ssl-ciphers=ECDHE-RSA-AES128-GCM-SHA256", "-vstream_ssl:file:dbg")
	s.run(theirs, "ovs-vsctl", append(s.pkiOptions("client"), db, "--no-wait", "show")...)
	s.run(ours, "ovs-vsctl", append(s.pkiOptions("client"), db, "--ssl-server-name=db.example", "--no-wait", "show")...)
	s.until("the server logs the name that it was told", func() bool {
		log, _ := os.ReadFile(s.path("ovsdb-server.log"))
		return strings.Contains(string(log), "connection indicated server name db.example\n")
	})
	for option, want := range map[string]string{
		"--ssl-protocols=TLSv1.3+":                  "protocol version",
		"--ssl-protocols=TLSv1.1":                   "no SSL/TLS protocol in the list is safe to use",
		"--ssl-protocols=TLSv9":                     "TLSv9: SSL/TLS protocol not recognized",
		"--ssl-ciphers=ECDHE-RSA-AES256-GCM-SHA384": "handshake failure",
		"--ssl-ciphersuites=TLS_NO_SUCH":            "no cipher suite of TLS 1.3 in the list is available",
	} {
		out, err := s.try(ours, "ovs-vsctl", append(s.pkiOptions("client"), db, option, "--no-wait", "show")...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, %s", option, err, out)
		}
	}
}

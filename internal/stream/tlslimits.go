package stream

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// protocols are the versions of TLS that may be asked for, oldest first. Those
// before TLS 1.2 are known but too weak to be used (RFC 8996).
var protocols = []struct {
	name    string
	version uint16 // 0: never used
}{
	{"TLSv1", 0}, {"TLSv1.1", 0}, {"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

// words splits a list as the SSL options take it.
func words(list, separators string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(separators, r) })
}

// CheckProtocols tells what is wrong with the value of TLSFiles.Protocols.
func CheckProtocols(list string) error { return setProtocols(new(tls.Config), list) }

// setProtocols limits the protocol versions to a list as --ssl-protocols takes:
// names separated by commas or spaces, or one range "FIRST-LAST" or "FIRST+".
// What lies between the oldest and the newest of a list is enabled as well.
func setProtocols(conf *tls.Config, list string) error {
	index := func(name string) (int, error) {
		for i, p := range protocols {
			if p.name == name {
				return i, nil
			}
		}
		return 0, fmt.Errorf("%s: SSL/TLS protocol not recognized", name)
	}
	names := words(list, ", ")
	if len(names) == 0 {
		return nil
	}
	if len(names) == 1 {
		if first, ok := strings.CutSuffix(names[0], "+"); ok {
			names = []string{first, protocols[len(protocols)-1].name}
		} else if first, last, ok := strings.Cut(names[0], "-"); ok {
			names = []string{first, last}
		}
	}
	low, high := len(protocols), -1
	for _, name := range names {
		i, err := index(name)
		if err != nil {
			return err
		}
		low, high = min(low, i), max(high, i)
	}
	for low < high && protocols[low].version == 0 {
		low++
	}
	conf.MinVersion, conf.MaxVersion = protocols[low].version, protocols[high].version
	if conf.MinVersion == 0 {
		return fmt.Errorf("%s: no SSL/TLS protocol in the list is safe to use (enable TLSv1.2 or TLSv1.3)", list)
	}
	return nil
}

// setCiphers limits the cipher suites to those in a list as ciphers(1ssl) has
// it, as far as crypto/tls offers them. Beside names of suites only the groups
// ALL, DEFAULT and HIGH are known, which stand for all; what is excluded by "!"
// or "-" must be a suite's name to matter, since the weak groups that are
// usually named so aren't offered at all.
func setCiphers(conf *tls.Config, list string) error {
	names := words(list, ", :")
	if len(names) == 0 {
		return nil
	}
	chosen := map[uint16]bool{}
	conf.CipherSuites = []uint16{}
	for _, w := range names {
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

// allowSuites limits TLS 1.3 to the cipher suites in a list as
// --ssl-ciphersuites takes. crypto/tls leaves no choice of what is offered, so
// that a connection for which another suite was chosen ends instead.
func allowSuites(conf *tls.Config, list string) error {
	names := words(list, ", :")
	if len(names) == 0 {
		return nil
	}
	var allowed []uint16
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(suite.SupportedVersions, tls.VersionTLS13) && slices.Contains(names, suite.Name) {
			allowed = append(allowed, suite.ID)
		}
	}
	if len(allowed) == 0 {
		return fmt.Errorf("%s: no cipher suite of TLS 1.3 in the list is available", list)
	}
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if s.Version == tls.VersionTLS13 && !slices.Contains(allowed, s.CipherSuite) {
			return fmt.Errorf("cipher suite %s was chosen, which --ssl-ciphersuites does not allow (enable it, or restrict TLS 1.2 by --ssl-protocols=TLSv1.2 --ssl-ciphers)",
				tls.CipherSuiteName(s.CipherSuite))
		}
		return nil
	}
	return nil
}

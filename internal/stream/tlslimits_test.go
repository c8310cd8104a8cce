package stream

import (
	"crypto/tls"
	"testing"
)

func TestSetProtocols(t *testing.T) {
	for list, want := range map[string][2]uint16{
		"":                        {},
		"TLSv1.2":                 {tls.VersionTLS12, tls.VersionTLS12},
		"TLSv1.3,TLSv1.2":         {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1.2 TLSv1.3":         {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1.2-TLSv1.3":         {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1.3+":                {tls.VersionTLS13, tls.VersionTLS13},
		"TLSv1.1+":                {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1, TLSv1.1, TLSv1.2": {tls.VersionTLS12, tls.VersionTLS12},
	} {
		conf := &tls.Config{}
		if err := setProtocols(conf, list); err != nil || conf.MinVersion != want[0] || conf.MaxVersion != want[1] {
			t.Errorf("%q: %x to %x, %v", list, conf.MinVersion, conf.MaxVersion, err)
		}
	}
	for _, list := range []string{"SSLv3", "TLSv1", "TLSv1-TLSv1.1", "TLSv1.2-", "TLSv1.2,x"} {
		if err := setProtocols(&tls.Config{}, list); err == nil {
			t.Errorf("%q was accepted", list)
		}
	}
}

func TestSetCiphers(t *testing.T) {
	for list, want := range map[string]bool{
		"HIGH:!aNULL:!MD5": true, "ECDHE-RSA-AES128-GCM-SHA256": true, "HIGH:!ECDHE-RSA-AES128-GCM-SHA256": true, "RC4": false,
	} {
		conf := &tls.Config{}
		if err := setCiphers(conf, list); (err == nil) != want {
			t.Errorf("%q: %v", list, err)
		}
	}
	conf := &tls.Config{}
	if err := setCiphers(conf, "ECDHE-RSA-AES128-GCM-SHA256"); err != nil || len(conf.CipherSuites) != 1 || conf.CipherSuites[0] != tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {
		t.Errorf("%v, %v", conf.CipherSuites, err)
	}
}

// A connection with a suite that isn't allowed is refused after the handshake.
func TestAllowSuites(t *testing.T) {
	conf := &tls.Config{}
	if err := allowSuites(conf, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		version, suite uint16
		ok             bool
	}{
		{tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384, true},
		{tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, false},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true},
	} {
		if err := conf.VerifyConnection(tls.ConnectionState{Version: tt.version, CipherSuite: tt.suite}); (err == nil) != tt.ok {
			t.Errorf("%x %x: %v", tt.version, tt.suite, err)
		}
	}
	if err := allowSuites(&tls.Config{}, "TLS_NO_SUCH"); err == nil {
		t.Error("an unknown suite was accepted")
	}
}

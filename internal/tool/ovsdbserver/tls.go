package ovsdbserver

// updateTLS looks the settings of TLS up: those that name files may instead be
// db:DB,TABLE,COLUMN.
func (in *instance) updateTLS() {
	f := in.settings.tls
	for _, v := range []*string{&f.PrivateKey, &f.Certificate, &f.CACert, &f.PeerCACert, &f.Protocols, &f.Ciphers, &f.Ciphersuites} {
		if source(*v) {
			*v = in.srv.ReadString(*v)
		}
	}
	in.tlsConf.Set(f)
}

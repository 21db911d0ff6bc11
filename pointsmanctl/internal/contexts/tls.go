package contexts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how to trust an API, and how to be known to it. Files are named, not held.
type TLS struct {
	// CA is a PEM file of those who may vouch for the server; empty is whom the system trusts.
	CA string `yaml:"ca,omitempty" json:"ca,omitempty"`
	// Cert and Key are PEM files of a client certificate.
	Cert string `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key  string `yaml:"key,omitempty" json:"key,omitempty"`
	// ServerName is the name in the server's certificate where it is not the host of the address.
	ServerName string `yaml:"server-name,omitempty" json:"serverName,omitempty"`
}

func (t *TLS) check() error {
	switch {
	case t.Cert != "" && t.Key == "":
		return errors.New("tls.key: it is missing; a certificate needs its key beside it")
	case t.Key != "" && t.Cert == "":
		return errors.New("tls.cert: it is missing; a key needs its certificate beside it")
	}
	return nil
}

// Config reads the files.
func (t *TLS) Config() (*tls.Config, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate: give a PEM file", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert %s and tls.key %s: %w", t.Cert, t.Key, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

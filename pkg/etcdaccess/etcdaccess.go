// Package etcdaccess is where an etcd is and how to be let in: TLS, certificates, user and password. It makes clients, and asks
// etcd nothing. The control plane and the agents, which differ in how they dial, call it.
package etcdaccess

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Access is where an etcd is and how to be let in. All but the endpoints may be empty.
type Access struct {
	Endpoints []string
	// CA is a file of certificates that etcd's own is checked with, instead of the system's.
	CA string
	// Cert and Key are files that prove who this is. They are read anew with each connection, so that they can be renewed.
	Cert, Key string
	// User and PasswordFile are for an etcd with authentication; spaces and line ends around the password do not count.
	User, PasswordFile string
}

// untold is a token that etcd refuses, upon which a client asks for one with its password.
const untold = "none yet"

// New makes a client that connects when it is asked something: an etcd that is away is seen by requests. conf is the rest of its
// configuration.
func (a Access) New(conf clientv3.Config) (*clientv3.Client, error) {
	var err error
	conf.Endpoints = a.Endpoints
	if conf.TLS, err = a.tls(); err != nil {
		return nil, err
	}
	password, err := a.password()
	if err != nil {
		return nil, err
	}
	if password != "" {
		// With a user the client would wait here for an etcd that is away. So it begins with a token, and learns its user after.
		conf.Token = untold
	}
	c, err := clientv3.New(conf)
	if err != nil {
		return nil, fmt.Errorf("make client of etcd %v: %w", a.Endpoints, err)
	}
	if password != "" {
		c.Token, c.Username, c.Password = "", a.User, password
	}
	return c, nil
}

func (a Access) password() (string, error) {
	if a.PasswordFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(a.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read etcd's password file: %w", err)
	}
	password := strings.TrimSpace(string(raw))
	if password == "" {
		return "", fmt.Errorf("etcd's password file %s is empty", a.PasswordFile)
	}
	return password, nil
}

// tls is nil for an etcd without it.
func (a Access) tls() (*tls.Config, error) {
	if len(a.Endpoints) == 0 || !strings.HasPrefix(a.Endpoints[0], "https://") {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		raw, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("read etcd's CA: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("etcd's CA %s holds no certificate", a.CA)
		}
	}
	if a.Cert == "" {
		return conf, nil
	}
	if _, err := tls.LoadX509KeyPair(a.Cert, a.Key); err != nil {
		return nil, fmt.Errorf("read the certificate for etcd: %w", err)
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		return &pair, err
	}
	return conf, nil
}

package etcdserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

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

// Check says what is wrong before anything is tried. The fields are named as flags.
func (a Access) Check(insecure bool) error {
	var errs []error
	if (a.Cert == "") != (a.Key == "") {
		errs = append(errs, errors.New("etcd-cert and etcd-key go together: give both or neither"))
	}
	if (a.User == "") != (a.PasswordFile == "") {
		errs = append(errs, errors.New("etcd-user and etcd-password-file go together: give both or neither"))
	}
	for _, endpoint := range a.Endpoints {
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "":
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q is none: give http://HOST:PORT or https://HOST:PORT", endpoint))
		case u.Scheme == "https":
		case a.CA != "" || a.Cert != "":
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q has no TLS, but etcd-ca or etcd-cert is given: say https", endpoint))
		case a.User != "" && !insecure && !loopback(u.Hostname()):
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q would take the password beyond the loopback without TLS: say https, or --insecure if the network itself is trusted", endpoint))
		}
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// NewClient returns a client of an etcd without authentication.
func NewClient(endpoints []string, log *slog.Logger) (*clientv3.Client, error) {
	return Connect(Access{Endpoints: endpoints}, log)
}

// untold is a token that etcd refuses, upon which the client asks for one with its password.
const untold = "none yet"

// Connect returns a client of an etcd, embedded or outside. It connects lazily: an etcd that is away is seen by requests.
// Keepalives notice within seconds a connection whose other end is gone without a word.
func Connect(a Access, log *slog.Logger) (*clientv3.Client, error) {
	secure, err := a.tls()
	if err != nil {
		return nil, err
	}
	password, err := a.password()
	if err != nil {
		return nil, err
	}
	conf := clientv3.Config{
		Endpoints:            a.Endpoints,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		TLS:                  secure,
		Logger:               ZapLogger(log),
	}
	if password != "" {
		// With a user the client would wait here for an etcd that is away. So it begins with a token, and learns its user after.
		conf.Token = untold
	}
	c, err := clientv3.New(conf)
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %v: %w", a.Endpoints, err)
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
		return "", fmt.Errorf("read etcd-password-file: %w", err)
	}
	password := strings.TrimSpace(string(raw))
	if password == "" {
		return "", fmt.Errorf("etcd-password-file %s is empty", a.PasswordFile)
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
			return nil, fmt.Errorf("read etcd-ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("etcd-ca %s holds no certificate", a.CA)
		}
	}
	if a.Cert == "" {
		return conf, nil
	}
	if _, err := tls.LoadX509KeyPair(a.Cert, a.Key); err != nil {
		return nil, fmt.Errorf("read etcd-cert and etcd-key: %w", err)
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		return &pair, err
	}
	return conf, nil
}

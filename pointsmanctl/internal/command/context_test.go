package command

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestContextPrecedence: a flag is heard before the environment, that before the context that is named, that before the current
// one, and that before the default.
func TestContextPrecedence(t *testing.T) {
	s := startServer(t)
	if r := s.ctl(t.Context(), "network", "create", "blue", "--prefix", "10.1.0.0/24"); r.code != 0 {
		t.Fatal(r.err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	write := func(args ...string) {
		if r := ctl(t.Context(), append([]string{"--config", path, "context"}, args...)...); r.code != 0 {
			t.Fatalf("%v: %s", args, r.err)
		}
	}
	write("set", "away", "--server", nobody)
	write("set", "here", "--server", s.GRPC)
	write("set", "strange", "--server", s.GRPC, "--project", "nowhere")
	for _, c := range []struct {
		name, args string
		env        map[string]string
		ok         bool
	}{
		{"current", "", nil, false},
		{"context of the environment", "", map[string]string{"POINTSMAN_CONTEXT": "here"}, true},
		{"context flag before the environment's", "--context here", map[string]string{"POINTSMAN_CONTEXT": "away"}, true},
		{"server of the environment before the context", "--context away", map[string]string{"POINTSMAN_SERVER": s.GRPC}, true},
		{"server flag before the environment", "--server " + s.GRPC, map[string]string{"POINTSMAN_SERVER": nobody}, true},
		{"the context's project", "--context strange", nil, false},
		{"project of the environment before the context's", "--context strange", map[string]string{"POINTSMAN_PROJECT": "default"}, true},
		{"project flag before the environment", "--context strange --project default", map[string]string{"POINTSMAN_PROJECT": "nowhere"}, true},
	} {
		vars := map[string]string{"POINTSMAN_CONFIG": path}
		for k, v := range c.env {
			vars[k] = v
		}
		r := ctlWith(t.Context(), vars, "", append(strings.Fields(c.args), "--timeout", "500ms", "network", "get", "blue")...)
		if (r.code == exitOK) != c.ok {
			t.Errorf("%s: code %d, %s", c.name, r.code, r.err)
		}
	}
	if r := ctl(t.Context(), "--config", path, "--timeout", "100ms", "network", "list"); !strings.Contains(r.err, "(context away)") {
		t.Errorf("an error of a context does not name it: %s", r.err)
	}
	if r := ctl(t.Context(), "--config", path, "--context", "bogus", "network", "list"); r.code != exitFailure || !strings.Contains(r.err, "name one of away, here, strange") {
		t.Errorf("%+v", r)
	}
}

// TestContextCommands walks through a contexts file.
func TestContextCommands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pointsman", "config.yaml")
	run := func(line string) result {
		return ctl(t.Context(), append([]string{"--config", path}, words(line)...)...)
	}
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"context list", exitOK, "CURRENT"},
		{"context show", exitUsage, "no context is in use"},
		{"context set lab", exitUsage, "give its --server"},
		{"context set lab --server http://a:1", exitUsage, "has a scheme"},
		{"context set lab --server a:1 --tls-key k", exitUsage, "tls.cert: it is missing"},
		{"context set lab --server a:1 --tls-ca /nowhere", exitFailure, "tls.ca: open /nowhere"},
		{"context set lab --server a:1 --tls-ca x --tls=false", exitUsage, "exclude each other"},
		{"context set 'my lab' --server a:1", exitUsage, "its name must be"},
		{"context set lab --server 127.0.0.1:7443", exitOK, "127.0.0.1:7443"},
		{"context set prod --server pointsman:443 --tls --tls-server-name api", exitOK, "api"},
		{"context list", exitOK, "*         lab    127.0.0.1:7443"},
		{"context use bogus", exitFailure, "name one of lab, prod"},
		{"context use prod", exitOK, "context prod is in use"},
		{"context set prod --project web", exitOK, "web"},
		{"context show -o yaml", exitOK, "serverName: api"},
		{"context set prod --tls=false", exitOK, "tls       no"},
		{"context delete prod", exitOK, "no context is in use now"},
		{"context delete prod", exitFailure, `there is no context "prod"`},
	} {
		if r := run(c.line); r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
			t.Errorf("%s: code %d, prints %q, want code %d and %q", c.line, r.code, r.out+r.err, c.code, c.says)
		}
	}
	var list struct {
		Contexts []struct{ Name, Server string }
	}
	if err := json.Unmarshal([]byte(run("context list -o json").out), &list); err != nil || len(list.Contexts) != 1 || list.Contexts[0].Name != "lab" {
		t.Errorf("%+v %v", list, err)
	}
	if r := run("__complete context use ''"); !strings.HasPrefix(r.out, "lab\n:4") {
		t.Errorf("completion offers %q", r.out)
	}
	if err := os.WriteFile(path, []byte("contexts:\n  lab: {servr: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run("network list"); r.code != exitFailure || !strings.Contains(r.err, "line 2: field servr is not known here") {
		t.Errorf("%+v", r)
	}
}

// authority makes a certificate authority and one certificate of it, for localhost and for clients alike, in dir.
func authority(t *testing.T, dir string) (pool *x509.CertPool, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: []string{"pointsman.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for name, b := range map[string][]byte{"cert.pem": certPEM, "cert.key": keyPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, pair
}

// TestContextWithTLS: a proxy that wants a client's certificate stands before the API, as it does in a data centre.
func TestContextWithTLS(t *testing.T) {
	s := startServer(t)
	dir := t.TempDir()
	pool, pair := authority(t, dir)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go proxy(listener, s.GRPC)
	config, cert, key := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "cert.key")
	address := listener.Addr().String()
	if r := ctl(t.Context(), "--config", config, "context", "set", "prod", "--server", address, "--tls-ca", cert, "--tls-server-name", "pointsman.test"); r.code != 0 {
		t.Fatal(r.err)
	}
	ask := func(args ...string) result {
		return ctl(t.Context(), append([]string{"--config", config, "--timeout", "2s", "network", "list"}, args...)...)
	}
	if r := ask(); r.code != exitFailure {
		t.Errorf("without a certificate: %+v", r)
	}
	if r := ask("--tls-cert", cert, "--tls-key", key); r.code != exitOK {
		t.Errorf("with a certificate: %+v", r)
	}
	if r := ask("--tls-cert", cert, "--tls-key", key, "--tls-server-name", "other.test"); r.code != exitFailure || !strings.Contains(r.err, "other.test") {
		t.Errorf("a server of another name: %+v", r)
	}
	if r := ask("--server", s.GRPC); r.code != exitOK {
		t.Errorf("another address was spoken to with the context's TLS: %+v", r)
	}
}

func proxy(from net.Listener, to string) {
	for {
		client, err := from.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(server, client)
				server.Close()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}

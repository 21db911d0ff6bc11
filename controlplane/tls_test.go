package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// authority signs certificates for one test, and keeps them in files.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign makes NAME.pem and NAME.key; the first is its own issuer.
func (a *authority) sign(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	issuer, issuerKey := a.cert, a.key
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: raw}, name + ".key": {Type: "PRIVATE KEY", Bytes: rawKey}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// secureEtcd is an etcd with TLS that wants certificates of its clients.
func secureEtcd(t *testing.T, a *authority) string {
	t.Helper()
	a.sign(t, "etcd", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	a.sign(t, "controlplane", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	c := embed.NewConfig()
	c.Dir, c.LogLevel, c.UnsafeNoFsync, c.TickMs, c.ElectionMs = t.TempDir(), "fatal", true, 10, 100
	c.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ClientTLSInfo.CertFile, c.ClientTLSInfo.KeyFile = a.file("etcd.pem"), a.file("etcd.key")
	c.ClientTLSInfo.TrustedCAFile, c.ClientTLSInfo.ClientCertAuth = a.file("ca.pem"), true
	etcd, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	return "https://" + etcd.Clients[0].Addr().String()
}

// serving runs a control plane until end is called, and returns where it serves.
func serving(t *testing.T, args ...string) (where ready, end func()) {
	t.Helper()
	cmd := controlplane(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if json.Unmarshal(line, &where) != nil {
		_ = cmd.Wait()
		t.Fatalf("it does not serve:\n%s", log.String())
	}
	return where, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v\n%s", err, log.String())
		}
	}
}

// TestAnEtcdOutsideWithTLSAndUsers: the control plane proves who it is and is told who etcd is; etcd-users then gives a
// registered switch its user and has etcd ask for users, and the control plane goes on as root.
func TestAnEtcdOutsideWithTLSAndUsers(t *testing.T) {
	a := newAuthority(t)
	etcd := secureEtcd(t, a)
	access := []string{"--etcd-endpoints", etcd, "--etcd-ca", a.file("ca.pem"), "--etcd-cert", a.file("controlplane.pem"), "--etcd-key", a.file("controlplane.key")}
	where, end := serving(t, access...)
	register(t, where.GRPC, "leaf01", "10.255.0.1")
	end()

	password := filepath.Join(a.dir, "root.password")
	if err := os.WriteFile(password, []byte("rule\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asRoot := append(access, "--etcd-user", "root", "--etcd-password-file", password)
	agents := filepath.Join(a.dir, "agents")
	out, err := controlplane(t, append([]string{"etcd-users", "--dir", agents, "--enable"}, asRoot...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "leaf01: user pointsman-agent-leaf01") || !strings.Contains(string(out), "etcd asks for users") {
		t.Fatalf("%v\n%s", err, out)
	}
	first, err := os.ReadFile(filepath.Join(agents, "leaf01.password"))
	if err != nil {
		t.Fatal(err)
	}
	where, end = serving(t, asRoot...)
	register(t, where.GRPC, "leaf02", "10.255.0.2")
	end()
	out, err = controlplane(t, append([]string{"etcd-users", "--dir", agents}, asRoot...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "leaf02: user") {
		t.Fatalf("%v\n%s", err, out)
	}
	if again, _ := os.ReadFile(filepath.Join(agents, "leaf01.password")); !bytes.Equal(first, again) {
		t.Error("a password that was given out has changed")
	}
}

// TestAnEtcdThatIsNotWhatItSays: without the certificate's issuer, or without a certificate of one's own, nothing is served.
func TestAnEtcdThatIsNotWhatItSays(t *testing.T) {
	a := newAuthority(t)
	etcd := secureEtcd(t, a)
	for name, args := range map[string][]string{
		"certificate signed by unknown authority": {"--etcd-endpoints", etcd, "--etcd-cert", a.file("controlplane.pem"), "--etcd-key", a.file("controlplane.key")},
		"etcd is not there yet":                   {"--etcd-endpoints", etcd, "--etcd-ca", a.file("ca.pem")},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		cmd := controlplane(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		cancel()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(out.String(), `"grpc":`) || !strings.Contains(out.String(), name) {
			t.Errorf("it says %s, want %q", out.String(), name)
		}
	}
}

func register(t *testing.T, address, id, loopback string) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = apiv1.NewSwitchServiceClient(conn).CreateSwitch(t.Context(), &apiv1.CreateSwitchRequest{
		Id: id, Role: apiv1.SwitchRole_SWITCH_ROLE_LEAF, Rack: "rack1", Loopback: loopback,
		Provisioning: &apiv1.Provisioning{Vlan: 4000, Addresses: []string{fmt.Sprintf("10.250.%s.1/24", id[len(id)-1:])}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

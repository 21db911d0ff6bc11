// Package etcdtest starts a real etcd for tests, on loopback and in a directory of the test's own. It can be stopped and started
// again on the same address, over the same data, a copy or none. Only tests call it.
package etcdtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// Server is an etcd of one member.
type Server struct {
	Endpoint string
	etcd     *embed.Etcd
}

// FreeAddress returns a loopback address that nobody listens on at the moment.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Start runs etcd over dir at address, until the test ends or Stop.
func Start(t testing.TB, address, dir string) *Server {
	t.Helper()
	c := embed.NewConfig()
	c.Name, c.Dir = "test", dir
	c.ListenClientUrls = []url.URL{{Scheme: "http", Host: address}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.UnsafeNoFsync, c.TickMs, c.ElectionMs = true, 10, 100
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	var etcd *embed.Etcd
	var err error
	for range 50 { // the port of a server that was just stopped may linger
		if etcd, err = embed.StartEtcd(c); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("start etcd: %v", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		etcd.Close()
		t.Fatal("etcd is not ready after 20 s")
	}
	s := &Server{Endpoint: fmt.Sprintf("http://%s", address), etcd: etcd}
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server; its connections break.
func (s *Server) Stop() {
	if s.etcd != nil {
		s.etcd.Close()
		s.etcd = nil
	}
}

// Client returns a client of the test's own.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Endpoint}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Put writes a key and returns its revision.
func Put(t testing.TB, c *clientv3.Client, key string, value []byte) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := c.Put(ctx, key, string(value))
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return r.Header.Revision
}

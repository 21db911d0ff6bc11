package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/pointsman/pointsman/pkg/etcdaccess"
)

func parse(t *testing.T, file string, args ...string) (config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "controlplane.yaml")
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	var c config
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.flags(flags)
	flags.String(configFlag, "", "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c, readConfig(path, flags)
}

func TestConfigFile(t *testing.T) {
	got, err := parse(t, `
data-dir: /srv/etcd
listen: 127.0.0.1:1
etcd-endpoints: [http://10.0.0.1:2379, http://10.0.0.2:2379]
auto-adopt: true
quarantine: 90s
`, "--listen", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		dataDir: "/srv/etcd", listen: "127.0.0.1:2", etcd: etcdaccess.Access{Endpoints: []string{"http://10.0.0.1:2379", "http://10.0.0.2:2379"}},
		etcdListenClient: "127.0.0.1:2379", autoAdopt: true, quarantine: 90 * time.Second, logLevel: "info",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{})); diff != "" {
		t.Errorf("(-want +got), the command line wins:\n%s", diff)
	}
	if _, err := parse(t, ""); err != nil {
		t.Errorf("empty file: %v", err)
	}
}

func TestConfigFileErrorsNameTheField(t *testing.T) {
	for file, says := range map[string]string{
		"lisen: 127.0.0.1:1":       `line 1: field "lisen" is not known: the fields are auto-adopt, data-dir`,
		"\nquarantine: soon":       `line 2: field "quarantine": time: invalid duration`,
		"auto-adopt: perhaps":      `field "auto-adopt"`,
		"listen: [a, b]":           `field "listen" is not a list`,
		"listen: {host: a}":        `field "listen" is neither`,
		"config: other.yaml":       `field "config" is not known`,
		"- listen":                 "cannot unmarshal",
		"bogus: 1\nother-bogus: 2": `"other-bogus"`,
	} {
		_, err := parse(t, file)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", file, err, says)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := config{dataDir: "d", listen: "127.0.0.1:0", etcdListenClient: "127.0.0.1:0", logLevel: "info"}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*config){
		"listen \"0.0.0.0:7443\" is beyond the loopback": func(c *config) { c.listen = "0.0.0.0:7443" },
		"etcd-listen-client \"10.0.0.1:2379\" is beyond": func(c *config) { c.etcdListenClient = "10.0.0.1:2379" },
		"data-dir is empty":                            func(c *config) { c.dataDir = "" },
		"quarantine -1s is neg":                        func(c *config) { c.quarantine = -time.Second },
		"log-level \"loud\"":                           func(c *config) { c.logLevel = "loud" },
		"etcd-cert and etcd-key go together":           func(c *config) { c.etcd.Cert = "cert.pem" },
		"etcd-user and etcd-password-file go together": func(c *config) { c.etcd.User = "root" },
		"\"10.0.0.1:2379\" is none":                    func(c *config) { c.etcd.Endpoints = []string{"10.0.0.1:2379"} },
		"has no TLS, but etcd-ca":                      func(c *config) { c.etcd.Endpoints, c.etcd.CA = []string{"http://127.0.0.1:2379"}, "ca.pem" },
		"would take the password beyond the loopback": func(c *config) {
			c.etcd.Endpoints, c.etcd.User, c.etcd.PasswordFile = []string{"http://10.0.0.1:2379"}, "root", "file"
		},
	} {
		c := good
		change(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	outside := good
	outside.etcd.Endpoints, outside.etcdListenClient, outside.dataDir = []string{"http://10.0.0.1:2379"}, "0.0.0.0:2379", ""
	if err := outside.check(); err != nil {
		t.Errorf("with an etcd outside, what concerns the embedded one does not matter: %v", err)
	}
}

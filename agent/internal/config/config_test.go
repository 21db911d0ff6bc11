package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	const base = "switch: leaf01\netcd:\n    endpoints: [\"http://192.0.2.254:2379\"]\n    bind-device: mgmt\nstate-dir: /var/lib/pointsman\nlldp-send: true\ninsecure: true\n"
	leaf := Default()
	leaf.Switch, leaf.SendLLDP, leaf.Insecure = "leaf01", true, true
	leaf.Etcd = Etcd{Endpoints: []string{"http://192.0.2.254:2379"}, BindDevice: "mgmt"}
	tuned := leaf
	tuned.ConfirmWindow, tuned.FRR.SocketDir = 7*time.Second, "/run/frr/x"
	unprotected, limited := leaf, leaf
	unprotected.Protect.Enabled, limited.Protect.Limits = false, map[string]int{"icmp": 7}
	unread, read := leaf, leaf
	unread.Metrics.Address, read.Metrics = "", Metrics{Address: "[::]:9100", Device: "mgmt"}
	for _, tt := range []struct {
		name, yaml string
		override   func(*Config)
		want       Config
		err        []string
	}{
		{name: "as the lab writes it", yaml: base, want: leaf},
		{name: "durations and nested paths", yaml: base + "confirm-window: 7s\nfrr: {socket-dir: /run/frr/x}\n", want: tuned},
		{name: "no self-protection", yaml: base + "protect: {enabled: false}\n", want: unprotected},
		{name: "another limit", yaml: base + "protect: {limits: {icmp: 7}}\n", want: limited},
		{name: "wrong limits", yaml: base + "protect: {limits: {ping: 7, bgp: 0}}\n", err: []string{"protect.limits: ", "ping", "bgp: 0"}},
		{name: "no metrics", yaml: base + "metrics: {address: \"\"}\n", want: unread},
		{name: "metrics on management", yaml: base + "metrics: {address: \"[::]:9100\", device: mgmt}\n", want: read},
		{name: "metrics nowhere", yaml: base + "metrics: {address: 9100}\n", err: []string{"metrics.address: ", "HOST:PORT"}},
		{name: "templates nowhere", yaml: base + "frr: {template-dir: templates}\n", err: []string{"frr.template-dir: ", "absolute"}},
		{name: "flags come last", yaml: strings.ReplaceAll(base, "leaf01", "leaf09"), override: func(c *Config) { c.Switch = "leaf01" }, want: leaf},
		{name: "an unknown field", yaml: base + "confirm-windw: 7s\n", err: []string{"field confirm-windw not found"}},
		{name: "a wrong type", yaml: base + "confirm-window: often\n", err: []string{"line 8", "often"}},
		{name: "every fault at once", yaml: "switch: Leaf_1\nstate-dir: here\nnetwork-os: ios\nlog-level: loud\nheartbeat-ttl: 1ms\n",
			err: []string{"switch: ", "etcd.endpoints: ", "state-dir: ", "network-os: ", "log-level: ", "heartbeat-ttl: "}},
		{name: "an empty file", yaml: "", err: []string{"switch: ", "etcd.endpoints: "}},
		{name: "no TLS beyond loopback", yaml: strings.ReplaceAll(base, "insecure: true", "insecure: false"), err: []string{"etcd.endpoints: ", "insecure: true"}},
		{name: "half an access", yaml: strings.ReplaceAll(base, "bind-device: mgmt", "user: agent\n    cert: agent.pem"), err: []string{"etcd.cert: ", "etcd.user: "}},
		{name: "no port", yaml: strings.ReplaceAll(base, ":2379", ""), err: []string{"http://HOST:PORT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "agent.yaml")
			if err := os.WriteFile(file, []byte(tt.yaml), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := Load(file, tt.override)
			if (err == nil) != (len(tt.err) == 0) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			for _, want := range tt.err {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

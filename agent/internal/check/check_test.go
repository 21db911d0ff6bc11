package check

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/keys"
)

// expect wants one line in a state that says something, with a remedy unless it is ok.
func expect(t *testing.T, got []Result, state State, says string) {
	t.Helper()
	if len(got) != 1 || got[0].State != state || !strings.Contains(got[0].Detail, says) || (got[0].Remedy == "") != (state == OK) {
		t.Errorf("%+v, want %s: %s", got, state, says)
	}
}

func TestSupportedVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"8.4.4": true, "8.4": true, "10.0.1": true, "10.5.0-dev": true, "8.10": true, "9.0-rc1": true,
		"8.3.1": false, "7.5": false, "": false, "next": false, "8": false,
	} {
		if supported(version) != want {
			t.Errorf("%q supported: %v", version, !want)
		}
	}
}

func TestStateDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := stateDir(filepath.Join(dir, "not", "yet"))
	if good[0].State == Fail { // on a disk it is ok, in memory it is warned of
		t.Errorf("a directory that can be made: %+v", good)
	}
	expect(t, stateDir(file), Fail, "is no directory")
	expect(t, stateDir("/proc/pointsman"), Fail, "write to /proc")
	expect(t, stateDir("/dev/shm"), Warn, "in memory")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEtcd(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	cfg := config.Default()
	cfg.Switch, cfg.Etcd.Endpoints = "leaf01", []string{server.Endpoint}
	expect(t, etcd(t.Context(), cfg), Warn, `knows no switch "leaf01"`)
	etcdtest.Put(t, server.Client(t), keys.SwitchConfig("leaf01"), []byte("{}"))
	expect(t, etcd(t.Context(), cfg), OK, "knows this switch")

	away := cfg
	away.Etcd.Endpoints = []string{"http://" + etcdtest.FreeAddress(t)}
	expect(t, etcd(t.Context(), away), Fail, "connection refused")
	device := cfg
	device.Etcd.BindDevice = "no-such-device"
	expect(t, etcd(t.Context(), device), Fail, "no-such-device")
	user := cfg
	user.Etcd.User, user.Etcd.PasswordFile = "leaf01", filepath.Join(t.TempDir(), "none")
	expect(t, etcd(t.Context(), user), Fail, "none")
}

func TestTemplatesThatDoNotHold(t *testing.T) {
	cfg := config.Default()
	cfg.FRR.TemplateDir = t.TempDir()
	routing := frr.New(frr.Options{Dir: t.TempDir()})
	expect(t, ownTemplates(t.Context(), cfg, routing), OK, "built-in")
	if err := os.WriteFile(filepath.Join(cfg.FRR.TemplateDir, "port.tmpl"), []byte("{{ define \"port\" }}\n{{ nothing }}{{ end }}"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, ownTemplates(t.Context(), cfg, routing), Fail, "port.tmpl:2")
}

func TestDaemonsThatDoNotRun(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.FRR.SocketDir, cfg.FRR.ConfigFile = dir, filepath.Join(dir, "none", "frr.conf")
	states := map[string]State{}
	for _, r := range daemons(t.Context(), cfg, frr.New(frr.Options{Dir: dir})) {
		states[r.Name] = r.State
		if r.State != OK && r.Remedy == "" {
			t.Errorf("%+v has no remedy", r)
		}
	}
	for name, want := range map[string]State{"frr zebra": Fail, "frr bgpd": Fail, "frr bfdd": Fail, "frr staticd": Warn, "frr configuration file": Fail} {
		if states[name] != want {
			t.Errorf("%s: %q, want %s", name, states[name], want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	r := Report{Checks: []Result{ok("sysctls", "13 are there"), fail("kernel vrf", "a kernel with CONFIG_NET_VRF", "add a VRF: not supported")}}
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	want := "CHECK        STATE   FOUND\nsysctls      ok      13 are there\nkernel vrf   fail    add a VRF: not supported\n                       remedy: a kernel with CONFIG_NET_VRF\n"
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

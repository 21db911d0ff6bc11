package sonic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withPasswords is a layout of two instances, one of which has a password.
const withPasswords = `{
  "INSTANCES": {
    "redis": {"hostname": "127.0.0.1", "port": 6379, "unix_socket_path": "/var/run/redis/redis.sock"},
    "redis2": {"hostname": "127.0.0.1", "port": 6380, "unix_socket_path": "", "username": "admin", "password_path": "PASSWORD"}
  },
  "DATABASES": {
    "APPL_DB": {"id": 0, "separator": ":", "instance": "redis"},
    "ASIC_DB": {"id": 0, "separator": ":", "instance": "redis2"},
    "COUNTERS_DB": {"id": 2, "separator": ":", "instance": "redis2"},
    "CONFIG_DB": {"id": 14, "separator": "#", "instance": "redis"},
    "STATE_DB": {"id": 6, "separator": "|", "instance": "redis"},
    "VENDOR_DB": {"id": "what", "separator": 7}
  },
  "VERSION": "1.0"
}`

func TestLayout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(strings.Replace(withPasswords, "PASSWORD", file, 1), `{"id": "what", "separator": 7}`, `{"id": 99, "separator": "", "instance": "elsewhere"}`, 1)
	l, err := parseLayout([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if at := l.Databases[configDB]; at.ID != 14 || at.Separator != "#" || at.Instance != "redis" {
		t.Errorf("CONFIG_DB is at %+v", at)
	}
	if network, addr := l.Instances["redis"].address(); network != "tcp" || addr != "127.0.0.1:6379" {
		t.Errorf("without its socket, redis is dialled by %s %s", network, addr)
	}
	if network, addr := l.Instances["redis2"].address(); network != "tcp" || addr != "127.0.0.1:6380" {
		t.Errorf("redis2 is dialled by %s %s", network, addr)
	}
	if user, password, err := l.Instances["redis2"].credentials(); user != "admin" || password != "sesame" || err != nil {
		t.Errorf("redis2 is asked as %q with %q, %v", user, password, err)
	}
	socket := instance{Socket: file, Hostname: "127.0.0.1", Port: 1}
	if network, addr := socket.address(); network != "unix" || addr != file {
		t.Errorf("with its socket, redis is dialled by %s %s", network, addr)
	}
}

func TestLayoutThatIsWrong(t *testing.T) {
	good := strings.Replace(withPasswords, `"VENDOR_DB": {"id": "what", "separator": 7}`, `"X": {"id": 9}`, 1)
	if _, err := parseLayout([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"ASIC_DB"`, `"ASIC"`, "DATABASES.ASIC_DB: is missing"},
		{`"id": 14, "separator": "#", "instance": "redis"`, `"id": 14, "separator": "#", "instance": "redis3"`, `DATABASES.CONFIG_DB: instance "redis3" is not among INSTANCES ["redis" "redis2"]`},
		{`"id": 6, `, `"id": -6, `, "DATABASES.STATE_DB: id -6"},
		{`"separator": "#"`, `"separator": "*"`, `separator "*" is not one plain character`},
		{`"separator": "#"`, `"separator": ""`, `separator "" is not`},
		{`"port": 6380`, `"port": 0`, "port 0 is not in 1-65535"},
		{`"id": 6, `, `"id": 0, `, "id 0 of instance \"redis\" is that of APPL_DB too"},
		{`"VERSION"`, `VERSION`, "parse"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if _, err := parseLayout([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v; want %q", c.new, c.old, err, c.want)
		}
	}
}

func FuzzLayout(f *testing.F) {
	f.Add([]byte(withPasswords))
	f.Add([]byte(`{"INSTANCES":{},"DATABASES":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := parseLayout(raw)
		if err != nil {
			return
		}
		for _, name := range neededDatabases {
			at := l.Databases[name]
			if _, addr := l.Instances[at.Instance].address(); addr == "" || at.ID < 0 || len(at.Separator) != 1 {
				t.Errorf("%s is taken for one that can be opened: %+v", name, at)
			}
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("VLAN_INTERFACE|Vlan20|fd00:20:1::1/64")
	f.Add("PORT|")
	f.Fuzz(func(t *testing.T, text string) {
		k, ok := parseKey(text, "|")
		if !ok {
			return
		}
		if again, ok := parseKey(k.String(), "|"); !ok || again != k {
			t.Errorf("%q is %+v, whose text is %+v", text, k, again)
		}
		if err := validate(k, Row{}); err == nil && k.Sub == "" && strings.ContainsAny(k.Name, "*?[ \n") {
			t.Errorf("%q is a key that the agent would write", text)
		}
	})
}

func TestKeysInOrder(t *testing.T) {
	want := []string{"PORT|Ethernet0", "PORT|Ethernet8", "PORT|Ethernet16", "VLAN|Vlan20", "VLAN|Vlan1000"}
	for i := range want[1:] {
		if compareKeys(key(want[i]), key(want[i+1])) >= 0 {
			t.Errorf("%s does not come before %s", want[i], want[i+1])
		}
	}
}

package cumulus

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
)

// reader has ifupdown2's own parser read files, and prints what it finds and how often it complains.
const reader = `
import json, logging, sys
sys.path.insert(0, "/usr/share/ifupdown2")
from ifupdown.networkinterfaces import networkInterfaces
logging.disable(logging.CRITICAL)
out = []
for path in sys.argv[1:]:
    found = []
    parser = networkInterfaces(path)
    parser.subscribe("iface_found", lambda i: found.append([i.name, {k: v for k, v in i.config.items()}]))
    try:
        parser.load()
        errors = parser.errors
    except Exception as e:
        errors = -1
    out.append({"found": found, "errors": errors})
print(json.dumps(out))
`

// grammar are files, and whether ifupdown2 takes them.
var grammar = []struct {
	text  string
	taken bool
}{
	{installed, true},
	{"", true},
	{"auto lo\niface lo inet loopback\n\nauto swp1 swp2\niface swp1\n\tmtu 9216\n  link-speed 25000\niface swp2 inet6 static\n  address fd00::1/64\n  address fd00::2/64\n", true},
	{"iface swp[1-3]\n  alias port $IFACE\n", true},
	{"iface swp[1-2].100\n  vlan-id 100\niface br.[10-12]\n  mtu 1500\n", true},
	{"iface bridge\n  bridge-ports swp1 \\\n     swp2 \\\n\n   swp3\n  bridge_vids 10\n", true},
	{"iface a\n  alias x\\y\n\\\n  z\niface b\n", true},
	{"# a remark \\\niface hidden\niface seen\n", true},
	{"iface a\r\n  mtu 1\r\niface b\r  mtu 2\r", true},
	{"auto a\niface a\n  # inside\n\n  mtu 7\nallow-hotplug b\niface b\n  up echo  two  spaces\n", true},
	{"vlan v10\n  bridge x\n", true},
	{"iface a\n  mtu\n", false},
	{"hello world\n", false},
	{"iface a inet5\n", false},
	{"iface a inet magic\n", false},
	{"iface\n", false},
	{"auto\n", false},
	{"source\n", false},
	{"allow a\n", false},
}

// Our parser reads what ifupdown2's reads, and takes nothing that ifupdown2's does not.
func TestGrammarIsIfupdown2s(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-c", reader}
	for i, g := range grammar {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(g.text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	raw, err := exec.Command("python3", args...).Output()
	if err != nil {
		var said *exec.ExitError
		errors.As(err, &said)
		t.Fatal(err, said)
	}
	var theirs []struct {
		Found  [][2]json.RawMessage
		Errors int
	}
	if err := json.Unmarshal(raw, &theirs); err != nil {
		t.Fatal(err)
	}
	for i, g := range grammar {
		if taken := theirs[i].Errors == 0; taken != g.taken {
			t.Errorf("%q: ifupdown2 takes it: %v", g.text, taken)
		}
		file, err := interfaces.Parse(g.text)
		if (err == nil) != g.taken {
			t.Errorf("%q: ours: %v", g.text, err)
		}
		if err != nil {
			continue
		}
		want := []string{}
		for _, f := range theirs[i].Found {
			want = append(want, string(f[0])+canonical(t, f[1]))
		}
		if diff := cmp.Diff(want, devices(t, file)); diff != "" {
			t.Errorf("%q (-ifupdown2 +ours):\n%s", g.text, diff)
		}
	}
}

func devices(t *testing.T, file interfaces.File) []string {
	out := []string{}
	for _, e := range file.Foreign {
		if e.Keyword != "iface" && e.Keyword != "vlan" {
			continue
		}
		config := map[string][]string{}
		for _, a := range e.Attributes {
			config[a.Name] = append(config[a.Name], a.Value)
		}
		raw, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range e.Names {
			out = append(out, fmt.Sprintf("%q", name)+canonical(t, raw))
		}
	}
	return out
}

// canonical sorts what order means nothing for. $IFACE of a range is the range to ifupdown2, at that point.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	config := map[string][]string{}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, values := range config {
		out = append(out, fmt.Sprintf(" %s=%q", name, values))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

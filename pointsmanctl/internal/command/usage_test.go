package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// result is what a run printed and its exit code.
type result struct {
	code     int
	out, err string
}

// ctl runs pointsmanctl in this process, as main does.
func ctl(ctx context.Context, args ...string) result { return ctlWith(ctx, nil, "", args...) }

func ctlWith(ctx context.Context, env map[string]string, stdin string, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(ctx, args, World{
		In: strings.NewReader(stdin), Out: &out, Err: &errs, Getenv: func(k string) string { return env[k] }, Now: time.Now,
	})
	return result{code: code, out: out.String(), err: errs.String()}
}

// nobody is an address at which no control plane answers: port 1 of the loopback.
const nobody = "127.0.0.1:1"

// TestUsageErrors: what was typed wrong is said without asking anybody, and ends with 2.
func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args string
		says string
	}{
		{"bogus", `unknown command "bogus"`},
		{"network", "wants one of: create, delete, get, list, update"},
		{"network bogus", `knows no "bogus"`},
		{"network get", "accepts 1 arg(s), received 0"},
		{"network get a b", "accepts 1 arg(s), received 2"},
		{"network list --kind bogus", "give one of private, shared, external, underlay, pool"},
		{"network list -o xml", "give one of table, wide, json, yaml"},
		{"network create blue --announceable 10.0.0.0", "give PREFIX or PREFIX:MAXLEN"},
		{"network create blue --announceable 10.0.0.0/8:x", `"x" is no prefix length`},
		{"network create blue --ipv4-length many", "--ipv4-length"},
		{"ip allocate", `"network" not set`},
		{"ip allocate --network blue --family ipv5", "give one of ipv4, ipv6"},
		{"machine list --state lost", "give one of discovered, free"},
		{"machine adopt", "name a discovered machine"},
		{"machine override-release m1", `"reason" not set`},
		{"switch register", "name the switch, or give -f FILE"},
		{"switch register leaf01 -f x.yaml", "not both"},
		{"switch register leaf01 --role router", "give one of leaf, spine, border"},
		{"switch register leaf01 --role leaf --port swp1=disk", "port swp1"},
		{"switch update leaf01", "nothing to change"},
		{"switch update leaf01 --port swp1=disk", "give one of uplink, machine"},
		{"network update blue", "nothing to change: give --description, --label, --remove-label, --announceable, --no-announceable, --destination or --no-destination"},
		{"network update blue --announceable 10.0.0.0", "give PREFIX or PREFIX:MAXLEN"},
		{"network update blue --announceable 10.0.0.0/8 --no-announceable", "none of the others can be"},
		{"machine update machine01", "nothing to change: give --description, --label or --remove-label"},
		{"machine update machine01 --label owner", "must be formatted as key=value"},
		{"ip update 10.1.0.5 --network blue", `"description" not set`},
		{"allocation update web1", `"description" not set`},
		{"describe", "wants one of: allocation, machine, network, port, switch"},
		{"describe machine", "accepts 1 arg(s), received 0"},
		{"describe machine m1 --history -1", "give how many changes to show"},
		{"describe port leaf01", "name a port as SWITCH:PORT"},
		{"history --limit -1", "give how many changes to show"},
		{"context", "wants one of: delete, list, set, show, use"},
		{"allocate", `"network" not set`},
		{"allocate --network blue extra", `unknown command "extra"`},
		{"allocate --network blue --bogus", "unknown flag: --bogus"},
		{"allocate --network blue --wait-timeout soon", "--wait-timeout"},
		{"move --network blue", "accepts 1 arg(s), received 0"},
		{"move web1", `"network" not set`},
		{"version extra", "unknown command"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := ctl(t.Context(), append([]string{"--server", nobody}, strings.Fields(c.args)...)...)
			if r.code != exitUsage {
				t.Errorf("exit code %d, want %d", r.code, exitUsage)
			}
			if !strings.Contains(r.err, c.says) || !strings.Contains(r.err, "--help' for how to use it") {
				t.Errorf("says %q, want it to contain %q and the way to help", r.err, c.says)
			}
			if r.out != "" {
				t.Errorf("prints %q", r.out)
			}
		})
	}
}

// TestServerThatDoesNotAnswer: a failure ends with 1 and says whom it asked and what to do.
func TestServerThatDoesNotAnswer(t *testing.T) {
	for _, args := range [][]string{{"network", "list"}, {"allocate", "--network", "blue", "--wait"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel() // each tries for three seconds
			r := ctlWith(t.Context(), map[string]string{"POINTSMAN_SERVER": nobody}, "", args...)
			if r.code != exitFailure || !strings.Contains(r.err, nobody) || !strings.Contains(r.err, "--server or $POINTSMAN_SERVER") {
				t.Errorf("exit code %d, says %q", r.code, r.err)
			}
		})
	}
}

func TestSwitchFilesAreReadStrictly(t *testing.T) {
	for _, c := range []struct{ name, file, says string }{
		{"unknown field", "- id: leaf01\n  role: leaf\n  rak: rack1\n", "line 3: field rak"},
		{"unknown role", "- id: leaf01\n  role: router\n", `switch 1 ("leaf01"): role: "router" is not known`},
		{"unknown port role", "- id: leaf01\n  role: leaf\n- id: leaf02\n  role: leaf\n  ports: {swp1: disk}\n", `switch 2 ("leaf02"): port swp1`},
		{"no list", "id: leaf01\n", "cannot unmarshal"},
		{"empty", "", "names no switch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "switches.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o644); err != nil {
				t.Fatal(err)
			}
			for name, r := range map[string]result{
				"file":  ctl(t.Context(), "--server", nobody, "switch", "register", "-f", path),
				"stdin": ctlWith(t.Context(), nil, c.file, "--server", nobody, "switch", "register", "-f", "-"),
			} {
				if r.code != exitFailure || !strings.Contains(r.err, c.says) {
					t.Errorf("from %s: exit code %d, says %q, want %q", name, r.code, r.err, c.says)
				}
			}
		})
	}
}

// TestEveryCommandExplainsItself: help has a line, an example and described flags everywhere.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no short help", c.CommandPath())
		}
		if !c.HasSubCommands() && c.Example == "" && c.Name() != "version" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{World: Terminal()}).rootCommand())
}

package host

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// TestStatus: what the running speaker writes is what `host status` prints, as it is or as a table; unchanged, it is not written.
func TestStatus(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run", "host.json")
	h := &host{c: Config{StatusFile: file}, machine: Machine{Machine: "m1", Allocation: "a1", ASN: 4201000001}}
	h.owned = []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32")}
	h.sessions = []speaker.Session{{Interface: "lan0", Peer: hop0.Gateway, PeerASN: 4200000001, Established: true, State: "ESTABLISHED"}}
	h.routes = map[netip.Prefix][]speaker.NextHop{any4: {hop0, hop1}}
	if err := h.writeStatus(); err != nil {
		t.Fatal(err)
	}
	table := status(t, file, "table")
	for _, want := range []string{"machine     m1", "lan0    fe80::1  4200000001  ESTABLISHED", "0.0.0.0/0  [fe80::1%lan0 fe80::2%lan1]"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || status(t, file, "json") != string(text) {
		t.Errorf("json is not the file: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := h.writeStatus(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("an unchanged status was written again")
	}
	h.sessions = nil
	if err := h.writeStatus(); err != nil {
		t.Fatal(err)
	}
	if table := status(t, file, "table"); strings.Contains(table, "lan0    fe80::1") {
		t.Errorf("a session that is gone is in\n%s", table)
	}
}

func status(t *testing.T, file, format string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := Command()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"status", "--status-file", file, "-o", format})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

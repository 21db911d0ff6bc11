package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/system/identify"
)

func TestNetworkOS(t *testing.T) {
	root := t.TempDir()
	put := func(file, text string) {
		t.Helper()
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, networkOS(root, identify.Auto), OK, "linux (nothing says")
	put("etc/lsb-release", "DISTRIB_ID=\"Cumulus Linux\"\nDISTRIB_RELEASE=5.9.1\n")
	put("etc/systemd/system/multi-user.target.wants/nvued.service", "")
	put("etc/network/interfaces", "auto lo\ninterface lo\n")
	got := networkOS(root, identify.Auto)
	expect(t, got[:1], OK, "cumulus 5.9.1 (/etc/lsb-release)")
	for _, want := range []string{"NVUE is enabled", "line 2: \"interface lo\""} {
		found := false
		for _, r := range got[1:] {
			found = found || r.State == Fail && strings.Contains(r.Detail, want)
		}
		if !found {
			t.Errorf("nothing says %q: %+v", want, got)
		}
	}
	expect(t, networkOS(root, identify.Linux), OK, "linux (network-os: linux)")
}

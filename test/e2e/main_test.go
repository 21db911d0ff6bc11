// Package e2e holds the end-to-end scripts: real control plane, real agents, real FRR, one fabric for all of them. Each script
// leaves the fabric as it found it, which is asserted at its end; after a failure the fabric is diagnosed and booted anew.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// shared is the fabric that the scripts take turns on.
var shared struct {
	sync.Mutex
	f *fabric.Fabric
}

func TestMain(m *testing.M) {
	lab.Main()
	code := m.Run()
	if err := endShared(); err != nil {
		fmt.Fprintln(os.Stderr, "end the fabric:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func endShared() error {
	if shared.f == nil {
		return nil
	}
	f := shared.f
	shared.f = nil
	return f.Down()
}

// binaries is where `make build` puts them.
func binaries(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pointsman-agent", "pointsman-controlplane", "pointsmanctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("%v; run make build first", err)
		}
	}
	return dir
}

const scriptLimit = 20 * time.Minute

// fabricVar names the topology of test/lab/topologies that takes the place of the default one: "linux", for one.
const fabricVar = "POINTSMAN_FABRIC"

// defaultTopology is that of scripts that ask for none.
func defaultTopology(t testing.TB) *lab.Topology {
	t.Helper()
	name := os.Getenv(fabricVar)
	if name == "" {
		return lab.Default()
	}
	topology, err := lab.Load(filepath.Join("../lab/topologies", name+".yaml"))
	if err != nil {
		t.Fatalf("%s=%s: %v", fabricVar, name, err)
	}
	return topology
}

// onFabric runs a script on the shared fabric.
func onFabric(t *testing.T, script func(ctx context.Context, t *testing.T, f *fabric.Fabric)) {
	onFabricOf(t, nil, script)
}

// onFabricOf runs a script on the shared fabric of a topology, nil being the default one. Another topology ends the fabric that was
// there.
func onFabricOf(t *testing.T, topology *lab.Topology, script func(ctx context.Context, t *testing.T, f *fabric.Fabric)) {
	shared.Lock()
	defer shared.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), scriptLimit)
	defer cancel()
	if topology == nil {
		topology = defaultTopology(t)
	}
	if shared.f != nil && shared.f.Lab.Topology.Name != topology.Name {
		if err := endShared(); err != nil {
			t.Fatal(err)
		}
	}
	if shared.f == nil {
		f, err := fabric.Up(context.WithoutCancel(ctx), fabric.Options{Topology: topology, Binaries: binaries(t), Log: testLog{t}})
		if err != nil {
			t.Fatal(err)
		}
		shared.f = f
	}
	f := shared.f
	defer func() {
		if !t.Failed() {
			assertClean(ctx, t, f)
		}
		if !t.Failed() {
			return
		}
		diagnosis, cancel := context.WithTimeout(context.Background(), 75*time.Second)
		defer cancel()
		nodes := []string{"leaf01", "leaf02", "leaf03", "spine01", "machine01", "machine02"}
		if len(f.Inventory.Outside) > 0 {
			nodes = []string{"border01", "outside01", "leaf01", "leaf02", "machine01"}
		}
		f.Diagnose(diagnosis, os.Stdout, nodes...)
		if err := endShared(); err != nil {
			t.Errorf("end the fabric: %v", err)
		}
	}()
	script(ctx, t, f)
}

// testLog passes progress on to the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", trimNewline(p))
	return len(p), nil
}

func trimNewline(p []byte) []byte {
	for len(p) > 0 && p[len(p)-1] == '\n' {
		p = p[:len(p)-1]
	}
	return p
}

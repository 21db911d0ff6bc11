package cumulus

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m, frrguest.Releases()...) }

// TestConformance runs the suite on a real kernel with real FRR and real ifupdown2.
func TestConformance(t *testing.T) { conformance.Run(t, bench{}) }

type bench struct{}

// Stride implements conformance.Bench.
func (bench) Stride() int { return conformance.Sampled(4) }

// Fresh implements conformance.Bench.
func (bench) Fresh(t *testing.T) conformance.Switch { return newSwitch(t) }

// installed is the file as Cumulus Linux comes with it, and as an operator adds to it.
const installed = `# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*.intf

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
auto eth0
iface eth0
	alias out of band, \
	      by hand
`

const interfacesFile = "/etc/network/interfaces"

// onBench is a switch with ifupdown2's file.
type onBench struct {
	*kernelbench.Switch
	system *System
}

func newSwitch(t *testing.T) *onBench {
	t.Helper()
	if err := os.WriteFile(interfacesFile, []byte(installed), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &onBench{}
	b.Switch = kernelbench.New(t, func(s *kernelbench.Switch) (kernelbench.Backend, error) {
		if b.system != nil {
			b.system.prover.close() // it dies with the agent
		}
		var err error
		b.system, err = New(Options{Options: linux.Options{FRR: s.Client, Management: kernelbench.Management}, Run: ifupdown2()})
		if err == nil {
			b.system.prover.quiet = 100 * time.Millisecond // the suite asks after each change
		}
		return b.system, err
	})
	return b
}

// ifupdown2 runs its programs in this thread's namespace, and with the /sys of that.
func ifupdown2() func(ctx context.Context, name string, args ...string) ([]byte, error) {
	here := fmt.Sprintf("--net=/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	return func(ctx context.Context, name string, args ...string) ([]byte, error) {
		in := []string{here, "unshare", "-m", "sh", "-c", `mount -t sysfs sysfs /sys && exec "$@"`, "sh", "nice", "-n", proofNice, name}
		return exec.CommandContext(ctx, "nsenter", append(in, args...)...).CombinedOutput()
	}
}

// Foreign is what is foreign to any kernel, and what of the file is not between our marks.
func (b *onBench) Foreign() func() string {
	kernel := b.Switch.Foreign()
	return func() string {
		b.Helper()
		return kernel() + withoutOurs(b.file())
	}
}

func (b *onBench) file() string {
	b.Helper()
	raw, err := os.ReadFile(interfacesFile)
	if err != nil {
		b.Fatal(err)
	}
	return string(raw)
}

func withoutOurs(text string) string {
	before, rest, found := strings.Cut(text, "# pointsman begin")
	_, after, ended := strings.Cut(rest, "# pointsman end\n")
	if found != ended {
		return "marks that do not match:\n" + text
	}
	return before + after
}

// Listen hears of writes to the file, too.
func (b *onBench) Listen() func() []string {
	b.Helper()
	b.settled()
	kernel, before := b.Switch.Listen(), b.stamp()
	return func() []string {
		writes := kernel()
		b.settled()
		if now := b.stamp(); now != before {
			writes, before = append(writes, interfacesFile+" was written"), now
		}
		return writes
	}
}

// stamp tells one writing of the file from another, whatever is in it.
func (b *onBench) stamp() string {
	b.Helper()
	var st unix.Stat_t
	if err := unix.Stat(interfacesFile, &st); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(st.Ino, st.Mtim)
}

// settled waits until ifupdown2 has nothing more to prove.
func (b *onBench) settled() { b.system.prover.wg.Wait() }

// Proven implements conformance.Prover, with the test's patience.
func (b *onBench) Proven() error {
	b.settled()
	return b.system.prover.compare(b.Context(), b.system.read().file.Names())
}

var _ conformance.Prover = (*onBench)(nil)

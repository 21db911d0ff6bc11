// Package guest tests the FRR client, the text model and the templates together against real FRR in the lab's guest.
package guest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m, frrguest.Releases()...) }

const goldens = "../../../../../frr-templates/testdata"

// golden returns a configuration of the templates by its name.
func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goldens, name+".conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, text string) frr.Config {
	t.Helper()
	c, err := frr.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start starts FRR and a client of it.
func start(t *testing.T, v frrguest.Version, writer string) (*frrguest.FRR, *frrsystem.Client) {
	t.Helper()
	daemons := v.Start(t, "")
	client := frrsystem.New(frrsystem.Options{
		Dir: daemons.Dir, ConfigFile: filepath.Join(daemons.Dir, "frr.conf"), Writer: writer, Elsewhere: frrsystem.Elsewhere{Command: daemons.Command()},
		DeviceWait: 50 * time.Millisecond, // there are no devices
	})
	t.Cleanup(func() { client.Close() })
	return daemons, client
}

func timeout(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func running(t *testing.T, c *frrsystem.Client) frr.Config {
	t.Helper()
	config, err := c.Running(timeout(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// apply makes FRR run want and fails the test for each command that FRR refuses.
func apply(t *testing.T, c *frrsystem.Client, want frr.Config) []frr.Change {
	t.Helper()
	changes := frr.Diff(running(t, c), want)
	send(t, c, changes)
	return changes
}

func send(t *testing.T, c *frrsystem.Client, changes []frr.Change) {
	t.Helper()
	for i, err := range c.Apply(timeout(t, 3*time.Minute), changes) {
		if err != nil {
			t.Errorf("%v: %v", changes[i], err)
		}
	}
}

// expect fails the test if FRR does not run want: by the difference, and by the text of all that is ours.
func expect(t *testing.T, c *frrsystem.Client, want frr.Config) {
	t.Helper()
	have := running(t, c)
	if left := frr.Diff(have, want); len(left) > 0 {
		t.Errorf("still to do: %v", left)
	}
	if whole := frr.Carry(have, want); !have.Equal(whole) {
		t.Errorf("FRR runs something else: -want +running:\n%s", cmp.Diff(whole.String(), have.String()))
	}
}

// configured returns the configuration commands in a log of FRR's.
func configured(log string) []string {
	var out []string
	for _, m := range commandPattern.FindAllStringSubmatch(log, -1) {
		line := strings.TrimSpace(m[1])
		if word, _, _ := strings.Cut(line, " "); word != "show" && word != "enable" && word != "end" {
			out = append(out, line)
		}
	}
	return out
}

// commandPattern is how FRR logs a command: "BGP: [M7Q4P-46WDR] vty[18]@(config-router)# bgp router-id 10.0.0.1".
var commandPattern = regexp.MustCompile(`vty\[\d+\]@[^#>\n]*[#>] ([^\n]+)`)

package guest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestFallbacks: commands that FRR has moved to where we do not look for them are configured by vtysh, and if that fails too, by
// frr-reload.py; what FRR understands and refuses is refused at once. bgpd stands behind a door that knows no filter.
func TestFallbacks(t *testing.T) { frrguest.Each(t, testFallbacks) }

func testFallbacks(t *testing.T, v frrguest.Version) {
	daemons := v.Start(t, "")
	for _, broken := range []bool{false, true} {
		name := "vtysh"
		if broken {
			name = "frr-reload.py"
		}
		t.Run(name, func(t *testing.T) {
			client := frrsystem.New(frrsystem.Options{
				Dir: doors(t, daemons, regexp.MustCompile("^(no )?(ip prefix-list|route-map) ")), ConfigFile: filepath.Join(daemons.Dir, "frr.conf"),
				DeviceWait: 50 * time.Millisecond, Elsewhere: frrsystem.Elsewhere{Command: behind(daemons, broken)},
			})
			t.Cleanup(func() { client.Close() })
			want := parse(t, golden(t, "leaf"))
			apply(t, client, want)
			expect(t, client, want)
			refused := []frr.Change{{Context: []string{"router bgp 4200000001"}, Line: "neighbor swp1 interface peer-group NOBODY"}}
			begin := time.Now()
			if errs := client.Apply(timeout(t, 20*time.Second), refused); errs[0] == nil {
				t.Error("a neighbour of a group that is not there was accepted")
			}
			t.Logf("a refusal, after %v", time.Since(begin).Round(time.Millisecond))
			apply(t, client, frr.Config{})
			expect(t, client, frr.Config{})
		})
	}
}

// aroundDoors puts the true sockets, $1, over the doors, $2, for one command.
const aroundDoors = `mount --bind "$1" "$2" && shift 2 && case "$BROKEN $*" in "yes "*" -f "*) exit 1;; esac && exec "$@"`

const doorDir = "/tmp/doors"

// behind is what runs FRR's programs with the true sockets in the place of the doors. A broken one does not run `vtysh -f`.
func behind(daemons *frrguest.FRR, broken bool) []string {
	target, word := doorDir, "no"
	if root := daemons.Command(); len(root) > 0 {
		target = root[len(root)-1] + doorDir
	}
	if broken {
		word = "yes"
	}
	return slices.Concat([]string{"env", "BROKEN=" + word, "unshare", "-m", "sh", "-c", aroundDoors, "-", daemons.Dir, target}, daemons.Command())
}

// doors makes a directory of links to the daemons' sockets, but for bgpd's, which is a door: it passes everything on but commands that
// match, to which it says what a daemon says that does not know them.
func doors(t *testing.T, daemons *frrguest.FRR, unknown *regexp.Regexp) string {
	t.Helper()
	if err := os.MkdirAll(doorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(doorDir) })
	for _, name := range daemons.Version.Daemons {
		if name != "bgpd" {
			if err := os.Symlink(filepath.Join(daemons.Dir, name+".vty"), filepath.Join(doorDir, name+".vty")); err != nil {
				t.Fatal(err)
			}
		}
	}
	door, err := net.Listen("unix", filepath.Join(doorDir, "bgpd.vty"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { door.Close() })
	go func() {
		for {
			outside, err := door.Accept()
			if err != nil {
				return
			}
			inside, err := net.Dial("unix", filepath.Join(daemons.Dir, "bgpd.vty"))
			if err != nil {
				outside.Close()
				continue
			}
			go keep(outside, inside, unknown)
		}
	}()
	return doorDir
}

// keep passes commands in and answers out, one after the other.
func keep(outside, inside net.Conn, unknown *regexp.Regexp) {
	defer outside.Close()
	defer inside.Close()
	one := make([]byte, 1)
	read := func(from io.Reader, done func([]byte) bool) (text []byte, ok bool) {
		for !done(text) {
			if _, err := io.ReadFull(from, one); err != nil {
				return nil, false
			}
			text = append(text, one[0])
		}
		return text, true
	}
	for {
		command, ok := read(outside, func(b []byte) bool { return bytes.HasSuffix(b, []byte{0}) })
		if !ok {
			return
		}
		if unknown.Match(command) {
			fmt.Fprintf(outside, "%% Unknown command: %s\n\x00\x00\x00\x02", command[:len(command)-1])
			continue
		}
		if _, err := inside.Write(command); err != nil {
			return
		}
		answer, ok := read(inside, func(b []byte) bool { return len(b) > 3 && bytes.Equal(b[len(b)-4:len(b)-1], []byte{0, 0, 0}) })
		if !ok {
			return
		}
		if _, err := outside.Write(answer); err != nil {
			return
		}
	}
}

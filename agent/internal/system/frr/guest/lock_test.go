package guest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestLocks: while another program of ours writes, a change waits as long as its caller does, and then says who is in the way; so it is
// while somebody else holds mgmtd's own lock. Afterwards all is as ever.
func TestLocks(t *testing.T) { frrguest.Each(t, testLocks) }

func testLocks(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	port := []frr.Change{{Context: []string{"interface swp1"}, Line: "ipv6 nd ra-interval 1"}}
	apply(t, client, frr.Config{})
	file, err := os.OpenFile(filepath.Join(daemons.Dir, "pointsman.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	err = client.Apply(timeout(t, 100*time.Millisecond), port)[0]
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another program holds") {
		t.Errorf("while another program writes: %v", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if v.HasMgmtd() {
		somebody, err := net.Dial("unix", filepath.Join(daemons.Dir, "mgmtd.vty"))
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"enable", "configure terminal file-lock"} {
			if _, err := somebody.Write(append([]byte(command), 0)); err != nil {
				t.Fatal(err)
			}
			if _, err := somebody.Read(make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.Apply(timeout(t, 20*time.Second), port)[0]; err == nil || !strings.Contains(err.Error(), "somebody else configures FRR") {
			t.Errorf("while somebody holds mgmtd's lock: %v", err)
		}
		somebody.Close()
	}
	send(t, client, port)
	if !running(t, client).Reflects(port[0]) {
		t.Error("the change is not there")
	}
}

// Package sonicguest runs what a SONiC switch has beside its agent, for tests in the lab's guest: real Redis with the real layout of databases,
// ports, and the switch-state daemon, in the network namespace of the test.
package sonicguest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/test/lab/swstate"
)

// MAC is the switch's.
const MAC = "02:02:00:01:00:00"

// Options say what switch to run.
type Options struct {
	Ports    int           // Ethernet0, Ethernet4, …
	MaxDelay time.Duration // of the daemons; zero is the lab's
	Retry    time.Duration // zero is a second
	Seed     uint64
	// Split spreads the databases over two Redis: STATE_DB and ASIC_DB are in one of their own, which asks for a password.
	Split bool
}

// Switch is a running switch.
type Switch struct {
	// Dir holds database_config.json and config_db.json.
	Dir     string
	options Options
	clients map[string]*redis.Client
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the daemons have ended
	end     error         // why
	log     bytes.Buffer
}

// PortName is the nth port, from 0.
func PortName(n int) string { return fmt.Sprintf("Ethernet%d", 4*n) }

// PeerName is what the nth port is cabled to.
func PeerName(n int) string { return fmt.Sprintf("peer%d", n) }

// Start starts a switch and waits until it has initialised its ports. It ends with the test.
func Start(t testing.TB, o Options) *Switch {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sonic") // a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	s := &Switch{Dir: dir, options: o, clients: map[string]*redis.Client{}}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.addPorts(t)
	s.startDatabases(t)
	t.Cleanup(func() {
		_ = s.Stop(t)
		if t.Failed() { // the daemons have ended: nobody writes it
			t.Logf("the switch's log ends with:\n%s", s.log.Bytes()[max(0, s.log.Len()-6000):])
		}
		for _, c := range s.clients {
			_ = c.Close()
		}
	})
	s.writeConfig(t)
	s.Boot(t)
	return s
}

func (s *Switch) addPorts(t testing.TB) {
	t.Helper()
	for i := range s.options.Ports {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: PortName(i), MTU: 1500}, PeerName: PeerName(i)}
		if err := netlink.LinkAdd(link); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(link) })
		peer, err := netlink.LinkByName(PeerName(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(peer); err != nil {
			t.Fatal(err)
		}
	}
}

// Databases is the path of the database configuration.
func (s *Switch) Databases() string { return filepath.Join(s.Dir, "database_config.json") }

// Config is the path of the switch's saved configuration.
func (s *Switch) Config() string { return filepath.Join(s.Dir, "config_db.json") }

const password = "sesame"

func (s *Switch) startDatabases(t testing.TB) {
	t.Helper()
	first, second := filepath.Join(s.Dir, "redis.sock"), filepath.Join(s.Dir, "redis1.sock")
	instances := map[string]any{"redis": map[string]any{"hostname": "127.0.0.1", "port": 6379, "unix_socket_path": first}}
	startRedis(t, first, 6379, "")
	if s.options.Split {
		file := filepath.Join(s.Dir, "password")
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		instances["redis1"] = map[string]any{"hostname": "127.0.0.1", "port": 6380, "unix_socket_path": second, "password_path": file}
		startRedis(t, second, 6380, password)
	}
	databases := map[string]any{}
	for _, d := range []struct {
		name, separator string
		id              int
		apart           bool
	}{
		{"APPL_DB", ":", 0, false}, {"ASIC_DB", ":", 1, true}, {"COUNTERS_DB", ":", 2, false}, {"CONFIG_DB", "|", 4, false}, {"STATE_DB", "|", 6, true},
	} {
		o := &redis.Options{Network: "unix", Addr: first, DB: d.id}
		name := "redis"
		if d.apart && s.options.Split {
			name, o.Addr, o.Password = "redis1", second, password
		}
		databases[d.name] = map[string]any{"id": d.id, "separator": d.separator, "instance": name}
		s.clients[d.name] = redis.NewClient(o)
	}
	text, err := json.Marshal(map[string]any{"INSTANCES": instances, "DATABASES": databases, "VERSION": "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Databases(), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func startRedis(t testing.TB, socket string, port int, password string) {
	t.Helper()
	args := swstate.RedisArgs(socket, port)
	if password != "" {
		args = append(args, "--requirepass", password)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = filepath.Dir(socket)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("redis-server ended at once:\n%s", &out)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen after 20 s")
		}
	}
}

func (s *Switch) writeConfig(t testing.TB) {
	t.Helper()
	d := swstate.Device{Hostname: "leaf01", MAC: MAC}
	for i := range s.options.Ports {
		d.Ports = append(d.Ports, swstate.Port{Name: PortName(i), Alias: fmt.Sprintf("etp%d", i+1), Index: i + 1, Lanes: 1})
	}
	files, err := d.Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Config(), []byte(files[swstate.ConfigFile]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Boot fills CONFIG_DB from the saved configuration, starts the daemons, and waits until the ports are initialised. It is `config reload` for a
// switch that was stopped.
func (s *Switch) Boot(t testing.TB) {
	t.Helper()
	if err := swstate.Load(t.Context(), s.Databases(), s.Config()); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
}

// Run starts the daemons on CONFIG_DB as it is, and waits until the ports are initialised. It is a restart of swss for a switch that was stopped.
func (s *Switch) Run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		s.end = swstate.Run(ctx, swstate.Options{
			DatabaseConfig: s.Databases(), MaxDelay: s.options.MaxDelay, Retry: s.options.Retry, Seed: s.options.Seed, Log: &s.log,
			Ready: func() { close(ready) },
		})
	}()
	select {
	case <-ready:
	case <-s.ended:
		s.cancel = nil
		t.Fatalf("the switch's daemons ended at once: %v", s.end)
	}
	s.Await(t, "PortInitDone", func() bool { return s.Has("APPL_DB", "PORT_TABLE:PortInitDone") })
}

// Stop ends the daemons and returns why they had ended before, nil if they had not.
func (s *Switch) Stop(t testing.TB) *swstate.DiedError {
	t.Helper()
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	<-s.ended
	s.cancel = nil
	return s.verdict(t)
}

// Dead is closed when the daemons have ended.
func (s *Switch) Dead() <-chan struct{} { return s.ended }

// Died tells whether a daemon has died, and which; it does not wait.
func (s *Switch) Died(t testing.TB) *swstate.DiedError {
	t.Helper()
	select {
	case <-s.ended:
		return s.verdict(t)
	default:
		return nil
	}
}

func (s *Switch) verdict(t testing.TB) *swstate.DiedError {
	t.Helper()
	var died *swstate.DiedError
	if s.end != nil && !errors.As(s.end, &died) {
		t.Errorf("the switch's daemons ended: %v", s.end)
	}
	return died
}

// DB returns a client of a database, by its name: "CONFIG_DB".
func (s *Switch) DB(name string) *redis.Client { return s.clients[name] }

// Row reads a row, empty if there is none.
func (s *Switch) Row(t testing.TB, db, key string) map[string]string {
	t.Helper()
	row, err := s.DB(db).HGetAll(context.Background(), key).Result()
	if err != nil {
		t.Fatalf("read %s %s: %v", db, key, err)
	}
	return row
}

// Has tells whether a key is there.
func (s *Switch) Has(db, key string) bool {
	n, err := s.DB(db).Exists(context.Background(), key).Result()
	return err == nil && n == 1
}

// Await waits until a condition holds, half a minute at most.
func (s *Switch) Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

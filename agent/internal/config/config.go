// Package config reads agent.yaml: who this switch is, where its etcd is and how the agent behaves. It owns the file's form, its
// defaults and its checks; what the switch must be comes from etcd and is none of its business. The agent's commands call it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pointsman/pointsman/pkg/etcdaccess"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/identify"
)

// DefaultFile is where the agent's configuration lies.
const DefaultFile = "/etc/pointsman/agent.yaml"

// Config is agent.yaml. Durations are written like 10s.
type Config struct {
	// Switch is this switch's name in the inventory: a DNS label.
	Switch string `yaml:"switch"`
	Etcd   Etcd   `yaml:"etcd"`
	// StateDir keeps the last intent, the assignments and the journal over reboots.
	StateDir string `yaml:"state-dir"`
	// SendLLDP makes the agent send LLDP on all physical ports, where no other daemon does.
	SendLLDP bool `yaml:"lldp-send"`
	// Insecure allows an etcd beyond loopback without TLS.
	Insecure bool `yaml:"insecure"`
	// NetworkOS is auto, linux, cumulus or sonic; auto goes by what the switch says of itself.
	NetworkOS identify.OS `yaml:"network-os"`
	FRR       FRR         `yaml:"frr"`
	// Management are ports that the agent leaves alone, besides those in VRF mgmt.
	Management []string `yaml:"management-ports"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log-level"`
	// ConfirmWindow is how long after a change the health of what it does not concern is watched.
	ConfirmWindow time.Duration `yaml:"confirm-window"`
	// FullPass is how often everything is compared without an event.
	FullPass time.Duration `yaml:"full-pass"`
	// HeartbeatTTL is how long this switch counts as live after its last sign. Whole seconds.
	HeartbeatTTL time.Duration `yaml:"heartbeat-ttl"`
	Protect      Protect       `yaml:"protect"`
	Metrics      Metrics       `yaml:"metrics"`
}

// Protect is what the switch's own CPU takes from machines, and what their ports let pass.
type Protect struct {
	// Enabled keeps our table of nftables; false deletes it.
	Enabled bool `yaml:"enabled"`
	// Limits are in packets a second from one port to the CPU, by class: bgp, bfd, nd, icmp, dhcp.
	Limits map[string]int `yaml:"limits"`
}

// Plan is the same in the planner's words.
func (p Protect) Plan() plan.Protect {
	out := plan.Protect{On: p.Enabled, Limits: map[plan.CPUClass]int{}}
	for class, limit := range p.Limits {
		out.Limits[plan.CPUClass(class)] = limit
	}
	return out
}

// Etcd is the bus.
type Etcd struct {
	Endpoints []string `yaml:"endpoints"`
	// BindDevice is the device that connections leave by, such as the VRF of management.
	BindDevice string `yaml:"bind-device"`
	// CA is a file of certificates that etcd's own is checked with, instead of the system's.
	CA string `yaml:"ca"`
	// Cert and Key are files that prove to etcd who this switch is.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// User and PasswordFile are what etcd-users of the control plane made for this switch.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password-file"`
}

// Access is how to be let in.
func (e Etcd) Access() etcdaccess.Access {
	return etcdaccess.Access{Endpoints: e.Endpoints, CA: e.CA, Cert: e.Cert, Key: e.Key, User: e.User, PasswordFile: e.PasswordFile}
}

// FRR is where its daemons and files are.
type FRR struct {
	// SocketDir holds the daemons' vty sockets.
	SocketDir string `yaml:"socket-dir"`
	// ConfigFile is what FRR loads when it starts; the agent saves there.
	ConfigFile string `yaml:"config-file"`
	// BFDInterval is how often BFD packets are sent and expected; three lost ones end a session.
	BFDInterval time.Duration `yaml:"bfd-interval"`
	// TemplateDir holds templates that replace built-in ones of the same name. It need not be there.
	TemplateDir string `yaml:"template-dir"`
}

// Metrics is where Prometheus reads.
type Metrics struct {
	// Address is HOST:PORT; empty switches the endpoint off.
	Address string `yaml:"address"`
	// Device to listen on, such as the VRF of management; empty means any.
	Device string `yaml:"device"`
}

// check wants an address that can be listened on. What is counted is no secret of tenants, but whoever reads it beyond loopback is
// the operator's choice, so that it takes a word to open it.
func (m Metrics) check() error {
	if m.Address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(m.Address)
	if err != nil {
		return fmt.Errorf("%q is no HOST:PORT; empty switches metrics off", m.Address)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return fmt.Errorf("host %q is no IP address; empty means all", host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q is not in 1-65535", port)
	}
	return nil
}

// Load reads the file, lets override change it (flags come last) and checks the result. Errors name the field.
func Load(path string, override func(*Config)) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read agent configuration: %w", err)
	}
	cfg, err := parse(raw)
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	if override != nil {
		override(&cfg)
	}
	if err := cfg.check(); err != nil {
		return Config{}, fmt.Errorf("check %s: %w", path, err)
	}
	return cfg, nil
}

// Default is a configuration with everything but the name and the endpoints.
func Default() Config {
	return Config{
		StateDir: "/var/lib/pointsman", NetworkOS: identify.Auto, LogLevel: "info", Management: []string{"eth0"},
		FRR:           FRR{SocketDir: "/run/frr", ConfigFile: "/etc/frr/frr.conf", BFDInterval: 300 * time.Millisecond, TemplateDir: "/etc/pointsman/frr-templates"},
		ConfirmWindow: 5 * time.Second, FullPass: time.Minute, HeartbeatTTL: 10 * time.Second,
		Protect: Protect{Enabled: true}, Metrics: Metrics{Address: "127.0.0.1:7445"},
	}
}

func parse(raw []byte) (Config, error) {
	cfg := Default()
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, err
	}
	return cfg, nil
}

// Level is the log level.
func (c Config) Level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.LogLevel)) // check has read it
	return l
}

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (c Config) check() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}
	if !label.MatchString(c.Switch) {
		bad("switch", "%q is no DNS label", c.Switch)
	}
	if len(c.Etcd.Endpoints) == 0 {
		bad("etcd.endpoints", "none given")
	}
	for _, e := range c.Etcd.Endpoints {
		if err := c.checkEndpoint(e); err != nil {
			bad("etcd.endpoints", "%q: %w", e, err)
		}
	}
	if (c.Etcd.Cert == "") != (c.Etcd.Key == "") {
		bad("etcd.cert", "it goes with etcd.key: give both or neither")
	}
	if (c.Etcd.User == "") != (c.Etcd.PasswordFile == "") {
		bad("etcd.user", "it goes with etcd.password-file: give both or neither")
	}
	if len(c.Etcd.BindDevice) > 15 {
		bad("etcd.bind-device", "%q is longer than 15 characters", c.Etcd.BindDevice)
	}
	for _, p := range []struct{ field, path string }{{"state-dir", c.StateDir}, {"frr.socket-dir", c.FRR.SocketDir}, {"frr.config-file", c.FRR.ConfigFile}, {"frr.template-dir", c.FRR.TemplateDir}} {
		if !filepath.IsAbs(p.path) {
			bad(p.field, "%q is no absolute path", p.path)
		}
	}
	if c.FRR.BFDInterval < 10*time.Millisecond || c.FRR.BFDInterval > time.Minute {
		bad("frr.bfd-interval", "%s is not within 10ms and 1m", c.FRR.BFDInterval)
	}
	if err := c.Metrics.check(); err != nil {
		bad("metrics.address", "%w", err)
	}
	if len(c.Metrics.Device) > 15 {
		bad("metrics.device", "%q is longer than 15 characters", c.Metrics.Device)
	}
	if !slices.Contains(identify.Known, c.NetworkOS) {
		bad("network-os", "%q is unknown; known: %v", c.NetworkOS, identify.Known)
	}
	if err := new(slog.Level).UnmarshalText([]byte(c.LogLevel)); err != nil {
		bad("log-level", "%q is none of debug, info, warn, error", c.LogLevel)
	}
	for _, class := range slices.Sorted(maps.Keys(c.Protect.Limits)) {
		if !slices.Contains(plan.CPUClasses, plan.CPUClass(class)) {
			bad("protect.limits", "%q is unknown; known: bgp, bfd, nd, icmp, dhcp", class)
		} else if n := c.Protect.Limits[class]; n < 1 || n > 1_000_000 {
			bad("protect.limits", "%s: %d packets a second are not within 1 and 1000000", class, n)
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"confirm-window", c.ConfirmWindow}, {"full-pass", c.FullPass}, {"heartbeat-ttl", c.HeartbeatTTL}} {
		if d.value < time.Second {
			bad(d.field, "%v is shorter than a second", d.value)
		}
	}
	return errors.Join(errs...)
}

// checkEndpoint wants a URL, and beyond loopback one with TLS unless insecurity was asked for.
func (c Config) checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" {
		return errors.New("want http://HOST:PORT or https://HOST:PORT")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	if u.Scheme == "http" && !loopback && !c.Insecure {
		return errors.New("no TLS beyond loopback; set insecure: true to accept that")
	}
	return nil
}

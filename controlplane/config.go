package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/pointsman/pointsman/controlplane/internal/auth"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
)

// config is what a control plane is told. Each field is a flag, and each flag but --config is a field of the file.
type config struct {
	dataDir          string
	listen           string
	metricsListen    string
	etcd             etcdaccess.Access
	etcdListenClient string
	insecure         bool
	autoAdopt        bool
	quarantine       time.Duration
	logLevel         string
	readyFile        string
}

func (c *config) flags(f *pflag.FlagSet) {
	f.StringVar(&c.dataDir, "data-dir", "/var/lib/pointsman", "directory of the embedded etcd")
	f.StringVar(&c.listen, "listen", "127.0.0.1:7443", "HOST:PORT of the API, gRPC and REST; port 0 takes a free one")
	f.StringVar(&c.metricsListen, "metrics-listen", "", "HOST:PORT of the metrics for Prometheus (default 127.0.0.1:7444, or a free port if that of --listen is 0)")
	accessFlags(&c.etcd, f)
	f.StringVar(&c.etcdListenClient, "etcd-listen-client", "127.0.0.1:2379", "HOST:PORT at which agents reach the embedded etcd; port 0 takes a free one")
	f.BoolVar(&c.insecure, "insecure", false, "listen beyond the loopback although nobody proves who they are")
	f.BoolVar(&c.autoAdopt, "auto-adopt", false, "take each machine that is discovered into the inventory")
	f.DurationVar(&c.quarantine, "quarantine", 10*time.Minute, "how long released addresses, ASNs and VNIs rest before they are handed out again")
	f.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&c.readyFile, "ready-file", "", "file to write the addresses into, as JSON, once the control plane serves")
}

// accessFlags are those of all commands that reach an etcd.
func accessFlags(a *etcdaccess.Access, f *pflag.FlagSet) {
	f.StringSliceVar(&a.Endpoints, "etcd-endpoints", nil, "an etcd outside, instead of the embedded one: its endpoints, comma-separated; https:// is with TLS")
	f.StringVar(&a.CA, "etcd-ca", "", "file of the certificates that etcd's own is checked with (default those of the system)")
	f.StringVar(&a.Cert, "etcd-cert", "", "file of the certificate that proves to etcd who this is; read anew with each connection")
	f.StringVar(&a.Key, "etcd-key", "", "file of that certificate's key")
	f.StringVar(&a.User, "etcd-user", "", "user in an etcd with authentication")
	f.StringVar(&a.PasswordFile, "etcd-password-file", "", "file of that user's password")
}

// check says what is wrong with a configuration before anything is started.
func (c *config) check() error {
	errs := []error{auth.CheckListen("listen", c.listen, c.insecure), auth.CheckListen("metrics-listen", c.metricsAddress(), c.insecure)}
	errs = append(errs, checkAccess(c.etcd, c.insecure))
	if len(c.etcd.Endpoints) == 0 {
		errs = append(errs, auth.CheckListen("etcd-listen-client", c.etcdListenClient, c.insecure))
		if c.dataDir == "" {
			errs = append(errs, errors.New("data-dir is empty: the embedded etcd needs a directory"))
		}
	}
	if c.quarantine < 0 {
		errs = append(errs, fmt.Errorf("quarantine %s is negative", c.quarantine))
	}
	_, err := c.level()
	return errors.Join(append(errs, err)...)
}

// metricsAddress is where metrics are served. Who leaves the API's port open runs several control planes on one host.
func (c *config) metricsAddress() string {
	if c.metricsListen != "" {
		return c.metricsListen
	}
	if _, port, err := net.SplitHostPort(c.listen); err == nil && port == "0" {
		return "127.0.0.1:0"
	}
	return "127.0.0.1:7444"
}

// checkAccess says what is wrong before anything is tried. The fields are named as flags.
func checkAccess(a etcdaccess.Access, insecure bool) error {
	var errs []error
	if (a.Cert == "") != (a.Key == "") {
		errs = append(errs, errors.New("etcd-cert and etcd-key go together: give both or neither"))
	}
	if (a.User == "") != (a.PasswordFile == "") {
		errs = append(errs, errors.New("etcd-user and etcd-password-file go together: give both or neither"))
	}
	for _, endpoint := range a.Endpoints {
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "":
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q is none: give http://HOST:PORT or https://HOST:PORT", endpoint))
		case u.Scheme == "https":
		case a.CA != "" || a.Cert != "":
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q has no TLS, but etcd-ca or etcd-cert is given: say https", endpoint))
		case a.User != "" && !insecure && !loopback(u.Hostname()):
			errs = append(errs, fmt.Errorf("etcd-endpoints: %q would take the password beyond the loopback without TLS: say https, or --insecure if the network itself is trusted", endpoint))
		}
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (c *config) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return 0, fmt.Errorf("log-level %q is not known: give debug, info, warn or error", c.logLevel)
	}
	return level, nil
}

// readConfig sets the flags that a file names and that the command line does not. Fields of the file are flags by name, so that
// both are explained, typed and defaulted in one place.
func readConfig(path string, flags *pflag.FlagSet) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	fields := map[string]yaml.Node{}
	if err := yaml.NewDecoder(f).Decode(&fields); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read configuration %s: %w", path, err)
	}
	var errs []error
	for name, node := range fields {
		if err := setField(flags, name, node); err != nil {
			errs = append(errs, fmt.Errorf("%s, line %d: %w", path, node.Line, err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func setField(flags *pflag.FlagSet, name string, node yaml.Node) error {
	flag := flags.Lookup(name)
	if flag == nil || name == configFlag || name == "help" {
		return fmt.Errorf("field %q is not known: the fields are %s", name, strings.Join(fieldNames(flags), ", "))
	}
	var value string
	switch node.Kind {
	case yaml.ScalarNode:
		value = node.Value
	case yaml.SequenceNode:
		var list []string
		if err := node.Decode(&list); err != nil || flag.Value.Type() != "stringSlice" {
			return fmt.Errorf("field %q is not a list", name)
		}
		value = strings.Join(list, ",")
	default:
		return fmt.Errorf("field %q is neither a value nor a list", name)
	}
	if flag.Changed {
		return nil
	}
	if err := flag.Value.Set(value); err != nil {
		return fmt.Errorf("field %q: %w", name, err)
	}
	return nil
}

func fieldNames(flags *pflag.FlagSet) []string {
	var out []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != configFlag && f.Name != "help" {
			out = append(out, f.Name)
		}
	})
	return out
}

// Package frr speaks to FRR's daemons on their vty sockets: it reads the running configuration and the state of BGP, and sends
// the commands of a delta. It decides nothing: pkg/frr computes the delta, the planner its place in the order of a change, and
// the reconcile loop what to do about an error. The network OS backends call it.
//
// FRR has no lock between its clients (8.4.4 knows neither `configure exclusive` nor a file lock; in FRR 10 mgmtd alone has one, which
// is taken), so this one takes a lock of its own against other agents, and leaves it to the loop to see what a human changed.
//
// Which daemon takes which command differs between versions: FRR 10 has moved zebra's configuration to mgmtd. So zebra is asked what
// it knows (route.go), and what all daemons call unknown goes to those who know the way, vtysh and then frr-reload.py (fallback.go).
package frr

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

// How a delta is written.
const (
	// WriterVTY sends only the delta over the sockets: milliseconds.
	WriterVTY = "vty"
	// WriterShell gives the delta to `vtysh -f`, which knows which daemon takes which command: the first fallback, tenths of a second.
	WriterShell = "vtysh"
	// WriterReload gives the whole configuration to frr-reload.py, after a dry run: the last fallback, half a second and more.
	WriterReload = "reload"
)

// Options say where FRR is.
type Options struct {
	// Dir holds the daemons' sockets; empty means where FRR puts them.
	Dir string
	// ConfigFile is FRR's integrated configuration; empty means /etc/frr/frr.conf.
	ConfigFile string
	// Writer is WriterVTY, the default, WriterShell or WriterReload. What FRR does not know is tried by the next.
	Writer string
	// Elsewhere is where FRR's own programs, vtysh and frr-reload.py, are run, when that is not on this system itself.
	Elsewhere Elsewhere
	// DeviceWait is how long zebra may take to hear of a new device, a VRF's or a VNI's, before all goes on without; 0 means 5 s, less does
	// not wait at all.
	DeviceWait time.Duration
	Log        *slog.Logger
}

// Client is FRR on this host. It is safe for concurrent use; connections are made when they are needed, kept open, and made
// anew when a daemon restarted.
type Client struct {
	dir, configFile, writer string
	elsewhere               Elsewhere
	deviceWait              time.Duration
	log                     *slog.Logger
	daemons                 map[string]*daemon
	left                    map[string][]string // ports by the VRF that they left; of whoever holds the lock

	mu       sync.Mutex
	known    routes                      // as zebra last said
	versions map[string]string           // of daemons, as they last said
	failed   string                      // what frr-reload.py could not do either: it is not asked again
	copies   map[string]frr.Config       // what daemons hold of filters that are another's, as last read
	owners   owners                      // of FRR's configuration file, as last seen
	device   func(planned string) string // what a device is called that the planner knows by this name
}

// The daemons that we configure, in the order in which they are read.
const (
	mgmtd   = "mgmtd"
	zebra   = "zebra"
	bgpd    = "bgpd"
	bfdd    = "bfdd"
	staticd = "staticd"
)

var daemonNames = []string{mgmtd, zebra, bgpd, bfdd, staticd}

// optional daemons need not be there: staticd holds nothing of ours, and mgmtd only where zebra has left its configuration to it.
var optional = map[string]bool{staticd: true, mgmtd: true}

// New returns a client. It does not connect.
func New(o Options) *Client {
	c := &Client{
		dir: o.Dir, configFile: o.ConfigFile, writer: cmp.Or(o.Writer, WriterVTY), elsewhere: o.Elsewhere, deviceWait: cmp.Or(o.DeviceWait, defaultDeviceWait), log: o.Log,
		known: routes{zebra, zebra}, left: map[string][]string{}, versions: map[string]string{}, daemons: map[string]*daemon{}, copies: map[string]frr.Config{},
		device: func(planned string) string { return planned },
	}
	if c.dir == "" {
		c.dir = socketDir()
	}
	if c.configFile == "" {
		c.configFile = "/etc/frr/frr.conf"
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	for _, name := range daemonNames {
		c.daemons[name] = newDaemon(name, filepath.Join(c.dir, name+".vty"))
	}
	return c
}

// socketDir is where FRR's packages put the sockets: /var/run is a directory of its own on systems that merge nothing.
func socketDir() string {
	for _, dir := range []string{"/run/frr", "/var/run/frr"} {
		if _, err := os.Stat(filepath.Join(dir, zebra+".vty")); err == nil {
			return dir
		}
	}
	return "/run/frr"
}

// NameDevices says what a network OS whose own daemons make the devices calls those that the planner knows by another name.
func (c *Client) NameDevices(device func(planned string) string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.device = device
}

func (c *Client) named(planned string) string {
	c.mu.Lock()
	device := c.device
	c.mu.Unlock()
	return device(planned)
}

// Close closes the connections.
func (c *Client) Close() error {
	var errs []error
	for _, d := range c.daemons {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// show sends a command that changes nothing and returns its answer.
func (c *Client) show(ctx context.Context, daemon, command string) (string, error) {
	d := c.daemons[daemon]
	if err := d.acquire(ctx); err != nil {
		return "", err
	}
	defer d.release()
	return d.show(ctx, command)
}

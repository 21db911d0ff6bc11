// Package frr speaks to FRR's daemons on their vty sockets: it reads the running configuration and the state of BGP, and sends
// the commands of a delta. It decides nothing: pkg/frr computes the delta, the planner its place in the order of a change, and
// the reconcile loop what to do about an error. The network OS backends call it.
//
// FRR has no lock between its clients (8.4.4 knows neither `configure exclusive` nor a file lock), so this one takes a lock of
// its own against other agents, and leaves it to the loop to see what a human changed.
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
	// WriterReload gives the whole configuration to frr-reload.py, after a dry run: the fallback, half a second and more.
	WriterReload = "reload"
)

// Options say where FRR is.
type Options struct {
	// Dir holds the daemons' sockets; empty means where FRR puts them.
	Dir string
	// ConfigFile is FRR's integrated configuration; empty means /etc/frr/frr.conf.
	ConfigFile string
	// Writer is WriterVTY, the default, or WriterReload.
	Writer string
	// DeviceWait is how long zebra may take to hear of a new VNI's devices before the VNI is configured all the same; 0 means 5 s.
	DeviceWait time.Duration
	Log        *slog.Logger
}

// Client is FRR on this host. It is safe for concurrent use; connections are made when they are needed, kept open, and made
// anew when a daemon restarted.
type Client struct {
	dir, configFile, writer string
	deviceWait              time.Duration
	log                     *slog.Logger
	daemons                 map[string]*daemon

	mu     sync.Mutex
	copies map[string]frr.Config // what daemons hold of filters that are another's, as last read
	owners owners                // of FRR's configuration file, as last seen
}

// The daemons that we configure, in the order in which they are read.
const (
	zebra   = "zebra"
	bgpd    = "bgpd"
	bfdd    = "bfdd"
	staticd = "staticd"
)

var daemonNames = []string{zebra, bgpd, bfdd, staticd}

// optional daemons hold nothing of ours: without them, nothing is unknown.
var optional = map[string]bool{staticd: true}

// New returns a client. It does not connect.
func New(o Options) *Client {
	c := &Client{
		dir: o.Dir, configFile: o.ConfigFile, writer: o.Writer, deviceWait: cmp.Or(o.DeviceWait, defaultDeviceWait), log: o.Log,
		daemons: map[string]*daemon{}, copies: map[string]frr.Config{},
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

package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/templates"
	"github.com/pointsman/pointsman/pkg/keys"
)

const (
	frrTimeout  = 5 * time.Second
	etcdTimeout = 5 * time.Second
)

// daemons looks for FRR: who listens, in which version, and whether what is told can be kept.
func daemons(ctx context.Context, cfg config.Config, routing *frr.Client) []Result {
	ctx, cancel := context.WithTimeout(ctx, frrTimeout)
	defer cancel()
	var out []Result
	for _, d := range routing.Daemons(ctx) {
		out = append(out, daemon(d, cfg.FRR.SocketDir))
	}
	out = append(out, configFile(cfg.FRR.ConfigFile))
	if _, err := exec.LookPath("vtysh"); err != nil {
		out = append(out, warn("frr vtysh", "install FRR's vtysh: an operator's templates are tried with it before they are in force", "not found in PATH"))
	}
	return out
}

func daemon(d frr.DaemonState, dir string) Result {
	name := "frr " + d.Name
	switch {
	case d.Err == nil && !supported(d.Version):
		return fail(name, "install FRR 8.4 or newer: the templates are written for it", "version %s", d.Version)
	case d.Err == nil:
		return ok(name, "version %s", d.Version)
	case d.Optional:
		return warn(name, fmt.Sprintf("%s=yes in /etc/frr/daemons if you configure static routes", d.Name), "%v", d.Err)
	case errors.Is(d.Err, os.ErrPermission):
		return fail(name, "run as root, or in group frrvty", "%v", d.Err)
	}
	return fail(name, fmt.Sprintf("%s=yes in /etc/frr/daemons, start FRR, and see that its sockets are in %s (frr.socket-dir)", d.Name, dir), "%v", d.Err)
}

// supported versions have what the templates say: 8.4 and newer.
func supported(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(minor, "-")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errors.Join(errA, errB) == nil && (a > 8 || a == 8 && b >= 4)
}

// configFile must be replaceable: it is written beside and renamed.
func configFile(path string) Result {
	const name = "frr configuration file"
	remedy := "make the directory of " + path + " writable for the agent; or set frr.config-file"
	if err := tryWrite(filepath.Dir(path)); err != nil {
		return fail(name, remedy, "%v", err)
	}
	return ok(name, "%s can be saved", path)
}

// ownTemplates tries an operator's templates as the agent will.
func ownTemplates(ctx context.Context, cfg config.Config, routing *frr.Client) []Result {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	set, err := templates.Load(ctx, cfg.FRR.TemplateDir, nil, routing.DryRun)
	switch {
	case err != nil:
		return []Result{fail("frr templates", "mend the line, or take the file away: until then the built-in templates are in force", "%v", err)}
	case set == nil:
		return []Result{ok("frr templates", "built-in")}
	}
	return []Result{ok("frr templates", "replaced: %s", strings.Join(set.Replaced(), ", "))}
}

// etcd asks for this switch's configuration, by the way and as the user that the agent will take.
func etcd(ctx context.Context, cfg config.Config) []Result {
	const name = "etcd"
	if dev := cfg.Etcd.BindDevice; dev != "" {
		if _, err := netlink.LinkByName(dev); err != nil {
			return []Result{fail(name, "make the device, or set etcd.bind-device to that of management; empty means any", "connections are to leave by device %s: %v", dev, err)}
		}
	}
	client, err := intent.Dial(cfg.Etcd.Access(), cfg.Etcd.BindDevice, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Result{fail(name, "mend what is named here in the configuration below etcd", "%v", err)}
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	if err := intent.Reach(ctx, cfg.Etcd.Endpoints, cfg.Etcd.BindDevice); err != nil {
		return []Result{fail(name, "check that etcd runs, etcd.endpoints, etcd.bind-device, and the route there", "%v", err)}
	}
	answer, err := client.Get(ctx, keys.SwitchConfig(cfg.Switch))
	at := strings.Join(cfg.Etcd.Endpoints, ", ")
	switch {
	case err != nil:
		return []Result{fail(name, "somebody listens there: check that it is etcd, and etcd.ca, cert, user and password-file", "%s: %v", at, err)}
	case len(answer.Kvs) == 0:
		return []Result{warn(name, fmt.Sprintf("register it: pointsmanctl register %s", cfg.Switch), "%s answers, and knows no switch %q", at, cfg.Switch)}
	}
	return []Result{ok(name, "%s answers at revision %d, and knows this switch", at, answer.Header.Revision)}
}

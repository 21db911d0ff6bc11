package sonic

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// checkTimeout is how long the databases may take to answer.
const checkTimeout = 5 * time.Second

// Check tells what stands in the way of an agent on a SONiC switch whose files are in root, each with what to do.
func Check(root string) []error {
	var errs []error
	if _, _, err := readSaved(filepath.Join(root, DefaultConfigFile)); err != nil {
		errs = append(errs, fmt.Errorf("%w; save the configuration: config save", err))
	}
	dbs, err := openDatabases(filepath.Join(root, DefaultDatabaseConfig))
	if err != nil {
		return append(errs, fmt.Errorf("%w; start the database container: systemctl start database", err))
	}
	defer func() { _ = dbs.close() }()
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	return append(errs, dbs.obstacles(ctx)...)
}

// obstacles are those that the databases know of.
func (d databases) obstacles(ctx context.Context) []error {
	config, err := d.readConfig(ctx)
	if err != nil {
		return []error{fmt.Errorf("%w; start the database container: systemctl start database", err)}
	}
	_, errMAC := parseMAC(config.metadata()["mac"])
	if errMAC != nil {
		errMAC = fmt.Errorf("DEVICE_METADATA|localhost: mac: %w: without it tenants' router MAC would change; set the switch's base MAC", errMAC)
	}
	var out []error
	for _, err := range []error{d.ready(ctx), config.checkRouting(), errMAC, config.checkTunnel()} {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}

// checkTunnel wants at most one tunnel and one overlay: SONiC takes no more.
func (r rows) checkTunnel() error {
	tunnels, overlays := r.of(tableTunnel), r.of(tableNVO)
	switch {
	case len(tunnels) > 1:
		return fmt.Errorf("%s and %s: SONiC takes one tunnel; delete one", tunnels[0], tunnels[1])
	case len(overlays) > 1:
		return fmt.Errorf("%s and %s: SONiC takes one overlay; delete one", overlays[0], overlays[1])
	case len(overlays) == 1 && len(tunnels) == 0:
		return errors.New(overlays[0].String() + ": there is no tunnel for it; delete it")
	case len(tunnels) == 1:
		if err := validate(tunnels[0], Row{"src_ip": r[tunnels[0]]["src_ip"]}); err != nil {
			return fmt.Errorf("%w; name the tunnel otherwise", err)
		}
	}
	return nil
}

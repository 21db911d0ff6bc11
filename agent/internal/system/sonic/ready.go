package sonic

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ErrNotReady is returned while SONiC's own daemons are starting or loading: what is read then is not what the switch is, and what is
// written is lost or harmful.
var ErrNotReady = errors.New("SONiC is not ready")

const (
	portInitDone = "PortInitDone"
	initialised  = "CONFIG_DB_INITIALIZED"
)

// ready waits for nothing; it tells whether orchagent has its ports (after a boot, a restart of swss, a config reload), and whether
// CONFIG_DB is loaded.
func (d databases) ready(ctx context.Context) error {
	appl, config := d[applDB], d[configDB]
	n, err := appl.client.Exists(ctx, "PORT_TABLE"+appl.separator+portInitDone).Result()
	switch {
	case err != nil:
		return appl.failed("ask whether ports are initialised", err)
	case n == 0:
		return fmt.Errorf("%w: %s has no PORT_TABLE%s%s: orchagent has not made its ports yet, or swss does not run (docker ps; systemctl status swss)", ErrNotReady, applDB, appl.separator, portInitDone)
	}
	switch loaded, err := config.client.Get(ctx, initialised).Result(); {
	case errors.Is(err, redis.Nil): // an image that does not say
	case err != nil:
		return config.failed("ask whether the configuration is loaded", err)
	case loaded != "1":
		return fmt.Errorf("%w: %s is %q: a configuration is being loaded", ErrNotReady, initialised, loaded)
	}
	return nil
}

// routingMode is the mode in which frr.conf is its owner's: in all others bgpcfgd writes it anew at each start of the container.
const routingMode = "split-unified"

// checkRouting tells why FRR's configuration is not ours to write, or nil.
func (r rows) checkRouting() error {
	if mode := r.metadata()["docker_routing_config_mode"]; mode != routingMode {
		return fmt.Errorf("DEVICE_METADATA|localhost: docker_routing_config_mode is %q, must be %q, or SONiC overwrites FRR's configuration: "+
			"sonic-db-cli CONFIG_DB HSET 'DEVICE_METADATA|localhost' docker_routing_config_mode %s, config save, and restart bgp", mode, routingMode, routingMode)
	}
	return nil
}

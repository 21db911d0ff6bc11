package sonic

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// patterns of keys whose changes matter, by database. The separator stands as "|", and is the database's own when it is asked.
type patterns map[string][]string

// acknowledgements are what waits wait for.
var acknowledgements = patterns{
	stateDB: {statePort + "|*", stateVLAN + "|*", stateMember + "|*", stateInterface + "|*", stateVRFObject + "|*"},
	asicDB:  {asicState + "|" + bridgePortType + "|*", asicState + "|" + routerIfaceType + "|*", asicState + "|" + mapEntryType + "|*"},
}

// everything is what Observe reads.
var everything = patterns{
	configDB: {tablePort + "|*", tableInterface + "|*", tableVLAN + "|*", tableMember + "|*", tableVLANInterface + "|*", tableVRF + "|*", tableTunnel + "|*", tableNVO + "|*", tableTunnelMap + "|*", tableMetadata + "|*", initialised},
	stateDB:  acknowledgements[stateDB],
	asicDB:   acknowledgements[asicDB][:2],
	applDB:   {"PORT_TABLE|" + portInitDone},
}

// listen calls heard for each change of a key that matters, until ctx ends or Redis does. told is false where the databases tell of
// nothing: then heard is never called. Redis' setting is left as it is: it is the switch's.
func (d databases) listen(ctx context.Context, of patterns, heard func(database, key string)) (told bool, done <-chan error, err error) {
	for name := range of {
		if told, err = d[name].notifies(ctx); err != nil || !told {
			return false, nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	ends := make(chan error, len(of))
	for name, keys := range of {
		if err := d[name].subscribe(ctx, keys, heard, ends); err != nil {
			cancel()
			return false, nil, err
		}
	}
	end := make(chan error, 1)
	go func() {
		defer cancel()
		end <- <-ends // the first that ends, ends all: there would be a gap
	}()
	return true, end, nil
}

// subscribe hears the changes of keys.
func (d database) subscribe(ctx context.Context, keys []string, heard func(database, key string), end chan<- error) error {
	prefix := fmt.Sprintf("__keyspace@%d__:", d.id)
	var channels []string
	for _, k := range keys {
		channels = append(channels, prefix+strings.ReplaceAll(k, "|", d.separator))
	}
	p := d.client.PSubscribe(ctx, channels...)
	for range channels {
		if _, err := p.Receive(ctx); err != nil {
			return errors.Join(d.failed("subscribe to changes", err), p.Close())
		}
	}
	go func() { end <- errors.Join(d.follow(ctx, p, prefix, heard), p.Close()) }()
	return nil
}

func (d database) follow(ctx context.Context, p *redis.PubSub, prefix string, heard func(database, key string)) error {
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer stop()
	for {
		m, err := p.ReceiveMessage(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return d.failed("hear changes", err)
		}
		heard(d.name, strings.TrimPrefix(m.Channel, prefix))
	}
}

package intent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// Reach tells why no endpoint takes a connection; nil if one does. A client of etcd only says that it waited in vain.
func Reach(ctx context.Context, endpoints []string, bind string) error {
	dialer := dialer(bind)
	var errs []error
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			errs = append(errs, fmt.Errorf("read endpoint %q: %w", endpoint, err))
			continue
		}
		conn, err := dialer.DialContext(ctx, "tcp", u.Host)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

package nft

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Listen begins to call changed whenever somebody, we included, has changed our table. When ctx ends, or it can hear no more, it
// says why on done.
func (Table) Listen(ctx context.Context, changed func()) (done <-chan error, err error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("watch nftables: %w", err)
	}
	if err := c.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		return nil, errors.Join(fmt.Errorf("watch nftables: %w", err), c.Close())
	}
	ended := make(chan error, 1)
	go func() {
		ended <- listen(ctx, c, changed)
	}()
	return ended, nil
}

func listen(ctx context.Context, c *netlink.Conn, changed func()) error {
	end := func() { _ = c.Close() }
	stop := context.AfterFunc(ctx, end)
	defer func() {
		if stop() {
			end()
		}
	}()
	for {
		messages, err := c.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // anything may have happened
			changed()
			continue
		case err != nil:
			return fmt.Errorf("watch nftables: %w", err)
		}
		for _, m := range messages {
			if concernsUs(m) {
				changed()
				break
			}
		}
	}
}

// concernsUs: the first attribute of tables, chains and rules alike is the name of their table.
func concernsUs(m netlink.Message) bool {
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || len(m.Data) < 4 || m.Data[0] != unix.NFPROTO_INET {
		return false
	}
	d, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		return false
	}
	for d.Next() {
		if d.Type() == unix.NFTA_TABLE_NAME {
			return d.String() == plan.ProtectTable
		}
	}
	return false
}

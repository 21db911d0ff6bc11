package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// chains lists the chains of our table without their rules; nil means that there is no table. google/nftables does not tell which
// device a chain hangs on, and a chain that hangs on none guards nothing.
func chains(c *netlink.Conn) (map[string]plan.Chain, error) {
	if there, err := tableThere(c); err != nil || !there {
		return nil, err
	}
	messages, err := c.Execute(message(unix.NFT_MSG_GETCHAIN, netlink.Dump, nil))
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	out := map[string]plan.Chain{}
	for _, m := range messages {
		table, name, chain, err := parseChain(m)
		if err != nil {
			return nil, fmt.Errorf("list chains: %w", err)
		}
		if table == plan.ProtectTable {
			out[name] = chain
		}
	}
	return out, nil
}

func tableThere(c *netlink.Conn) (bool, error) {
	name, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_TABLE_NAME, Data: append([]byte(plan.ProtectTable), 0)}})
	if err != nil {
		return false, err
	}
	_, err = c.Execute(message(unix.NFT_MSG_GETTABLE, 0, name))
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for table %q: %w", plan.ProtectTable, err)
	}
	return true, nil
}

// message is a request of nftables about family inet (struct nfgenmsg: family, version, resource).
func message(kind int, flags netlink.HeaderFlags, attributes []byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, attributes...),
	}
}

func parseChain(m netlink.Message) (table, name string, chain plan.Chain, err error) {
	d, err := decoder(m.Data, 4)
	if err != nil {
		return "", "", chain, err
	}
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_CHAIN_TABLE:
			table = d.String()
		case unix.NFTA_CHAIN_NAME:
			name = d.String()
		case unix.NFTA_CHAIN_HOOK:
			d.Nested(func(d *netlink.AttributeDecoder) error { return parseHook(d, &chain) })
		}
	}
	return table, name, chain, d.Err()
}

func parseHook(d *netlink.AttributeDecoder, chain *plan.Chain) error {
	d.ByteOrder = binary.BigEndian
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_HOOK_HOOKNUM:
			number := d.Uint32()
			chain.Hook = plan.Hook(fmt.Sprint(number))
			for hook, n := range hooks {
				if uint32(n) == number {
					chain.Hook = hook
				}
			}
		case unix.NFTA_HOOK_DEV:
			chain.Device = d.String()
		}
	}
	return d.Err()
}

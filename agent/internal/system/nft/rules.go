package nft

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// opaque is an expression that no rule of ours is made of.
type opaque string

// rules lists the rules of our table by chain, with one dump. It reads them itself: google/nftables leaves out expressions that it
// does not know, so that a foreign rule could look like ours, and stumbles over the padding that the kernel puts into a limit.
func rules(c *netlink.Conn) (map[string][]string, error) {
	table, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: append([]byte(plan.ProtectTable), 0)}})
	if err != nil {
		return nil, err
	}
	messages, err := c.Execute(message(unix.NFT_MSG_GETRULE, netlink.Dump, table))
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	out := map[string][]string{}
	for _, m := range messages {
		chain, exprs, err := parseRule(m)
		if err != nil {
			return nil, fmt.Errorf("read rule of chain %q: %w", chain, err)
		}
		out[chain] = append(out[chain], decompile(exprs))
	}
	return out, nil
}

func parseRule(m netlink.Message) (chain string, exprs []any, err error) {
	d, err := decoder(m.Data, 4)
	if err != nil {
		return "", nil, err
	}
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_RULE_CHAIN:
			chain = d.String()
		case unix.NFTA_RULE_EXPRESSIONS:
			d.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					list.Nested(func(d *netlink.AttributeDecoder) error {
						e, err := parseExpr(d)
						exprs = append(exprs, e)
						return err
					})
				}
				return list.Err()
			})
		}
	}
	return chain, exprs, d.Err()
}

func decoder(data []byte, skip int) (*netlink.AttributeDecoder, error) {
	if len(data) < skip {
		return nil, fmt.Errorf("message of %d bytes is too short", len(data))
	}
	d, err := netlink.NewAttributeDecoder(data[skip:])
	if err == nil {
		d.ByteOrder = binary.BigEndian
	}
	return d, err
}

// parseExpr reads an expression: its name, then its data.
func parseExpr(d *netlink.AttributeDecoder) (any, error) {
	name, data := "", []byte(nil)
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_EXPR_NAME:
			name = d.String()
		case unix.NFTA_EXPR_DATA:
			data = d.Bytes()
		}
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return exprOf(name, data)
}

func exprOf(name string, data []byte) (any, error) {
	var e expr.Any
	switch name {
	case "meta":
		e = &expr.Meta{}
	case "payload":
		e = &expr.Payload{}
	case "bitwise":
		e = &expr.Bitwise{}
	case "cmp":
		e = &expr.Cmp{}
	case "counter":
		e = &expr.Counter{}
	case "immediate":
		return parseImmediate(data)
	case "dynset":
		return parseDynset(data)
	default:
		return opaque(name), nil
	}
	if err := expr.Unmarshal(unix.NFPROTO_INET, data, e); err != nil {
		return nil, fmt.Errorf("expression %q: %w", name, err)
	}
	return e, nil
}

// parseImmediate reads a verdict; an immediate value for a register is none of ours.
func parseImmediate(data []byte) (any, error) {
	immediate, verdict := &expr.Immediate{}, &expr.Verdict{}
	if err := expr.Unmarshal(unix.NFPROTO_INET, data, immediate); err != nil {
		return nil, fmt.Errorf("immediate: %w", err)
	}
	if immediate.Register != unix.NFT_REG_VERDICT {
		return opaque("immediate"), nil
	}
	if err := expr.Unmarshal(unix.NFPROTO_INET, data, verdict); err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	return verdict, nil
}

// parseDynset reads an update of a set by the loaded value, with one limit.
func parseDynset(data []byte) (any, error) {
	d, err := decoder(data, 0)
	if err != nil {
		return nil, err
	}
	e, others := &expr.Dynset{}, false
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_DYNSET_SET_NAME:
			e.SetName = d.String()
		case unix.NFTA_DYNSET_SREG_KEY:
			e.SrcRegKey = d.Uint32()
		case unix.NFTA_DYNSET_OP:
			e.Operation = d.Uint32()
		case unix.NFTA_DYNSET_EXPR:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				limit, err := parseLimit(d)
				others = others || limit == nil
				e.Exprs = []expr.Any{limit}
				return err
			})
		case unix.NFTA_DYNSET_FLAGS:
			others = others || d.Uint32()&unix.NFT_DYNSET_F_INV != 0
		case unix.NFTA_DYNSET_TIMEOUT:
			others = others || d.Uint64() != 0
		case unix.NFTA_DYNSET_SREG_DATA, expr.NFTA_DYNSET_EXPRESSIONS:
			others = true
		}
	}
	if others || len(e.Exprs) != 1 {
		return opaque("dynset"), d.Err()
	}
	return e, d.Err()
}

func parseLimit(d *netlink.AttributeDecoder) (limit *expr.Limit, err error) {
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_EXPR_NAME:
			if d.String() == "limit" {
				limit = &expr.Limit{}
			}
		case unix.NFTA_EXPR_DATA:
			if limit != nil {
				d.Nested(func(d *netlink.AttributeDecoder) error { return limitValues(d, limit) })
			}
		}
	}
	return limit, d.Err()
}

func limitValues(d *netlink.AttributeDecoder, limit *expr.Limit) error {
	d.ByteOrder = binary.BigEndian
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_LIMIT_RATE:
			limit.Rate = d.Uint64()
		case unix.NFTA_LIMIT_UNIT:
			limit.Unit = expr.LimitTime(d.Uint64())
		case unix.NFTA_LIMIT_BURST:
			limit.Burst = d.Uint32()
		case unix.NFTA_LIMIT_TYPE:
			limit.Type = expr.LimitType(d.Uint32())
		case unix.NFTA_LIMIT_FLAGS:
			limit.Over = d.Uint32()&unix.NFT_LIMIT_F_INV != 0
		}
	}
	return d.Err()
}

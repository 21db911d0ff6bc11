// Package nft owns our table of nftables: it reads its chains back in the planner's words, and changes them in one transaction. What
// the rules are is the planner's business (plan/protect.go); tables of others are neither read nor touched. The network operating
// systems that run on a Linux kernel call it.
package nft

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Table is our table in the calling thread's network namespace. The zero value is ready for use; each call opens a socket of its own.
type Table struct{}

// hookIngress is the number of the ingress hook in family inet; in family netdev it is another.
const hookIngress = 5

var (
	self  = &nftables.Table{Name: plan.ProtectTable, Family: nftables.TableFamilyINet}
	hooks = map[plan.Hook]nftables.ChainHook{plan.HookInput: *nftables.ChainHookInput, plan.HookIngress: hookIngress}
)

// marks is how many ports a limit can tell apart: as many as there is room for in the mark.
const marks = 1 << 16

// buffer holds a transaction for a switch with hundreds of ports, and the kernel's answers to it.
const buffer = 8 << 20

func dial() (*nftables.Conn, error) {
	c, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(buffer), c.SetWriteBuffer(buffer))
	}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return c, nil
}

// Supported tells whether the kernel has what the rules need, and else what it said. Where our table is, it has; else it tries, and
// leaves nothing behind.
func Supported() error {
	if have, err := hooksNow(); err == nil && have != nil {
		return nil // an agent that starts again on a healthy switch writes nothing
	}
	c, err := dial()
	if err != nil {
		return err
	}
	trial := &nftables.Table{Name: plan.ProtectTable + "-trial", Family: nftables.TableFamilyINet}
	c.AddTable(trial)
	accept := nftables.ChainPolicyAccept
	chain := c.AddChain(&nftables.Chain{
		Name: "ingress", Table: trial, Type: nftables.ChainTypeFilter, Policy: &accept,
		Hooknum: nftables.ChainHookRef(hookIngress), Priority: nftables.ChainPriorityFilter, Device: plan.LoopbackName,
	})
	if err := addSet(c, trial, "trial"); err != nil {
		return err
	}
	for _, text := range []string{
		"meta mark set iif & 0x0000ffff | 0x504d0000",
		"ip saddr 192.0.2.0/24 udp dport 1 update @trial { meta mark limit rate over 1/second burst 1 packets } counter drop",
	} {
		if err := addRule(c, trial, chain, text); err != nil {
			return err
		}
	}
	c.DelTable(trial) // in the same transaction: no packet ever meets the trial
	if err := c.Flush(); err != nil {
		return fmt.Errorf("try rules of nftables: %w", err)
	}
	return nil
}

// Observe reads the chains of our table; nil means that there is no such table.
func (Table) Observe() (map[string]plan.Chain, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	defer func() { _ = c.Close() }()
	found, err := chains(c)
	if err != nil || found == nil {
		return nil, err
	}
	byChain, err := rules(c)
	if err != nil {
		return nil, err
	}
	for name, chain := range found {
		chain.Rules = byChain[name]
		found[name] = chain
	}
	return found, nil
}

// Set brings chains to what the step says, in one transaction: all of them or none.
func (Table) Set(o plan.SetProtection) error {
	have, err := hooksNow()
	if err != nil {
		return err
	}
	c, err := dial()
	if err != nil {
		return err
	}
	c.AddTable(self)
	for _, class := range plan.CPUClasses {
		if err := addSet(c, self, class.Chain()); err != nil {
			return err
		}
	}
	removeChains(c, have, o)
	names := slices.Sorted(maps.Keys(o.Set))
	for _, name := range names { // before any rule, which may go on in any of them
		if was, ok := have[name]; !ok || !sameHook(was, o.Set[name]) {
			if err := addChain(c, name, o.Set[name]); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		for _, text := range o.Set[name].Rules {
			if err := addRule(c, self, &nftables.Chain{Name: name, Table: self}, text); err != nil {
				return err
			}
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// hooksNow lists the chains that there are, without their rules.
func hooksNow() (map[string]plan.Chain, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	defer func() { _ = c.Close() }()
	return chains(c)
}

// removeChains empties what changes and deletes what goes, or what comes again on another hook.
func removeChains(c *nftables.Conn, have map[string]plan.Chain, o plan.SetProtection) {
	var going []string
	for _, name := range slices.Sorted(maps.Keys(have)) {
		want, changes := o.Set[name]
		goes := slices.Contains(o.Delete, name)
		if !changes && !goes {
			continue
		}
		c.FlushChain(&nftables.Chain{Name: name, Table: self})
		if goes || !sameHook(have[name], want) {
			going = append(going, name)
		}
	}
	for _, name := range going { // when no rule leads there any more
		c.DelChain(&nftables.Chain{Name: name, Table: self})
	}
}

func sameHook(a, b plan.Chain) bool { return a.Hook == b.Hook && a.Device == b.Device }

// Delete deletes our table.
func (Table) Delete() error {
	c, err := dial()
	if err != nil {
		return err
	}
	c.DelTable(self)
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table: %w", err)
	}
	return nil
}

func addChain(c *nftables.Conn, name string, chain plan.Chain) error {
	out := &nftables.Chain{Name: name, Table: self}
	if chain.Hook != "" {
		hook, ok := hooks[chain.Hook]
		if !ok {
			return fmt.Errorf("chain %q: hook %q is unknown", name, chain.Hook)
		}
		accept := nftables.ChainPolicyAccept
		out.Hooknum, out.Priority, out.Type, out.Policy, out.Device = &hook, nftables.ChainPriorityFilter, nftables.ChainTypeFilter, &accept, chain.Device
	}
	c.AddChain(out)
	return nil
}

func addSet(c *nftables.Conn, table *nftables.Table, name string) error {
	set := &nftables.Set{Table: table, Name: name, KeyType: nftables.TypeMark, Dynamic: true, Size: marks}
	if err := c.AddSet(set, nil); err != nil {
		return fmt.Errorf("add set %q: %w", name, err)
	}
	return nil
}

func addRule(c *nftables.Conn, table *nftables.Table, chain *nftables.Chain, text string) error {
	exprs, err := compile(text)
	if err != nil {
		return err
	}
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs})
	return nil
}

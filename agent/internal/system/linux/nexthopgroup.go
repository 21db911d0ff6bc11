package linux

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/system"
)

// When a port loses its link, the kernel deletes the next hops over it and takes them out of their groups, without a word on the groups.
// Once the port is back, zebra 8.4.4 installs the next hop anew and takes the group for whole: the switch goes on with one way fewer,
// and nothing shows it. Whatever somebody else writes to a group of zebra's, though, zebra overwrites with the group as it should be.
//
// When all ports of a group have lost their link, one after the other, and the first was back before the last went, the kernel has deleted the
// group as well, and zebra takes it for installed. The kernel refuses every route by it ("Nexthop id does not exist"), zebra does not try again,
// and BGP takes what lies behind those routes for unreachable: a leaf whose uplinks have flapped so is cut off for good. Such a group is made
// anew. A route of zebra's that somebody else deletes is installed by zebra at once: so are the routes that failed.
const (
	// groupGrace is how long zebra has to set a group right itself.
	groupGrace = 300 * time.Millisecond
	// groupPass catches what events missed.
	groupPass = 30 * time.Second
)

// KeepNexthopGroups makes zebra write anew the groups that lack next hops in the kernel, until ctx ends; when the kernel's events fail,
// it begins again.
func (s *System) KeepNexthopGroups(ctx context.Context, r system.Routing) {
	for {
		if err := s.keepNexthopGroups(ctx, r); err != nil && ctx.Err() == nil {
			s.log.Warn("follow groups of next hops", "err", err)
		}
		if !pause(ctx, time.Second) {
			return
		}
	}
}

func (s *System) keepNexthopGroups(ctx context.Context, r system.Routing) error {
	events, err := newMonitor(unix.RTNLGRP_NEXTHOP)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wake := make(chan struct{}, 1)
	heard := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- events.read(ctx, func(syscall.NetlinkMessage) { heard() }, heard) }()
	keeper := groupKeeper{System: s, routing: r, made: map[uint32]bool{}}
	var again time.Duration // grows while a group lacks what zebra does not bring back, so that nobody is kept busy with it
	for {
		wait := groupPass
		if keeper.look(ctx) {
			again = min(max(2*again, groupGrace), groupPass)
			wait = again
		} else {
			again = 0
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(wait):
		case <-wake:
			again = 0
			if !pause(ctx, groupGrace) {
				return <-ended
			}
		}
	}
}

// groupKeeper remembers which groups lacked what when it last looked.
type groupKeeper struct {
	*System
	routing system.Routing
	before  map[uint32][]uint32
	// made are groups that were gone, by which routes may have failed.
	made map[uint32]bool
}

// look says whether some group lacks a next hop, having returned to zebra those that lacked the same the last time. A zebra that was busy
// with the link itself may have written its group as it was, so those are looked at again, too.
func (k *groupKeeper) look(ctx context.Context) bool {
	lacking, err := k.lacking(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.log.Debug("compare groups of next hops with zebra's", "err", err) // zebra is away, for instance
		}
		return false
	}
	still, returned := map[uint32][]uint32{}, false
	for id, group := range lacking {
		missing := group.missing
		if !slices.Equal(k.before[id], missing) {
			still[id] = missing
			continue
		}
		returned = true
		if err := k.returnGroup(id, group); err != nil {
			k.log.Warn("have zebra write a group of next hops anew", "group", id, "err", err)
			continue
		}
		if group.gone {
			k.made[id] = true
		}
		k.log.Info("a group of next hops lacked some in the kernel: zebra was made to write it anew", "group", id, "missing", missing, "gone", group.gone)
	}
	k.before = still
	if len(k.made) > 0 && !k.retryRoutes(ctx) {
		clear(k.made)
	}
	return returned || len(still) > 0 || len(k.made) > 0
}

// nexthopGroup is a group as the kernel has it.
type nexthopGroup struct {
	raw     []byte // the kernel's own array of members, or that of a group that is gone, as it is to be
	missing []uint32
	gone    bool
}

// sizeofNexthopGroup is that of struct nexthop_grp: id, weight and padding (linux/nexthop.h).
const sizeofNexthopGroup = 8

// lacking are the groups of zebra's that lack next hops. zebra is asked only if there are next hops at all.
func (k *groupKeeper) lacking(ctx context.Context) (map[uint32]nexthopGroup, error) {
	single, groups, err := k.nexthops()
	if err != nil || len(single) == 0 {
		return nil, err
	}
	want, err := k.routing.NexthopGroups(ctx)
	if err != nil {
		return nil, err
	}
	return short(single, groups, want), nil
}

// short picks the groups that lack next hops which the kernel has and zebra counts among their members, and those that are gone altogether.
func short(single map[uint32]bool, groups map[uint32][]byte, want map[uint32][]uint32) map[uint32]nexthopGroup {
	out := map[uint32]nexthopGroup{}
	for id, members := range want {
		raw, there := groups[id]
		g := nexthopGroup{raw: raw, gone: !there}
		for _, member := range members {
			if single[member] && !contains(raw, member) {
				g.missing = append(g.missing, member)
			}
		}
		if len(g.missing) == 0 {
			continue
		}
		slices.Sort(g.missing)
		if g.gone {
			g.raw = groupOf(g.missing)
		}
		out[id] = g
	}
	return out
}

// groupOf is the array of a group's members, all of the same weight.
func groupOf(members []uint32) []byte {
	raw := make([]byte, sizeofNexthopGroup*len(members))
	for i, member := range members {
		nl.NativeEndian().PutUint32(raw[sizeofNexthopGroup*i:], member)
	}
	return raw
}

func contains(raw []byte, member uint32) bool {
	for entry := range slices.Chunk(raw, sizeofNexthopGroup) {
		if len(entry) == sizeofNexthopGroup && nl.NativeEndian().Uint32(entry) == member {
			return true
		}
	}
	return false
}

// nexthopHeader is struct nhmsg: family, scope, protocol, padding, flags.
type nexthopHeader struct{ protocol uint8 }

const sizeofNexthopHeader = 8

func (nexthopHeader) Len() int { return sizeofNexthopHeader }
func (h nexthopHeader) Serialize() []byte {
	return []byte{unix.AF_UNSPEC, 0, h.protocol, 0, 0, 0, 0, 0}
}

// nexthops are the next hops that the kernel has, and the groups of zebra's among them.
func (s *System) nexthops() (single map[uint32]bool, groups map[uint32][]byte, err error) {
	messages, err := s.route.dump(unix.RTM_GETNEXTHOP, unix.RTM_NEWNEXTHOP, nexthopHeader{})
	if err != nil {
		return nil, nil, fmt.Errorf("list next hops: %w", err)
	}
	single, groups = map[uint32]bool{}, map[uint32][]byte{}
	for _, m := range messages {
		if len(m) < sizeofNexthopHeader {
			return nil, nil, fmt.Errorf("list next hops: a message of %d bytes is too short", len(m))
		}
		a, err := parseAttributes(m[sizeofNexthopHeader:])
		if err != nil {
			return nil, nil, fmt.Errorf("list next hops: %w", err)
		}
		id, raw := a.uint32(unix.NHA_ID), a[unix.NHA_GROUP]
		switch {
		case raw == nil:
			single[id] = true
		case m[2] == unix.RTPROT_ZEBRA:
			groups[id] = bytes.Clone(raw)
		}
	}
	return single, groups, nil
}

// returnGroup writes a group as it is, or makes one that is gone. A group that went, or came, meanwhile is left as it is then.
func (s *System) returnGroup(id uint32, g nexthopGroup) error {
	flags := unix.NLM_F_REPLACE
	if g.gone {
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	err := s.route.request(unix.RTM_NEWNEXTHOP, flags, nexthopHeader{protocol: unix.RTPROT_ZEBRA},
		nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(id)), nl.NewRtAttr(unix.NHA_GROUP, g.raw))
	if err != nil {
		return fmt.Errorf("write next hop group %d: %w", id, err)
	}
	return nil
}

package memory

import (
	"context"
	"maps"
	"net/netip"
	"slices"
)

// Watch implements system.System.
func (s *Switch) Watch(ctx context.Context, kick func(why string)) error {
	s.mu.Lock()
	id := s.nextWatcher
	s.nextWatcher++
	s.watchers[id] = kick
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	delete(s.watchers, id)
	s.mu.Unlock()
	return nil
}

func (s *Switch) tell(why string) {
	s.mu.Lock()
	kicks := slices.Collect(maps.Values(s.watchers))
	s.mu.Unlock()
	for _, kick := range kicks {
		kick(why)
	}
}

// SetRoute gives the switch a route in a VRF ("" is the default one); without next hops it goes.
func (s *Switch) SetRoute(vrf string, prefix netip.Prefix, hops ...netip.Addr) {
	key := routeKey{vrf, prefix.Masked()}
	s.mu.Lock()
	if len(hops) == 0 {
		delete(s.routes, key)
	} else {
		slices.SortFunc(hops, netip.Addr.Compare)
		s.routes[key] = slices.Clone(hops)
	}
	table := mainTable
	if v, ok := s.state.Kernel.VRFs[vrf]; ok {
		table = v.Table
	}
	told := slices.Collect(maps.Values(s.routeWatchers))
	s.mu.Unlock()
	for _, changed := range told {
		changed(table, key.prefix)
	}
}

// mainTable is RT_TABLE_MAIN.
const mainTable uint32 = 254

// RouteNextHops implements system.Routes.
func (s *Switch) RouteNextHops(_ context.Context, vrf string, prefix netip.Prefix) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.state.Kernel.VRFs[vrf]; !ok && vrf != "" {
		return nil, nil
	}
	return slices.Clone(s.routes[routeKey{vrf, prefix.Masked()}]), nil
}

// WatchRoutes implements system.Routes.
func (s *Switch) WatchRoutes(ctx context.Context, changed func(table uint32, prefix netip.Prefix)) error {
	s.mu.Lock()
	id := s.nextWatcher
	s.nextWatcher++
	s.routeWatchers[id] = changed
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	delete(s.routeWatchers, id)
	s.mu.Unlock()
	return nil
}

package sonic

import (
	"context"
	"strings"
	"sync"
)

// Objects of the ASIC, as SAI names them, and what is read of them.
const (
	asicState       = "ASIC_STATE"
	bridgePortType  = "SAI_OBJECT_TYPE_BRIDGE_PORT"
	routerIfaceType = "SAI_OBJECT_TYPE_ROUTER_INTERFACE"
	vlanType        = "SAI_OBJECT_TYPE_VLAN"
	mapEntryType    = "SAI_OBJECT_TYPE_TUNNEL_MAP_ENTRY"

	bridgePortPort  = "SAI_BRIDGE_PORT_ATTR_PORT_ID"
	routerIfacePort = "SAI_ROUTER_INTERFACE_ATTR_PORT_ID"
	routerIfaceVLAN = "SAI_ROUTER_INTERFACE_ATTR_VLAN_ID"
	routerIfaceVR   = "SAI_ROUTER_INTERFACE_ATTR_VIRTUAL_ROUTER_ID"
	vlanNumber      = "SAI_VLAN_ATTR_VLAN_ID"
)

// noOID is SAI's null object.
const noOID = "oid:0x0"

// asic reads ASIC_DB. That holds a key for each route, so walks over it are shared by all that wait at the same time.
type asic struct {
	db          database
	bridgePorts *shared[map[string]string] // key of the bridge port, by the OID of its port
	interfaces  *shared[routers]
}

// routers are the ASIC's router interfaces: who is routed, and by which virtual router. "" is an interface of which it is not said.
type routers struct {
	ports map[string]string // virtual router by the OID of a port
	vlans map[string]string // and by the OID of a VLAN
}

func newASIC(db database) *asic {
	a := &asic{db: db}
	a.bridgePorts = newShared(a.readBridgePorts)
	a.interfaces = newShared(a.readInterfaces)
	return a
}

func (a *asic) key(parts ...string) string { return strings.Join(parts, a.db.separator) }

// objects reads all objects of a type.
func (a *asic) objects(ctx context.Context, kind string) (map[string]Row, error) {
	keys, err := a.db.scan(ctx, a.key(asicState, kind, "*"))
	if err != nil {
		return nil, err
	}
	return a.db.getAll(ctx, keys)
}

func (a *asic) readBridgePorts(ctx context.Context) (map[string]string, error) {
	objects, err := a.objects(ctx, bridgePortType)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for key, o := range objects {
		if port := o[bridgePortPort]; port != "" && port != noOID {
			out[port] = key
		}
	}
	return out, nil
}

func (a *asic) readInterfaces(ctx context.Context) (routers, error) {
	objects, err := a.objects(ctx, routerIfaceType)
	if err != nil {
		return routers{}, err
	}
	out := routers{map[string]string{}, map[string]string{}}
	for _, o := range objects {
		if port := o[routerIfacePort]; port != "" && port != noOID {
			out.ports[port] = o[routerIfaceVR]
		}
		if vlan := o[routerIfaceVLAN]; vlan != "" && vlan != noOID {
			out.vlans[vlan] = o[routerIfaceVR]
		}
	}
	return out, nil
}

// vlanNumbers returns the numbers of VLANs by their OIDs.
func (a *asic) vlanNumbers(ctx context.Context, oids []string) (map[string]string, error) {
	var keys []string
	for _, oid := range oids {
		keys = append(keys, a.key(asicState, vlanType, oid))
	}
	objects, err := a.db.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, oid := range oids {
		if n := objects[keys[i]][vlanNumber]; n != "" {
			out[oid] = n
		}
	}
	return out, nil
}

// hasMap reports whether the ASIC still maps a VNI.
func (a *asic) hasMap(ctx context.Context, vni string) (bool, error) {
	objects, err := a.objects(ctx, mapEntryType)
	if err != nil {
		return false, err
	}
	for _, o := range objects {
		if o["SAI_TUNNEL_MAP_ENTRY_ATTR_VNI_ID_KEY"] == vni || o["SAI_TUNNEL_MAP_ENTRY_ATTR_VNI_ID_VALUE"] == vni {
			return true, nil
		}
	}
	return false, nil
}

// shared makes one reading serve all who ask for it. Whoever asks while one is under way gets the next: what it is asked to prove
// may have happened after that one began.
type shared[T any] struct {
	read func(context.Context) (T, error)
	turn chan struct{} // holds one token: one reading at a time

	mu   sync.Mutex
	next *reading[T]
}

type reading[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func newShared[T any](read func(context.Context) (T, error)) *shared[T] {
	s := &shared[T]{read: read, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

func (s *shared[T]) get(ctx context.Context) (T, error) {
	s.mu.Lock()
	r := s.next
	if r == nil {
		r = &reading[T]{done: make(chan struct{})}
		s.next = r
		go s.run(context.WithoutCancel(ctx), r)
	}
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (s *shared[T]) run(ctx context.Context, r *reading[T]) {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	r.value, r.err = s.read(ctx)
	close(r.done)
}

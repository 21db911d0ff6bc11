package sonic

import (
	"context"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// sight is what SONiC's databases say at one moment. Nothing of it is believed by itself: CONFIG_DB is what was asked for, STATE_DB
// what a daemon says that it did, ASIC_DB what the hardware was told.
type sight struct {
	config rows
	state  acknowledged
	oids   map[string]string // of ports
	// bridged and routed are by the OID of a port; routed's value is the virtual router.
	bridged map[string]string
	routed  map[string]string
	// routers are the virtual routers of VLANs' interfaces, by the VLAN's number.
	routers map[uint16]string
}

// read reads all of it. Rows first: what they ask for is acknowledged after them.
func (s *System) read(ctx context.Context) (sight, error) {
	config, err := s.dbs.readConfig(ctx)
	if err != nil {
		return sight{}, err
	}
	out := sight{config: config, routers: map[uint16]string{}}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { out.state, err = s.dbs.readState(ctx, config); return err })
	g.Go(func() (err error) { out.oids, err = s.dbs.readPortOIDs(ctx); return err })
	g.Go(func() (err error) { out.bridged, err = s.asic.bridgePorts.get(ctx); return err })
	g.Go(func() error {
		found, err := s.asic.interfaces.get(ctx)
		if err != nil {
			return err
		}
		out.routed = found.ports
		return s.nameRouters(ctx, found.vlans, out.routers)
	})
	return out, g.Wait()
}

// nameRouters finds out which VLANs the ASIC's VLAN interfaces are of.
func (s *System) nameRouters(ctx context.Context, byOID map[string]string, to map[uint16]string) error {
	var oids []string
	for oid := range byOID {
		oids = append(oids, oid)
	}
	numbers, err := s.asic.vlanNumbers(ctx, oids)
	if err != nil {
		return err
	}
	for oid, n := range numbers {
		if vlan, err := strconv.ParseUint(n, 10, 16); err == nil {
			to[uint16(vlan)] = byOID[oid]
		}
	}
	return nil
}

// virtualRouters tells which VRF each of the ASIC's virtual routers is, by rows: the interface of a VRF's VLAN is made once and stays,
// and so is what routes in the default VRF.
func (s sight) virtualRouters() (vrfOf map[string]string, routerOf map[string]string) {
	vrfOf, routerOf = map[string]string{}, map[string]string{}
	for vlan, router := range s.routers {
		key := Key{Table: tableVLANInterface, Name: "Vlan" + strconv.Itoa(int(vlan))}
		if row, ok := s.config[key]; ok && router != "" {
			vrfOf[router], routerOf[row["vrf_name"]] = row["vrf_name"], router
		}
	}
	return vrfOf, routerOf
}

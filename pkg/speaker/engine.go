package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// engine is a GoBGP server. The goroutine that serves it never ends (v3.37), and StopBgp leaves it fit for another StartBgp; so a
// stopped one is kept for the next Speaker, and a machine that is allocated a thousand times has one.
type engine struct {
	*server.BgpServer
	log *bridge
}

var idle struct {
	sync.Mutex
	engines []*engine
}

// takeEngine takes an idle engine, or makes one.
func takeEngine(log *slog.Logger) *engine {
	idle.Lock()
	defer idle.Unlock()
	if last := len(idle.engines) - 1; last >= 0 {
		e := idle.engines[last]
		idle.engines = idle.engines[:last]
		e.log.to.Store(log)
		return e
	}
	e := &engine{log: &bridge{}}
	e.log.to.Store(log)
	e.BgpServer = server.NewBgpServer(server.LoggerOption(e.log))
	go e.Serve()
	return e
}

// start begins BGP with a policy that lets out what originates here and nothing else: a machine is no transit.
func (e *engine) start(ctx context.Context, c Config) error {
	global := &api.Global{Asn: c.ASN, RouterId: c.RouterID.String(), ListenPort: bgpPort, ListenAddresses: []string{"::"}}
	if err := e.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	policy := &api.Policy{Name: "own", Statements: []*api.Statement{{
		Name:       "own",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	if err := e.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return fmt.Errorf("add export policy: %w", err)
	}
	assignment := &api.PolicyAssignment{Name: "global", Direction: api.PolicyDirection_EXPORT, Policies: []*api.Policy{policy}, DefaultAction: api.RouteAction_REJECT}
	if err := e.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: assignment}); err != nil {
		return fmt.Errorf("assign export policy: %w", err)
	}
	return nil
}

// release ends BGP, every session with a cease, and keeps the engine for the next Speaker.
func (e *engine) release() error {
	if err := e.StopBgp(context.Background(), &api.StopBgpRequest{}); err != nil {
		return fmt.Errorf("stop BGP: %w", err) // its state is unknown: it is not used again
	}
	idle.Lock()
	defer idle.Unlock()
	idle.engines = append(idle.engines, e)
	return nil
}

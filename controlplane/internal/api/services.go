package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/history"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// Services are what the API hands requests to.
type Services struct {
	Networks    *network.Service
	Inventory   *inventory.Service
	Allocations *allocate.Service
	Receipts    *receipt.Service
	// Store is what lists and watches look at.
	Store *store.Store
}

// Register adds the API's services to a server.
func (s Services) Register(to grpc.ServiceRegistrar, stopping context.Context) {
	all := newKinds(s.Store)
	apiv1.RegisterNetworkServiceServer(to, networkServer{networks: s.Networks, all: all.networks, stopping: stopping})
	apiv1.RegisterIPServiceServer(to, ipServer{networks: s.Networks, all: all.ips, stopping: stopping})
	apiv1.RegisterSwitchServiceServer(to, switchServer{inventory: s.Inventory, all: all.switches, stopping: stopping})
	apiv1.RegisterMachineServiceServer(to, machineServer{inventory: s.Inventory, all: all.machines, stopping: stopping})
	apiv1.RegisterAllocationServiceServer(to, allocationServer{allocations: s.Allocations, receipts: s.Receipts, all: all.allocations, stopping: stopping})
	apiv1.RegisterChangeServiceServer(to, changeServer{history: history.New(s.Store), store: s.Store})
}
